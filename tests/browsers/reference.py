"""What onnxruntime gives for texts, beside what a browser gives: `reference.py FOLDER < TEXTS.json`. One line of JSON on standard output.

Runs in exporter/.venv: {"onnxruntime": VERSION, "texts": [{"ids", "vector"}]}.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "exporter"))

import onnxruntime  # noqa: E402
from encode import open_session, open_tokenizer, vectors  # noqa: E402

folder = Path(sys.argv[1])
graph = next(folder / name for name in ("model_int8.onnx", "model.onnx") if (folder / name).is_file())
session, reader = open_session(graph), open_tokenizer(folder)
found = []
for text in json.load(sys.stdin):
    ids = reader.encode(text).ids
    found.append({"ids": ids, "vector": [float(value) for value in vectors(session, [ids])[0]]})
print(json.dumps({"onnxruntime": onnxruntime.__version__, "texts": found}))
