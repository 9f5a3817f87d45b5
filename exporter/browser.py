#!/usr/bin/env python3
"""What a browser needs to trust a model: chunks.json and selfcheck.json, into the model's folder.

    exporter/browser.py FOLDER

chunks.json has a hash for each part of the large files, so that a download is checked as it comes and goes on where it stopped.
selfcheck.json has ten texts with the token ids and the vectors that this very graph gives in onnxruntime: a browser embeds them before
it uses a backend. templates/browser/src/chunks.js and check.js read them.
"""

import argparse
import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime

from encode import feed, open_session, open_tokenizer
from reference import pool

FORMAT = 1
# Bytes of a part. Rows of the static tier are read one by one, so its parts are small.
PARTS = {"model_int8.onnx": 1 << 20, "model.onnx": 1 << 20, "static.bin": 1 << 16}
GRAPHS = ["model_int8.onnx", "model.onnx"]
# Short ones, since each visit of the page runs them: scripts, accents, a symbol outside the vocabulary, punctuation, an empty text.
TEXTS = ["hello world", "The café serves naïve crème brûlée.", "東京都 is the capital of Japan", "🚀 launches at 09:30!",
         "SELECT id FROM orders WHERE total > 10;", "antidisestablishmentarianism", "", "Привет, мир",
         "A vector database finds what is similar, not what is equal.", "e\u0301 and é"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def chunks(folder):
    """The hashes of the parts of each large file that is there."""
    files = {}
    for name, size in PARTS.items():
        path = folder / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        parts = [sha256(data[at : at + size]) for at in range(0, len(data), size)]
        files[name] = {"size": len(data), "sha256": sha256(data), "chunk": size, "sha256s": parts}
    return {"format": FORMAT, "files": files}


def selfcheck(folder):
    """Texts with what the smallest graph gives for them, one by one."""
    graph = next(folder / name for name in GRAPHS if (folder / name).is_file())
    session, reader = open_session(graph), open_tokenizer(folder)
    entries = []
    for text in TEXTS:
        ids = reader.encode(text).ids
        vector = pool(session.run(["last_hidden_state"], feed(session, [ids]))[0][0], folder).astype("<f4")
        entries.append({"text": text, "ids": ids, "vector": base64.b64encode(vector.tobytes()).decode()})
    made_by = f"onnxruntime {onnxruntime.__version__}, CPU, one text at a time; pooled as the folder says, one unit long"
    return {"format": FORMAT, "graph": sha256(graph.read_bytes()), "made_by": made_by,
            "vector": "base64 of float32, little endian", "texts": entries}


def main(folder):
    for name, content in (("chunks.json", chunks(folder)), ("selfcheck.json", selfcheck(folder))):
        part = folder / f"{name}.part"
        part.write_text(json.dumps(content, separators=(",", ":")) + "\n")
        part.replace(folder / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
