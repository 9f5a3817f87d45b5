"""The graphs by onnxruntime, what follows by sentence-transformers' own modules, against the vectors that it gave by itself.

A graph with other arithmetic (8 bits, fp16, another GELU) is the model of its folder: its own vectors are written down.
"""

import json
import sys

import numpy as np
import onnxruntime
import torch
from sentence_transformers import SentenceTransformer

from cases import CASES
from folders import MADE_BY, lines

TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(float16)": np.float16}
EXACT = 2e-5
LOSSY = ("O2", "O3", "qint8", "quantized", "fp16", "fp16-inside")


def run(session, rows, padding=0, left=False):
    """The states of token ids of one or more texts."""
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), padding)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(0, len(row))
        ids[at, place], mask[at, place] = row, 1
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids),
             "position_ids": np.maximum(mask.cumsum(1) - 1, 0)}
    feed = {}
    for one in session.get_inputs():
        kind = TYPES[one.type]
        if one.name.startswith("past_key_values"):
            heads, size = one.shape[1], one.shape[3]
            feed[one.name] = np.zeros((len(rows), heads, 0, size), kind)
        else:
            feed[one.name] = known[one.name].astype(kind)
    return session.run(None, feed), mask


def finish(model, states, mask, options, prompt):
    features = {"token_embeddings": torch.from_numpy(states.astype(np.float32)), "attention_mask": torch.from_numpy(mask)}
    if prompt:
        features["prompt_length"] = model[0]._get_prompt_length(prompt)
    with torch.inference_mode():
        for module in list(model)[1:]:
            features = module(features)
    vector = features["sentence_embedding"]
    size = options.get("truncate_dim") or model.truncate_dim
    vector = vector[:, :size] if size else vector
    if options.get("normalize_embeddings"):
        vector = torch.nn.functional.normalize(vector, dim=1)
    return vector.numpy()


def main(work, *only):
    torch.set_num_threads(1)
    bad = []
    for case in CASES:
        if case.refused or case.graph is None or (only and case.name not in map(str, only)):
            continue
        folder = work / "folders" / case.name
        plain = work / "late" / case.name
        model = SentenceTransformer(str(plain if plain.exists() else folder), device="cpu").eval()
        path = folder / "expected.json"
        wanted = json.loads(path.read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(folder / case.file), options, providers=["CPUExecutionProvider"])
        worst = {"alone": 0.0, "batch": 0.0, "left": 0.0}
        for group in [{"options": {}, "texts": wanted["texts"]}, *wanted.get("variants", [])]:
            prompt = model._resolve_prompt(group["options"].get("prompt"), group["options"].get("prompt_name"))
            for one in group["texts"]:
                outputs, mask = run(session, [one["ids"]])
                if case.edit == "sentence-only":
                    worst["alone"] = max(worst["alone"], np.abs(outputs[0][0] - np.array(one["vector"])).max())
                    continue
                vector = finish(model, outputs[0], mask, group["options"], prompt)[0]
                far = np.abs(vector - np.array(one["vector"], np.float32)).max()
                worst["alone"] = max(worst["alone"], far)
                if case.edit in LOSSY:
                    one["vector"] = [float(f"{number:.7g}") for number in vector]
                if case.graph == "sentence-transformers":
                    worst["graph's own"] = max(worst.get("graph's own", 0), np.abs(outputs[1][0] - np.array(one["vector"])).max())
            sides = ("batch", "left") if "qwen" in case.name else ("batch",)
            for side in sides if case.edit != "sentence-only" else ():
                outputs, mask = run(session, [one["ids"] for one in group["texts"]], model.tokenizer.pad_token_id, side == "left")
                together = finish(model, outputs[0], mask, group["options"], prompt)
                far = np.abs(together - np.array([one["vector"] for one in group["texts"]])).max()
                worst[side] = max(worst[side], far)
        if case.edit in LOSSY:
            wanted["made_by"] = f"{MADE_BY}; {case.file} by onnxruntime {onnxruntime.__version__}"
            path.write_text(lines(wanted))
        elif max(worst["alone"], worst["batch"]) > EXACT:
            bad.append(case.name)
        print(case.name, {name: f"{far:.1e}" for name, far in worst.items() if far}, file=sys.stderr)
    if bad:
        sys.exit(f"not the same: {bad}")
