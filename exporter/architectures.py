#!/usr/bin/env python3
"""Tiny models of every architecture and layout, as the programs write them that people use: tests/fixtures/embedding/arch-*.

    architectures.py folders WORK     sentence-transformers 6 writes the folders, reads them again and says the vectors
    architectures.py graphs WORK      optimum writes the graphs (another environment: see architectures-requirements.txt)
    architectures.py check WORK       the graphs against the vectors
    architectures.py fixtures WORK [FOLDER]    into tests/fixtures/embedding

No line of the server takes part: what is expected comes from SentenceTransformer.encode.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("folders", "graphs", "check", "fixtures"):
        sys.exit(__doc__)
    sys.path.insert(0, str(HERE / "architectures"))
    importlib.import_module(sys.argv[1]).main(Path(sys.argv[2]), *map(Path, sys.argv[3:]))
