#!/usr/bin/env python3
"""Write FOLDER/model_int8.onnx: signed 8-bit weights for each output channel, activations at fixed scales.

    exporter/quantise.py FOLDER

QuantizeLinear (fixed scale) -> MatMulIntegerToFloat or QAttention with bias, so that a text's vector does not depend on what else
is in its batch; word embeddings as int8 rows. Input channels that are outliers are divided by a factor and their weight rows
multiplied by it. Weights are rounded with the error of one row carried into the next ones (GPTQ, Frantar et al. 2022), by the
second moments of the calibration texts; the mean of what is left goes into the bias. README.md says what was tried besides.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto

import texts
from bert import CONTRIB, build, read_safetensors, save
from calibrate import collect
from encode import open_session, open_tokenizer

# An input channel is an outlier when it reaches this many times the median channel.
OUTLIER = 3.0
# Dampening of the second moments, as a share of their mean.
DAMPENING = 0.01
# Rows that are rounded before their errors go into all rows behind them.
BLOCK = 128


def smoothing(seen):
    """Factor of each input channel: 1 for all but outliers."""
    return np.maximum(1.0, seen.peak / (OUTLIER * np.median(seen.peak))).astype(np.float32)


def activation_range(seen):
    """Scale and zero point of unsigned 8 bits for everything that was seen. A narrower range that loses less in the mean square
    cuts off the few large values that carry the most: it costs 0.08 of cosine."""
    low, high = min(float(seen.low), 0.0), max(float(seen.high), 0.0)
    scale = np.float32(max(high - low, 1e-8) / 255)
    return scale, np.uint8(np.clip(round(-low / scale), 0, 255))


def channel_scale(weight):
    """Scale of each output channel. weight is (in, out)."""
    scale = (np.abs(weight).max(axis=0) / 127).astype(np.float32)
    scale[scale == 0] = 1
    return scale


def round_weight(weight, moments):
    """Signed 8-bit weights and their scales; the error of each row is made up for in the rows behind it."""
    scale, count = channel_scale(weight), len(weight)
    dampened = moments + DAMPENING * np.mean(np.diag(moments)) * np.eye(count)
    upper = np.linalg.cholesky(np.linalg.inv(dampened)).T
    left, rounded = weight.astype(np.float64), np.zeros(weight.shape, dtype=np.int8)
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        block, errors = left[begin:end], np.zeros((end - begin, weight.shape[1]))
        for row in range(end - begin):
            at = begin + row
            rounded[at] = np.clip(np.round(block[row] / scale), -127, 127)
            errors[row] = (block[row] - rounded[at] * scale) / upper[at, at]
            block[row + 1 :] -= np.outer(upper[at, at + 1 : end], errors[row])
        left[end:] -= upper[begin:end, end:].T @ errors
    return rounded, scale


def mean_error(seen, weight, rounded, weight_scale, scale, zero):
    """What the 8-bit product lacks in the mean."""
    kept = (np.clip(np.round(seen.sample / scale) + zero, 0, 255) - zero) * scale
    return seen.sample.mean(axis=0) @ weight - kept.mean(axis=0) @ (rounded * weight_scale)


class Int8:
    """The steps of `bert.build` in 8 bits."""

    def __init__(self, calibration):
        self.calibration = calibration

    def parts(self, graph, name, source, weight, bias):
        """The quantised source and the names of the constants that a product in 8 bits takes."""
        seen, factor = self.calibration[name], smoothing(self.calibration[name])
        # The input of the attention's output is smoothed already: see `balance`.
        if factor.max() > 1.0 and not name.endswith(".out"):
            share = graph.constant(f"{name}.share", (1 / factor).astype(np.float32))
            source = graph.add("Mul", [source, share], f"{name}.smooth")
            weight, seen = weight * factor[:, None], seen.scaled(factor)
        scale, zero = activation_range(seen)
        rounded, weight_scale = round_weight(weight, seen.moments)
        bias = bias + mean_error(seen, weight, rounded, weight_scale, scale, zero)
        found = {"scale": scale, "zero": zero, "weight": rounded, "weight.scale": weight_scale, "bias": bias.astype(np.float32)}
        at = {kind: graph.constant(f"{name}.{kind}", value) for kind, value in found.items()}
        return graph.add("QuantizeLinear", [source, at["scale"], at["zero"]], f"{name}.quantised"), at

    def linear(self, graph, name, source, weight, bias):
        source, at = self.parts(graph, name, source, weight, bias)
        inputs = [source, at["weight"], at["scale"], at["weight.scale"], at["zero"], "", at["bias"]]
        return graph.add("MatMulIntegerToFloat", inputs, name, domain=CONTRIB)

    def attention(self, graph, own, state, weight, bias, mask, heads, _linear):
        """QAttention: the product in 8 bits, the attention itself in floats, as one operator."""
        source, at = self.parts(graph, f"{own}.qkv", state, weight, bias)
        short = graph.once("mask.short", lambda graph, name: graph.add("Cast", [mask], name, to=TensorProto.INT32))
        zeros = graph.constant("qkv.weight.zero", np.zeros(weight.shape[1], dtype=np.int8))
        inputs = [source, at["weight"], at["bias"], at["scale"], at["weight.scale"], short, at["zero"], zeros]
        return graph.add("QAttention", inputs, f"{own}.context", domain=CONTRIB, num_heads=heads)


def int8_table(graph, name, ids, table):
    """Rows of a table that is kept as int8 with a scale for each row."""
    scale = channel_scale(table.T)[:, None]
    rounded = np.clip(np.round(table / scale), -127, 127).astype(np.int8)
    row = graph.add("Gather", [graph.constant(f"{name}.weight", rounded), ids], f"{name}.row")
    number = graph.add("Cast", [row], f"{name}.number", to=TensorProto.FLOAT)
    share = graph.add("Gather", [graph.constant(f"{name}.scale", scale), ids], f"{name}.share")
    return graph.add("Mul", [number, share], name)


def fused_gelu(graph, name, source):
    """One operator of ONNX Runtime."""
    return graph.add("Gelu", [source], name, domain=CONTRIB)


def balance(config, tensors, calibration):
    """Smooths the input of the attention's output for free: the values' weights are divided, the next ones multiplied."""
    tensors, calibration = dict(tensors), dict(calibration)
    for layer in range(config["num_hidden_layers"]):
        at, name = f"encoder.layer.{layer}.attention", f"layer.{layer}.out"
        factor = smoothing(calibration[name])
        tensors[f"{at}.self.value.weight"] = tensors[f"{at}.self.value.weight"] / factor[:, None]
        tensors[f"{at}.self.value.bias"] = tensors[f"{at}.self.value.bias"] / factor
        tensors[f"{at}.output.dense.weight"] = tensors[f"{at}.output.dense.weight"] * factor
        calibration[name] = calibration[name].scaled(factor)
    return tensors, calibration


def main(folder):
    config = json.loads((folder / "config.json").read_text())
    tensors = read_safetensors(folder / "model.safetensors")
    reader = open_tokenizer(folder)
    tapped = build(config, tensors, taps=True).SerializeToString()
    # One thread: with more, sums may come in another order, and the file in other bytes.
    seen = collect(open_session(tapped), [reader.encode(text).ids for text in texts.calibration()])
    tensors, seen = balance(config, tensors, seen)
    steps = Int8(seen)
    save(build(config, tensors, steps.linear, int8_table, fused_gelu, steps.attention), folder / "model_int8.onnx")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
