#!/usr/bin/env python3
"""Write FOLDER/model.onnx (fp32) from FOLDER/model.safetensors and config.json of a BERT-class encoder.

    exporter/export.py FOLDER
"""

import json
import sys
from pathlib import Path

from bert import build, read_safetensors, save


def main(folder):
    config = json.loads((folder / "config.json").read_text())
    save(build(config, read_safetensors(folder / "model.safetensors")), folder / "model.onnx")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
