#!/usr/bin/env python3
"""Write FOLDER/static.bin: a row for each token, so that the sum of a text's rows points where the model's vector does.

    exporter/static.py FOLDER [--texts FILE] [--count N] [--check]

The rows are fitted to the fp32 model's own vectors of many texts: a text asked by the table finds what the model put into the index.
By least squares: each row starts from the model's vector of its token alone, so that rare tokens are not left to chance, and is drawn back
there by a ridge. Texts are definitions and examples of WordNet (glosses.py) and documentation of software (manuals.py), or the lines of FILE. Rows
are kept in 4 bits, with a 16-bit scale for each block of 32 columns; `--check` measures the table on pairs that played no part in the fit
(static_check.py).
"""

import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np

import glosses
import manuals
from encode import open_session, open_tokenizer, sorted_by_length

# Texts: of WordNet, and with those of manuals.py.
WORDNET, COUNT = 60_000, 109_000
LONGEST = 48
# Ridge towards the tokens' own vectors, as a share of one text; steps of the conjugate gradients.
RIDGE, STEPS = 0.03, 15
# The sum of so many rows is held against the vector times this power of their number.
LENGTH = 0.5
BLOCK = 32
MAGIC, FORMAT = b"AKST", 1
# Rows of a product that are in memory at a time.
ROWS = 65_536


def say(text):
    print(f"static: {text}", file=sys.stderr, flush=True)


class Counts:
    """Which tokens are in which text, as a sparse matrix: texts x tokens, each row divided by a power of its length."""

    def __init__(self, encoded, tokens, power):
        self.tokens = tokens
        lengths = np.array([len(ids) for ids in encoded])
        self.flat = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in encoded])
        self.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.share = (1 / lengths**power).astype(np.float32)[:, None]
        owner = np.repeat(np.arange(len(encoded)), lengths)
        order = np.argsort(self.flat, kind="stable")
        self.owner = owner[order]
        self.known, self.begins = np.unique(self.flat[order], return_index=True)
        self.weight = np.zeros(tokens, dtype=np.float32)
        np.add.at(self.weight, self.flat, np.repeat(self.share[:, 0] ** 2, lengths))

    @staticmethod
    def summed(table, index, begins):
        """Sums of the rows of `table` that `index` names, one for each stretch of it."""
        found = np.empty((len(begins), table.shape[1]), dtype=np.float32)
        ends = np.append(begins[1:], len(index))
        at = 0
        while at < len(begins):
            last = max(at + 1, int(np.searchsorted(ends, begins[at] + ROWS, side="right")))
            part = index[begins[at] : ends[last - 1]]
            found[at:last] = np.add.reduceat(table[part], begins[at:last] - begins[at], axis=0)
            at = last
        return found

    def texts(self, table):
        return self.summed(table, self.flat, self.starts) * self.share

    def back(self, residual):
        found = np.zeros((self.tokens, residual.shape[1]), dtype=np.float32)
        found[self.known] = self.summed(residual * self.share, self.owner, self.begins)
        return found


def fit(encoded, vectors, start, ridge=RIDGE, steps=STEPS, power=LENGTH):
    """Rows for all tokens: least squares with a ridge towards `start`, all columns at once."""
    counts = Counts(encoded, len(start), power)
    scale = 1 / (counts.weight + ridge)[:, None]
    table = start.copy()
    residual = counts.back(vectors - counts.texts(table))
    step = scale * residual
    ahead, energy = step, np.sum(residual * step, axis=0)
    for number in range(steps):
        product = counts.back(counts.texts(ahead)) + ridge * ahead
        rate = energy / np.maximum(np.sum(ahead * product, axis=0), 1e-20)
        table += rate * ahead
        residual -= rate * product
        step = scale * residual
        before, energy = energy, np.sum(residual * step, axis=0)
        ahead = step + energy / np.maximum(before, 1e-20) * ahead
        if (number + 1) % 5 == 0:
            say(f"step {number + 1}: {np.sqrt(np.sum(residual**2)):.4f} is left")
    return table


def alone(session, tokens, ends):
    """The model's vector of each token by itself, less their mean, and shorter the earlier it comes in the vocabulary (the frequent ones)."""
    begin, end = ends
    found = sorted_by_length(session, [[begin, token, end] for token in range(tokens)]).astype(np.float32)
    return found - found.mean(axis=0)


def pack(table):
    """Scales and 4-bit columns. Of a few scales the one that loses least is taken for each block."""
    tokens, dimension = table.shape
    blocks = table.reshape(tokens, dimension // BLOCK, BLOCK)
    peak = np.abs(blocks).max(axis=2)
    best, lost = None, None
    for share in (1.0, 0.92, 0.85, 0.78):
        scale = np.maximum(peak * share / 7, 6e-8).astype("<f2")
        wide = scale.astype(np.float32)[..., None]
        rounded = np.clip(np.round(blocks / wide), -8, 7)
        loss = np.sum((rounded * wide - blocks) ** 2, axis=2)
        if best is None:
            best, lost = (scale.copy(), rounded.copy()), loss
            continue
        better = loss < lost
        best[0][better], best[1][better] = scale[better], rounded[better]
        lost = np.minimum(loss, lost)
    scale, rounded = best
    halves = (rounded.reshape(tokens, dimension) + 8).astype(np.uint8)
    return scale, halves[:, 0::2] | (halves[:, 1::2] << 4)


def write(path, table, about):
    scale, halves = pack(table)
    header = json.dumps({"tokens": len(table), "dimension": table.shape[1], "bits": 4, "block": BLOCK, **about}).encode()
    whole = MAGIC + struct.pack("<II", FORMAT, len(header)) + header
    part = Path(f"{path}.part")
    part.write_bytes(whole + b"\0" * (-len(whole) % 4) + scale.tobytes() + halves.tobytes())
    part.replace(path)


def read(path):
    """The rows of a static.bin, as floats."""
    raw = Path(path).read_bytes()
    magic, (form, length) = raw[:4], struct.unpack("<II", raw[4:12])
    if magic != MAGIC or form != FORMAT:
        raise SystemExit(f"static: {path} is not a static table of format {FORMAT}")
    about = json.loads(raw[12 : 12 + length])
    tokens, dimension, block = about["tokens"], about["dimension"], about["block"]
    at = (12 + length + 3) // 4 * 4
    count = tokens * dimension // block
    scale = np.frombuffer(raw, "<f2", count, at).astype(np.float32).reshape(tokens, -1, 1)
    halves = np.frombuffer(raw, np.uint8, tokens * dimension // 2, at + 2 * count).reshape(tokens, -1)
    columns = np.empty((tokens, dimension), dtype=np.float32)
    columns[:, 0::2], columns[:, 1::2] = halves & 15, halves >> 4
    return ((columns - 8).reshape(tokens, -1, block) * scale).reshape(tokens, dimension), about


def embed(table, encoded):
    """The vectors of texts by their ids."""
    found = np.stack([table[ids].sum(axis=0, dtype=np.float64) for ids in encoded])
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def build(folder, texts, source, count):
    """Fits a table to the model's vectors of at most so many texts, and writes FOLDER/static.bin."""
    reader, session = open_tokenizer(folder), open_session(folder / "model.onnx")
    encoded = [ids for ids in (one.ids for one in reader.encode_batch(texts)) if 3 <= len(ids) <= LONGEST][:count]
    ends = reader.encode("").ids
    say(f"embedding {len(encoded)} texts and {reader.get_vocab_size()} tokens in fp32 ...")
    start = alone(session, reader.get_vocab_size(), ends)
    vectors = sorted_by_length(session, encoded).astype(np.float32)
    table = fit(encoded, vectors, start)
    write(folder / "static.bin", table, {"fitted_to": "model.onnx", "texts": len(encoded), "source": source})
    say(f"{folder / 'static.bin'}: {(folder / 'static.bin').stat().st_size / 1e6:.1f} MB")


def everything():
    """All texts, those of WordNet last, and where they come from."""
    return manuals.texts() + glosses.texts()[:WORDNET], f"{manuals.SOURCE}, {glosses.SOURCE}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=Path, help="texts for the fit, one a line, instead of WordNet's")
    parser.add_argument("--count", type=int, default=COUNT, help="so many texts at most")
    parser.add_argument("--check", action="store_true", help="measure an existing static.bin and print JSON")
    options = parser.parse_args()
    folder = options.folder
    if options.check:
        import static_check
        reader, session = open_tokenizer(folder), open_session(folder / "model.onnx")
        print(json.dumps(static_check.figures(read(folder / "static.bin")[0], reader, session), indent=1))
        return
    if options.texts:
        texts, source = options.texts.read_text(encoding="utf-8").splitlines(), options.texts.name
    else:
        texts, source = everything()
    build(folder, texts, source, options.count)


if __name__ == "__main__":
    main()
