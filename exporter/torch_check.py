#!/usr/bin/env python3
"""Compare the golden vectors with those of sentence-transformers under torch, one text at a time.

    PYTHON exporter/torch_check.py FOLDER

PYTHON has the package sentence-transformers; torch takes 6 GB, so that neither `build` nor a test does this. Ends with status 1 when
a cosine is below 0.9999, the bound of tests/load/embedding_golden.rs.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np

try:
    import sentence_transformers
    import torch
except ImportError as why:
    sys.exit(f"torch_check: {why}; install sentence-transformers for this Python, or run it with one that has it")

GOLDEN = Path(__file__).resolve().parent.parent / "tests/fixtures/embedding/golden.json"
LEAST = 0.9999


def main(folder):
    if not Path(folder, "model.safetensors").is_file():
        sys.exit(f"torch_check: no model.safetensors in {folder}; exporter/build makes models/all-MiniLM-L6-v2")
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", local_files_only=True)
    golden = json.loads(GOLDEN.read_text())["texts"]
    kept = np.stack([np.frombuffer(base64.b64decode(entry["vector"]), "<f4") for entry in golden])
    fresh = np.stack([model.encode([entry["text"]], normalize_embeddings=True)[0] for entry in golden])
    cosines = np.sum(kept * fresh, axis=1) / np.linalg.norm(kept, axis=1) / np.linalg.norm(fresh, axis=1)
    print(f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}, {len(golden)} texts: "
          f"worst cosine {cosines.min():.7f}, largest difference {np.abs(kept - fresh).max():.1e}")
    return 0 if cosines.min() >= LEAST else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
