"""The steps of `exporter/build`, behind its environment: export, quantise, evaluate, and export.json with hashes and figures.

`--edge` adds what the function at the edge, browsers and workers need besides: tokens.json, static.bin and model_edge.onnx.
"""

import hashlib
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import browser
import edge
import evaluate
import export
import quantise
import static
import tokens

HERE = Path(__file__).resolve().parent
# Exit status when everything is built, but the INT8 graph is less exact than wanted.
MISSED = 4
RECORD = "export.json"
# Of the exporter, what the bytes of the graphs or the figures depend on.
SOURCES = ["bert.py", "browser.py", "calibrate.py", "encode.py", "evaluate.py", "export.py", "quantise.py", "texts.py", "requirements.txt"]
PACKAGED = ["model.safetensors", "tokenizer.json", "config.json", "sentence_bert_config.json", "modules.json", "vocab.txt",
            "tokenizer_config.json", "1_Pooling/config.json"]
MADE = ["model.onnx", "model_int8.onnx", "chunks.json", "selfcheck.json"]
# The same for the files of `--edge`; they are made from the graphs, so that these are a part of their recipe.
EDGE_SOURCES = ["edge.py", "glosses.py", "static.py", "tokens.py"]
EDGE_MADE = ["tokens.json", "static.bin", "model_edge.onnx"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recipe(*more):
    """A hash of the exporter itself, its texts and the pins of the packages it runs on."""
    whole = hashlib.sha256()
    for path in [*(HERE / name for name in [*SOURCES, *more]), *sorted((HERE / "texts").glob("*.txt"))]:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def hashes(folder, names=(*PACKAGED, *MADE)):
    return {name: sha256(folder / name) for name in names if (folder / name).is_file()}


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def complete(folder):
    """The record of an earlier build, where every file is still as it says."""
    try:
        record = json.loads((folder / RECORD).read_text())
        same = record["recipe"] == recipe() and record["files"] == hashes(folder)
    except (OSError, ValueError, KeyError):
        return None
    return record if same and set(record["files"]) == {*PACKAGED, *MADE} else None


def step(text, work):
    say(f"exporter: {text} ...")
    began = time.monotonic()
    work()
    say(f"exporter: {text}: {time.monotonic() - began:.0f} s")


def write(folder, record):
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record, indent=1) + "\n")
    part.replace(folder / RECORD)


def edge_files(folder, record):
    """The files of `--edge`, unless the record says that they are there."""
    made_by, there = recipe(*EDGE_SOURCES), hashes(folder, EDGE_MADE)
    former = record.get("edge", {})
    if former.get("recipe") == made_by and former.get("files") == there and set(there) == set(EDGE_MADE):
        say("exporter: the files for the edge are complete; nothing to do")
        return
    step("asking the tokenizer about every code point", lambda: tokens.main(folder))
    step("writing the graph with 4-bit word embeddings", lambda: edge.main(folder))
    step("fitting the static tier (some minutes)", lambda: static.make(folder))
    figures = {}
    step("judging the graph with 4-bit word embeddings", lambda: figures.update(evaluate.quality(folder, folder / "model_edge.onnx")))
    # Once more: the table is among the files that a browser downloads in parts.
    step("hashing parts and embedding ten texts, for browsers", lambda: browser.main(folder))
    say("\n".join(evaluate.table(figures)))
    write(folder, {**record, "files": hashes(folder), "edge": {"recipe": made_by, "figures": figures, "files": hashes(folder, EDGE_MADE)}})


def main(folder, force, with_edge):
    former = None if force else complete(folder)
    if former:
        say("exporter: models/all-MiniLM-L6-v2 is complete; nothing to do")
        say("\n".join(evaluate.table(former["figures"])))
    record = former or build(folder)
    if with_edge:
        edge_files(folder, record)
    if not former and not record["figures"]["target"]["reached"]:
        print("exporter: the INT8 graph is there, but misses its target on this machine; export.json has the figures",
              file=sys.stderr)
        sys.exit(MISSED)


def build(folder):
    """Both graphs, what browsers need of them, and the record."""
    (folder / RECORD).unlink(missing_ok=True)
    step("writing the fp32 graph", lambda: export.main(folder))
    step("calibrating and rounding the INT8 graph (a minute or two)", lambda: quantise.main(folder))
    # After every file that a browser downloads in parts.
    step("hashing parts and embedding ten texts, for browsers", lambda: browser.main(folder))
    figures = {}
    step("judging both", lambda: figures.update(evaluate.quality(folder, folder / "model_int8.onnx")))
    packages = {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "tokenizers")}
    record = {"schema": "akidb-edge/export/v1", "recipe": recipe(), "processor": processor(), "packages": packages,
              "figures": figures, "files": hashes(folder)}
    write(folder, record)
    say("\n".join(evaluate.table(figures)))
    return record


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--force" in sys.argv[2:], "--edge" in sys.argv[2:])
