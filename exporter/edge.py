#!/usr/bin/env python3
"""Write FOLDER/model_edge.onnx: the encoder of model_int8.onnx with its word embeddings in 4 bits, for places where size counts.

    exporter/edge.py FOLDER

The table is half of the INT8 file. Here its rows have a scale for each block of 64 columns (`GatherBlockQuantized`, an operator of ONNX
Runtime in its native and its WebAssembly build), and positions beyond the model's limit are left out.
"""

import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper

from bert import CONTRIB, read_safetensors, save

BLOCK = 64
WORDS = "words"
# Shares of the largest value that are tried as the end of a block's range.
ENDS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)


def rounded(table):
    """Signed 4-bit columns and the scale of each block, the one of a few that loses least."""
    rows, columns = table.shape
    blocks = table.reshape(rows, columns // BLOCK, BLOCK)
    peak = np.abs(blocks).max(axis=2)
    best, scales, least = None, None, None
    for end in ENDS:
        scale = np.maximum(peak * end / 7, 1e-12).astype(np.float32)
        found = np.clip(np.round(blocks / scale[..., None]), -8, 7)
        lost = np.sum((found * scale[..., None] - blocks) ** 2, axis=2)
        if best is None:
            best, scales, least = found, scale, lost
            continue
        better = lost < least
        best[better], scales[better], least = found[better], scale[better], np.minimum(lost, least)
    return best.reshape(rows, columns), scales


def replaced(model, table, positions):
    """The graph with another table of words and fewer positions."""
    graph = model.graph
    gone = {f"{WORDS}.{part}" for part in ("weight", "scale", "row", "number", "share")} | {WORDS}
    kept = [node for node in graph.node if node.output[0] not in gone]
    if len(graph.node) - len(kept) != 4:
        raise SystemExit("exporter: model_int8.onnx has no table of words as quantise.py writes it")
    columns, scale = rounded(table)
    four = numpy_helper.from_array(columns.astype(ml_dtypes.int4), f"{WORDS}.weight")
    gather = helper.make_node("GatherBlockQuantized", [f"{WORDS}.weight", "input_ids", f"{WORDS}.scale"], [WORDS], name=WORDS,
                              domain=CONTRIB, gather_axis=0, quantize_axis=1, block_size=BLOCK)
    constants = [constant for constant in graph.initializer if constant.name not in gone]
    for constant in constants:
        if constant.name == "places":
            constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(constant)[:positions]), "places"))
    constants += [four, numpy_helper.from_array(scale, f"{WORDS}.scale")]
    del graph.node[:], graph.initializer[:]
    graph.node.extend([gather, *kept])
    graph.initializer.extend(constants)
    # 4-bit tensors came with this version of the format.
    model.ir_version = 10
    return model


def main(folder):
    tensors = read_safetensors(folder / "model.safetensors")
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    model = onnx.load(folder / "model_int8.onnx")
    save(replaced(model, tensors["embeddings.word_embeddings.weight"], longest), folder / "model_edge.onnx")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
