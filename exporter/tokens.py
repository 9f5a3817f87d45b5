#!/usr/bin/env python3
"""Write FOLDER/tokens.json: what runtimes without the library `tokenizers` (Lambda@Edge, browsers, workers) need to read a text.

    exporter/tokens.py FOLDER

`pieces` is the vocabulary in the order of its ids, `tokenizer` what else tokenizer.json says, `max_tokens` the model's limit, and
`runs` what the normalizer and the pre-tokenizer make of every Unicode code point. A JavaScript engine lower-cases, decomposes and
classifies characters by the Unicode version that it was built with, and by the context (a Greek sigma at the end of a word): the
ids would depend on the browser. Here the server's own library is asked about each code point alone, so that every runtime reads
texts by one table. BERT's normalizer looks at one character at a time but for the order of combining marks, of which `order` has
the classes.

    {"format": 1, "made_by": "tokenizers VERSION", "max_tokens": 256, "pieces": "[PAD]\\n...", "tokenizer": {...},
     "runs": [[first, count, what], ...], "order": [[code point, class], ...]}

Code points in no run stay as they are; `what` is "drop", "space", "apart" (a token of its own), "hangul" (decomposed by the rule of
the Unicode standard, section 3.12) or a list of texts, one for each code point. Spaces in a text separate tokens.
"""

import json
import sys
import unicodedata
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer

SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xAC00 + 11172)
# Letters that every normalizer leaves alone, so that what is between them comes from the probed character.
BEFORE, AFTER = "a", "b"


class Probe:
    """Asks the tokenizer what becomes of a text before the words are cut into pieces."""

    def __init__(self, reader):
        self.reader = reader
        if type(reader.normalizer).__name__ != "BertNormalizer" or type(reader.pre_tokenizer).__name__ != "BertPreTokenizer":
            raise SystemExit("exporter: tokens.py reads tokenizers with BERT's normalizer and pre-tokenizer")

    def words(self, text):
        """Words, separated by one space."""
        text = self.reader.normalizer.normalize_str(text)
        return " ".join(word for word, _ in self.reader.pre_tokenizer.pre_tokenize_str(text))

    def alone(self, character):
        """What stands for a character between two letters."""
        found = self.words(f"{BEFORE}{character}{AFTER}")
        return found[len(BEFORE) : len(found) - len(AFTER)]


def hangul(character):
    """The decomposition of a syllable by the standard's rule."""
    at = ord(character) - HANGUL.start
    parts = [0x1100 + at // 588, 0x1161 + at % 588 // 28] + ([0x11A7 + at % 28] if at % 28 else [])
    return "".join(map(chr, parts))


def what(character, found):
    """The kind of a code point, or its text; None where it stays."""
    if found == character:
        return None
    if found == "":
        return "drop"
    if found == " ":
        return "space"
    if found == f" {character} ":
        return "apart"
    if ord(character) in HANGUL and found == hangul(character):
        return "hangul"
    return [found]


def runs(probe):
    """Neighbours of one kind together."""
    found, last = [], None
    for point in range(0x110000):
        kind = None if point in SURROGATES else what(chr(point), probe.alone(chr(point)))
        if kind is None:
            last = None
        elif last and isinstance(kind, list) and isinstance(last[2], list):
            last[1], last[2] = last[1] + 1, last[2] + kind
        elif last and kind == last[2]:
            last[1] += 1
        else:
            last = [point, 1, kind]
            found.append(last)
    return found


def order(probe):
    """Canonical classes of the combining characters that stay: a text may hold them in another order."""
    kept = [chr(point) for point in range(0x110000)
            if point not in SURROGATES and unicodedata.combining(chr(point)) and chr(point) in probe.alone(chr(point))]
    pairs = [(one, other) for one in kept for other in kept if unicodedata.combining(one) > unicodedata.combining(other)]
    swapped = {mark for one, other in pairs if probe.words(f"a{one}{other}b") == f"a{other}{one}b" for mark in (one, other)}
    return [[ord(mark), unicodedata.combining(mark)] for mark in sorted(swapped)]


def settings(described):
    """tokenizer.json without its vocabulary and without the truncation and the padding that are baked in; and the vocabulary."""
    vocabulary = described["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.get)
    if [vocabulary[piece] for piece in pieces] != list(range(len(pieces))) or any("\n" in piece for piece in pieces):
        raise SystemExit("exporter: the ids of the vocabulary are not 0, 1, 2, ..., or a piece has a line break")
    return {**described, "model": {**described["model"], "vocab": {}}, "truncation": None, "padding": None}, pieces


def main(folder):
    source = folder / "tokenizer.json"
    tokenizer, pieces = settings(json.loads(source.read_text(encoding="utf-8")))
    probe = Probe(Tokenizer.from_file(str(source)))
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    document = {"format": 1, "made_by": f"tokenizers {version('tokenizers')}", "max_tokens": longest,
                "pieces": "\n".join(pieces), "tokenizer": tokenizer, "runs": runs(probe), "order": order(probe)}
    part = folder / "tokens.json.part"
    part.write_text(json.dumps(document, ensure_ascii=True, separators=(",", ":")) + "\n")
    part.replace(folder / "tokens.json")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
