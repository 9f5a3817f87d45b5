#!/usr/bin/env python3
"""Write tests/fixtures/edge: what JavaScript runtimes need of tests/fixtures/embedding/tiny, and what they are to answer.

    exporter/edge_fixture.py

Run by hand, like tiny.py. The static table is the tiny model's own word embeddings, in 4 bits: it stands for a fitted one.
"""

import json
import shutil
from pathlib import Path

import numpy as np

import static
import tokens
from encode import alone, open_session, open_tokenizer

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures"
TINY, GOAL = ROOT / "embedding/tiny", ROOT / "edge"
# Characters whose case, decomposition or class differs between Unicode versions or by context, and ones that vanish.
ODD = ["", " ", "the cat", "The CAT sat", "ΣΊΣΥΦΟΣ", "Straße İstanbul", "naïve café", "e\u0301 q\u0307\u0323", "한국어", "日本語", "[CLS] [SEP]",
       "a\u0000b\u200bc\u00add", "x\u3000y\u2028z", "don't", "👩‍👩‍👧", "\u0897a \u1abfb", "i" * 101, "the " * 60]


def main():
    GOAL.mkdir(exist_ok=True)
    tokens.main(TINY)
    (TINY / "tokens.json").replace(GOAL / "tokens.json")
    shutil.copyfile(TINY / "model.onnx", GOAL / "graph.onnx")
    reader, session = open_tokenizer(TINY), open_session(TINY / "model.onnx")
    dimension = json.loads((TINY / "config.json").read_text())["hidden_size"]
    chance = np.random.RandomState(5)
    table = chance.standard_normal((reader.get_vocab_size(), 32)).astype(np.float32) * 0.1
    static.BLOCK = dimension
    static.write(GOAL / "static.bin", table[:, :dimension], {"fitted_to": "nothing", "texts": 0, "source": "made up"})
    rows, _ = static.read(GOAL / "static.bin")
    encoded = [reader.encode(text).ids for text in ODD]
    full, quick = alone(session, encoded), static.embed(rows, encoded)
    texts = [{"text": text, "ids": ids, "full": [round(float(value), 7) for value in one], "static": [round(float(value), 7) for value in other]}
             for text, ids, one, other in zip(ODD, encoded, full, quick, strict=True)]
    document = {"made_by": "exporter/edge_fixture.py", "dimension": dimension, "texts": texts}
    (GOAL / "expected.json").write_text(json.dumps(document, ensure_ascii=True, indent=1) + "\n")


if __name__ == "__main__":
    main()
