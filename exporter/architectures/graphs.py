"""The graphs: optimum's exporter and sentence-transformers' helpers write them, under the names that these give."""

import json
import os
import shutil
import sys

import onnx
import torch
from onnx import TensorProto, helper

from cases import CASES
from tidy import save

BATCH = {0: "batch_size", 1: "sequence_length"}


def by_optimum(folder, goal, library="transformers"):
    from optimum.exporters.onnx import main_export

    main_export(str(folder), output=goal, task="feature-extraction", library_name=library, do_validation=False)


def by_config(folder, goal, kind, config):
    """optimum's exporter with one of its own descriptions of inputs, for what its command line does not offer."""
    from optimum.exporters.onnx.convert import export

    opened = kind.from_pretrained(folder, attn_implementation="eager").eval()
    goal.mkdir(parents=True, exist_ok=True)
    export(opened, config(opened.config), goal / "model.onnx", opset=17)


def t5_encoder(folder, goal):
    from optimum.exporters.onnx.model_configs import T5EncoderOnnxConfig
    from transformers import T5EncoderModel

    class Masked(T5EncoderOnnxConfig):
        @property
        def inputs(self):
            return {"input_ids": BATCH, "attention_mask": BATCH}

    by_config(folder, goal, T5EncoderModel, lambda config: Masked(config, task="feature-extraction"))


def with_past(folder, goal):
    """As onnx-community's Qwen3-Embedding: last_hidden_state, and the cache that transformers.js passes in and out."""
    from optimum.exporters.onnx.model_configs import Qwen3OnnxConfig
    from transformers import AutoModel

    by_config(folder, goal, AutoModel, lambda config: Qwen3OnnxConfig(config, task="feature-extraction", use_past=True, use_past_in_inputs=True))


def model(path):
    return onnx.load(str(path), load_external_data=True)


def int32(value):
    """Inputs of int32, cast to what the graph takes: as graphs that were made for TensorRT or from TensorFlow have it."""
    for at, known in enumerate(value.graph.input):
        inner = f"{known.name}_int64"
        for node in value.graph.node:
            node.input[:] = [inner if name == known.name else name for name in node.input]
        known.type.tensor_type.elem_type = TensorProto.INT32
        value.graph.node.insert(at, helper.make_node("Cast", [known.name], [inner], name=f"cast_{known.name}", to=TensorProto.INT64))
    return value


def fp16(value, keep):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(value, keep_io_types=keep)


def older_names(folder, scratch):
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(folder, scratch, ignore=shutil.ignore_patterns("*.onnx*", "onnx"))
    modules = json.loads((scratch / "modules.json").read_text())
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].rsplit(".", 1)[1]
    (scratch / "modules.json").write_text(json.dumps(modules))


def sentence_model(folder, plain, scratch):
    """The folder beside its graph, opened by the ONNX backend of sentence-transformers 5, which optimum goes with."""
    from sentence_transformers import SentenceTransformer

    older_names(folder, scratch)
    (scratch / "onnx").mkdir()
    shutil.copy(plain, scratch / "onnx/model.onnx")
    return SentenceTransformer(str(scratch), backend="onnx", device="cpu", model_kwargs={"provider": "CPUExecutionProvider"})


def edited(case, folder, plain, scratch):
    """The file that the case wants, made from the plain graph."""
    if case.edit == "int32":
        return int32(model(plain))
    if case.edit == "sentence-only":
        value = model(plain)
        value.graph.output.remove(next(one for one in value.graph.output if one.name == "token_embeddings"))
        return value
    if case.edit == "quantized":
        from onnxruntime.quantization import QuantType, quantize_dynamic
        made = scratch.with_suffix(".onnx")
        quantize_dynamic(plain, made, weight_type=QuantType.QUInt8, per_channel=True, reduce_range=True)
        return model(made)
    if case.edit in ("fp16", "fp16-inside"):
        return fp16(model(plain), case.edit == "fp16-inside")
    from sentence_transformers import export_dynamic_quantized_onnx_model, export_optimized_onnx_model

    opened = sentence_model(folder, plain, scratch)
    if case.edit == "O3":
        export_optimized_onnx_model(opened, "O3", str(scratch))
        made = scratch / "onnx/model_O3.onnx"
    elif case.edit == "O2":
        from optimum.onnxruntime import ORTOptimizer
        from optimum.onnxruntime.configuration import AutoOptimizationConfig
        ORTOptimizer.from_pretrained(opened[0].auto_model).optimize(AutoOptimizationConfig.O2(), scratch / "optimized")
        made = scratch / "optimized/model_optimized.onnx"
    else:
        export_dynamic_quantized_onnx_model(opened, "avx512_vnni", str(scratch))
        made = scratch / "onnx/model_qint8_avx512_vnni.onnx"
    return model(made)


def external(folder, goal):
    """The weights in model.onnx_data, as optimum leaves models that are too large for one file."""
    os.environ["FORCE_ONNX_EXTERNAL_DATA"] = "1"
    by_optimum(folder, goal)
    del os.environ["FORCE_ONNX_EXTERNAL_DATA"]


def plain_graph(case, work):
    """The exported graph before any edit; equal ones are exported once."""
    kept = work / "graphs" / f"{case.backbone}-{case.graph}"
    path = kept / "model.onnx"
    raw = work / "raw" / case.backbone
    if path.exists():
        return path
    if case.graph == "sentence-transformers":
        folder = work / "scratch"
        older_names(work / "folders" / case.name, folder)
        by_optimum(folder, kept, library="sentence_transformers")
    else:
        {"optimum": by_optimum, "optimum-past": with_past, "t5-encoder": t5_encoder}[case.graph](raw, kept)
    return path


def main(work, *only):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for case in CASES:
        if case.graph is None or case.graph.startswith("torch") or (only and case.name not in map(str, only)):
            continue
        folder = work / "folders" / case.name
        goal = folder / case.file
        if case.edit == "external":
            made = work / "graphs/external"
            if not made.exists():
                external(work / "raw" / case.backbone, made)
            for name in ("model.onnx", "model.onnx_data"):
                shutil.copy(made / name, folder / name)
            continue
        plain = plain_graph(case, work)
        value = edited(case, folder, plain, work / "scratch") if case.edit else model(plain)
        save(value, goal)
        shown = [[f"{one.name}:{TensorProto.DataType.Name(one.type.tensor_type.elem_type)}" for one in side] for side in (value.graph.input, value.graph.output)]
        print(f"{case.name}: {goal.stat().st_size} {shown}", file=sys.stderr)
