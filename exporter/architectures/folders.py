"""sentence-transformers writes the folders, reads them again as they lie there, and says the vectors."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

import backbones
from cases import CASES
from tidy import tidy

TEXTS = ["", " ", "hello world", "Hello, World!", "the cache of an edge server", "errors", "Straße über naïve", "東京 世界",
         "привет 🚀", "zzz\u0000\ufffd", "fast " * 100, '{"json": [1, 2.5, null]}']
MADE_BY = ", ".join(f"{name} {version(name)}" for name in ("sentence-transformers", "transformers", "torch", "tokenizers"))


def backbone(name):
    return backbones.bert(lowercase=False) if name == "bert_cased" else getattr(backbones, name)()


def write(case, work):
    """The folder as save_pretrained leaves it, and then as others have it."""
    if not case.backbone:
        goal = work / "folders" / case.name
        shutil.rmtree(goal, ignore_errors=True)
        SentenceTransformer(modules=case.modules(None), device="cpu", **case.settings).save_pretrained(str(goal), create_model_card=False)
        return goal
    raw, goal = work / "raw" / case.backbone, work / "folders" / case.name
    shutil.rmtree(goal, ignore_errors=True)
    if not raw.exists():
        model, reader = backbone(case.backbone)
        model.save_pretrained(raw)
        reader.save_pretrained(raw)
    if case.modules is None:
        shutil.copytree(raw, goal)
        return goal
    first = Transformer(str(raw))
    if case.longest:
        first.max_seq_length = case.longest
    made = SentenceTransformer(modules=[first, *case.modules(first.get_embedding_dimension())], device="cpu", **case.settings)
    made.save_pretrained(str(goal), create_model_card=False)
    for change in case.changes:
        change(goal)
    return goal


def vectors(model, options):
    found = []
    prompt = model._resolve_prompt(options.get("prompt"), options.get("prompt_name"))
    for text in TEXTS:
        ids = model.preprocess([text], prompt=prompt)["input_ids"].reshape(-1).tolist()
        vector = model.encode([text], show_progress_bar=False, **options)[0]
        found.append({"text": text, "ids": ids, "vector": [float(f"{number:.7g}") for number in vector]})
    together = model.encode(TEXTS, show_progress_bar=False, **options)
    apart = max(np.abs(row - np.array(one["vector"])).max() for row, one in zip(together, found))
    return found, apart


def lines(value):
    """JSON with one text to a line."""
    def texts(group):
        return "[\n" + ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in group) + "\n ]"

    whole = f' "made_by": {json.dumps(value["made_by"])},\n "texts": {texts(value["texts"])}'
    if "variants" in value:
        more = [f' {{"options": {json.dumps(one["options"])}, "texts": {texts(one["texts"])}}}' for one in value["variants"]]
        whole += ',\n "variants": [\n' + ",\n".join(more) + "\n ]"
    return "{\n" + whole + "\n}\n"


def expected(case, folder):
    model = SentenceTransformer(str(folder), device="cpu")
    if case.cap:
        model.max_seq_length = case.cap
    main, apart = vectors(model, {})
    value = {"made_by": MADE_BY, "texts": main}
    if case.variants:
        value["variants"] = []
    for options in case.variants:
        more, further = vectors(model, options)
        apart = max(apart, further)
        value["variants"].append({"options": options, "texts": more})
    (folder / "expected.json").write_text(lines(value))
    print(f"{case.name}: {len(main[0]['vector'])} numbers, alone against a batch {apart:.1e}, longest {model.max_seq_length}", file=sys.stderr)


def graph(raw, path, kind):
    """By torch's own exporters, with optimum's names and axes: for architectures and outputs that optimum does not offer."""
    from transformers import AutoModel

    inner = AutoModel.from_pretrained(raw, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if inner.config.model_type in ("bert", "nomic_bert") else [])]
    outputs = ["last_hidden_state", *(["pooler_output"] if kind == "torch-pooler" else [])]

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, *given):
            answer = self.inner(**dict(zip(names, given)))
            return tuple(answer[name] for name in outputs)

    given = tuple(torch.zeros(2, 9, dtype=torch.int64) if name == "token_type_ids" else torch.ones(2, 9, dtype=torch.int64) for name in names)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind.startswith("torch-dynamo"):
        axes = {0: torch.export.Dim("batch_size", min=1, max=4096), 1: torch.export.Dim("sequence_length", min=1, max=backbones.POSITIONS)}
        program = torch.onnx.export(States(), given, input_names=names, output_names=outputs, dynamic_shapes={"given": (axes,) * len(names)},
                                    opset_version=18, dynamo=True, verbose=False)
        program.save(str(path), external_data=kind.endswith("external"))
        return
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in [*names, "last_hidden_state"]} | {"pooler_output": {0: "batch_size"}}
    torch.onnx.export(States(), given, str(path), input_names=names, output_names=outputs, opset_version=17, dynamo=False,
                      dynamic_axes={name: shape for name, shape in axes.items() if name in [*names, *outputs]})


def main(work, *only):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for case in CASES:
        if only and case.name not in map(str, only):
            continue
        folder = write(case, work)
        if not case.refused:
            expected(case, folder)
        if case.graph and case.graph.startswith("torch"):
            graph(work / "raw" / case.backbone, folder / case.file, case.graph)
            tidy(folder / case.file)
        if case.late:
            shutil.copytree(folder, work / "late" / case.name, dirs_exist_ok=True)
        for change in case.late:
            change(folder)
