"""A BERT encoder as an ONNX graph, from its safetensors: numpy and onnx only.

Inputs input_ids, attention_mask, token_type_ids (int64, batch x sequence); output last_hidden_state (float32,
batch x sequence x hidden). Products, tables, GELU and attention are functions that the caller may replace, so that the fp32 and
the INT8 graph come from one description.
"""

import json
import struct
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
CONTRIB = "com.microsoft"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def read_safetensors(path):
    """All float32 tensors of a safetensors file, by name."""
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(raw, dtype="<f4", count=(end - begin) // 4, offset=8 + length + begin)
            tensors[name.removeprefix("bert.")] = flat.reshape(entry["shape"])
    return tensors


class Graph:
    """Nodes and constants under construction."""

    def __init__(self):
        self.nodes, self.constants, self.known, self.outputs = [], [], set(), []

    def once(self, name, make):
        """What `make` adds under this name; it is made at the first call."""
        if name not in self.known:
            self.known.add(name)
            make(self, name)
        return name

    def constant(self, name, value):
        if name not in self.known:
            self.known.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def model(self, hidden, names):
        shape = ["batch", "sequence"]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
        outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, hidden])]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "encoder", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="akidb-edge exporter")


def fp32_linear(graph, name, source, weight, bias):
    """source @ weight + bias; weight is (in, out)."""
    product = graph.add("MatMul", [source, graph.constant(f"{name}.weight", weight)], f"{name}.product")
    return graph.add("Add", [product, graph.constant(f"{name}.bias", bias)], name)


def fp32_gelu(graph, name, source):
    """The exact GELU in standard operators, which every provider knows; ONNX Runtime makes one of them."""
    half, one, root = (graph.constant(f"gelu.{kind}", np.float32(number))
                       for kind, number in (("half", 0.5), ("one", 1), ("root", np.sqrt(2))))
    part = graph.add("Erf", [graph.add("Div", [source, root], f"{name}.part")], f"{name}.erf")
    whole = graph.add("Mul", [source, graph.add("Add", [part, one], f"{name}.raised")], f"{name}.whole")
    return graph.add("Mul", [whole, half], name)


def fp32_table(graph, name, ids, table):
    """Rows of a table."""
    return graph.add("Gather", [graph.constant(f"{name}.weight", table), ids], name)


def additive_mask(graph, name):
    """0 for a token, a very negative number for padding: batch x 1 x 1 x sequence."""
    axes = graph.constant("mask.axes", np.array([1, 2], dtype=np.int64))
    wide = graph.add("Unsqueeze", ["attention_mask", axes], "mask.wide")
    number = graph.add("Cast", [wide], "mask.number", to=TensorProto.FLOAT)
    gap = graph.add("Sub", [graph.constant("mask.one", np.float32(1)), number], "mask.gap")
    graph.add("Mul", [gap, graph.constant("mask.far", np.float32(-10000))], name)


def fp32_attention(graph, own, state, weight, bias, mask, heads, linear):
    """Softmax(Q K' / sqrt(size) + mask) V over heads. weight is (hidden, 3 x hidden): query, key, value."""
    hidden = weight.shape[0]
    size = hidden // heads
    scale = np.ones(3 * hidden, dtype=np.float32)
    scale[:hidden] = 1 / np.sqrt(size)
    joint = linear(graph, f"{own}.qkv", state, weight * scale, bias * scale)
    names, parts = [f"{own}.{part}.flat" for part in "qkv"], []
    graph.nodes.append(helper.make_node("Split", [joint], names, name=f"{own}.split", axis=-1))
    shape = graph.constant("split.shape", np.array([0, 0, heads, size], dtype=np.int64))
    for name, order in zip(names, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True):
        parts.append(graph.add("Transpose", [graph.add("Reshape", [name, shape], f"{name}.heads")], f"{name}.turned", perm=order))
    scores = graph.add("MatMul", parts[:2], f"{own}.scores")
    if mask is not None:
        scores = graph.add("Add", [scores, graph.once("mask", additive_mask)], f"{own}.masked")
    share = graph.add("Softmax", [scores], f"{own}.share", axis=-1)
    back = graph.add("Transpose", [graph.add("MatMul", [share, parts[2]], f"{own}.mixed")], f"{own}.back", perm=[0, 2, 1, 3])
    merged = graph.constant("merge.shape", np.array([0, 0, hidden], dtype=np.int64))
    return graph.add("Reshape", [back, merged], f"{own}.context")


def build(config, tensors, linear=fp32_linear, table=fp32_table, gelu=fp32_gelu, attention=fp32_attention, taps=False,
          inputs=INPUTS):
    """The whole graph. `taps` adds the input of each matmul to the outputs, for calibration."""
    if config["hidden_act"] != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
        raise SystemExit("exporter: only encoders with gelu and absolute positions can be exported")
    graph = Graph()
    hidden, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]

    def norm(source, prefix, output):
        parts = [graph.constant(f"{prefix}.{kind}", tensors[f"{prefix}.{kind}"]) for kind in ("weight", "bias")]
        return graph.add("LayerNormalization", [source, *parts], output, axis=-1, epsilon=eps)

    def apply(graph, name, source, weight, bias):
        if taps:
            graph.outputs.append(graph.add("Identity", [source], f"tap.{name}"))
        return linear(graph, name, source, weight, bias)

    def dense(prefix):
        return tensors[f"{prefix}.weight"].T, tensors[f"{prefix}.bias"]

    state = norm(embed(graph, tensors, table, inputs), "embeddings.LayerNorm", "embedded")
    mask = "attention_mask" if "attention_mask" in inputs else None
    for layer in range(config["num_hidden_layers"]):
        at, own = f"encoder.layer.{layer}", f"layer.{layer}"
        joint = [dense(f"{at}.attention.self.{part}") for part in ("query", "key", "value")]
        weight, bias = (np.concatenate(parts, axis=-1) for parts in zip(*joint, strict=True))
        context = attention(graph, own, state, weight, bias, mask, heads, apply)
        projected = apply(graph, f"{own}.out", context, *dense(f"{at}.attention.output.dense"))
        summed = graph.add("Add", [projected, state], f"{own}.attended")
        state = norm(summed, f"{at}.attention.output.LayerNorm", f"{own}.attention")
        inner = apply(graph, f"{own}.up", state, *dense(f"{at}.intermediate.dense"))
        inner = gelu(graph, f"{own}.gelu", inner)
        outer = apply(graph, f"{own}.down", inner, *dense(f"{at}.output.dense"))
        summed = graph.add("Add", [outer, state], f"{own}.fed")
        last = layer + 1 == config["num_hidden_layers"]
        state = norm(summed, f"{at}.output.LayerNorm", "last_hidden_state" if last else f"{own}.state")
    return graph.model(hidden, inputs)


def embed(graph, tensors, table, inputs):
    """Word, position and segment embeddings, added."""
    words = table(graph, "words", "input_ids", tensors["embeddings.word_embeddings.weight"])
    places = tensors["embeddings.position_embeddings.weight"]
    length = graph.add("Shape", ["input_ids"], "length.whole", start=1, end=2)
    one = graph.constant("axis", np.array([0], dtype=np.int64))
    places = graph.add("Slice", [graph.constant("places", places), one, length, one], "placed")
    segments = tensors["embeddings.token_type_embeddings.weight"]
    if "token_type_ids" in inputs:
        segments = graph.add("Gather", [graph.constant("segments", segments), "token_type_ids"], "segmented")
    else:
        segments = graph.constant("segments", segments[0])
    both = graph.add("Add", [words, segments], "words.segments")
    return graph.add("Add", [both, places], "summed")


def save(model, path):
    """Writes a graph: the same bytes each time, and never half a file under its name."""
    part = Path(f"{path}.part")
    part.write_bytes(model.SerializeToString(deterministic=True))
    part.replace(path)
