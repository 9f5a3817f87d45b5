#!/usr/bin/env python3
"""Compare the golden vectors with those of sentence-transformers under torch, one text at a time.

    PYTHON exporter/torch_check.py FOLDER

PYTHON has the package sentence-transformers; torch takes 6 GB, so that neither `build` nor a test does this. Ends with status 1 when
a cosine is below 0.9999, the bound of tests/embedding_golden.rs.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import sentence_transformers
import torch

GOLDEN = Path(__file__).resolve().parent.parent / "tests/fixtures/embedding/golden.json"
LEAST = 0.9999


def main(folder):
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", local_files_only=True)
    golden = json.loads(GOLDEN.read_text())["texts"]
    kept = np.stack([np.frombuffer(base64.b64decode(entry["vector"]), "<f4") for entry in golden])
    fresh = np.stack([model.encode([entry["text"]], normalize_embeddings=True)[0] for entry in golden])
    cosines = np.sum(kept * fresh, axis=1) / np.linalg.norm(kept, axis=1) / np.linalg.norm(fresh, axis=1)
    print(f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}, {len(golden)} texts: "
          f"worst cosine {cosines.min():.7f}, largest difference {np.abs(kept - fresh).max():.1e}")
    return int(cosines.min() < LEAST)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
