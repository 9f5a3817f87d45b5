"""The steps of `exporter/build`, behind its environment: export, quantise, evaluate, the files for browsers and the function at the edge,
and export.json with hashes and figures.

    make.py FOLDER [--quick] [--edge] [--force]

`--quick` fits the static tier to fewer texts, which takes a fraction of the time; a later run without it fits it again. `--edge` adds the graph
with 4-bit word embeddings for the package of the function at the edge (`edge package --quantize edge`).
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
import glosses
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
# What the token table and the static tier depend on, besides the graphs.
TIER_SOURCES = ["tokens.py", "static.py", "glosses.py", "manuals.py"]
TIER = ["tokens.json", "static.bin"]
# The same for the file of --edge, which is made from the INT8 graph.
EDGE_SOURCES = ["edge.py"]
EDGE = ["model_edge.onnx"]
# Texts that the static tier is fitted to with --quick.
QUICK = 6_000


def say(text):
    print(text, file=sys.stderr, flush=True)


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recipe():
    """A hash of the exporter itself, its texts and the pins of the packages it runs on."""
    whole = hashlib.sha256()
    for path in [*(HERE / name for name in SOURCES), *sorted((HERE / "texts").glob("*.txt"))]:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def hash_of(sources):
    """A hash of the sources that make some of the files."""
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in sources)).hexdigest()


def hashes(folder, names):
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
        same = record["recipe"] == recipe() and record["files"] == hashes(folder, [*PACKAGED, *MADE])
    except (OSError, ValueError, KeyError):
        return None
    return record if same and set(record["files"]) == {*PACKAGED, *MADE} else None


def has_tier(folder, record, count):
    """Whether the token table is there, and a static tier that was fitted to at least so many texts."""
    tier = record.get("tier") or {}
    try:
        enough = tier["asked"] >= count and tier["recipe"] == hash_of(TIER_SOURCES)
    except (KeyError, TypeError):
        return False
    return enough and set(tier["files"]) == set(TIER) and tier["files"] == hashes(folder, TIER)


def has_edge(folder, record):
    """Whether the graph for the edge is there, made from the graphs that are there."""
    made = record.get("edge") or {}
    return made.get("recipe") == hash_of(EDGE_SOURCES) and made.get("files") == hashes(folder, EDGE) and len(made["files"]) == len(EDGE)


def step(text, work):
    say(f"exporter: {text} ...")
    began = time.monotonic()
    work()
    say(f"exporter: {text}: {time.monotonic() - began:.0f} s")


def graphs(folder):
    """Writes the two graphs and compares them; the record of it."""
    (folder / RECORD).unlink(missing_ok=True)
    step("writing the fp32 graph", lambda: export.main(folder))
    step("calibrating and rounding the INT8 graph (a minute or two)", lambda: quantise.main(folder))
    figures = {}
    step("comparing both graphs", lambda: figures.update(evaluate.quality(folder, folder / "model_int8.onnx")))
    packages = {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "tokenizers")}
    return {"schema": "akidb-edge/export/v1", "recipe": recipe(), "processor": processor(), "packages": packages, "figures": figures}


def fitted(folder, count):
    """Fits the static tier: to WordNet's texts alone with --quick, which fetches no more."""
    if count == QUICK:
        static.build(folder, glosses.texts(), glosses.SOURCE, count)
    else:
        static.build(folder, *static.everything(), count)


def tier(folder, count):
    """Writes the token table and the static tier; what the record says of them."""
    step("writing the token table", lambda: tokens.main(folder))
    step("fitting the static tier", lambda: fitted(folder, count))
    return {"recipe": hash_of(TIER_SOURCES), "asked": count, "files": hashes(folder, TIER)}


def edge_graph(folder):
    """Writes the graph with 4-bit word embeddings; what the record says of it."""
    step("writing the graph with 4-bit word embeddings", lambda: edge.main(folder))
    figures = {}
    step("comparing it with the fp32 graph", lambda: figures.update(evaluate.quality(folder, folder / "model_edge.onnx")))
    say("\n".join(evaluate.table(figures)))
    return {"recipe": hash_of(EDGE_SOURCES), "figures": figures, "files": hashes(folder, EDGE)}


def save(folder, record):
    """Writes what browsers check, after every file that they download in parts, and then the record, as a whole."""
    step("hashing parts and embedding ten texts, for browsers", lambda: browser.main(folder))
    record["files"] = hashes(folder, [*PACKAGED, *MADE])
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record, indent=1) + "\n")
    part.replace(folder / RECORD)


def main(folder, force, quick, with_edge):
    count = QUICK if quick else static.COUNT
    record = None if force else complete(folder)
    wants_edge = with_edge and not (record and has_edge(folder, record))
    if record and has_tier(folder, record, count) and not wants_edge:
        say("exporter: models/all-MiniLM-L6-v2 is complete; nothing to do")
        say("\n".join(evaluate.table(record["figures"])))
        return
    if not record:
        record = graphs(folder)
        # If a later step fails, the next run begins there.
        save(folder, record)
    if not has_tier(folder, record, count):
        record["tier"] = tier(folder, count)
    if wants_edge:
        record["edge"] = edge_graph(folder)
    save(folder, record)
    figures = record["figures"]
    say("\n".join(evaluate.table(figures)))
    if not figures["target"]["reached"]:
        print("exporter: the INT8 graph is there, but misses its target on this machine; export.json has the figures",
              file=sys.stderr)
        sys.exit(MISSED)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(flag in sys.argv[2:] for flag in ("--force", "--quick", "--edge")))
