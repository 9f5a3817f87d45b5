#!/usr/bin/env python3
"""Say how close FOLDER/model_int8.onnx is to FOLDER/model.onnx, and whether a text's vector depends on its batch.

    exporter/evaluate.py FOLDER [--speed] [--graph FILE]

A table for people goes to standard error, one JSON document to standard output. The corpus of the ranking is synthetic.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import texts
from encode import alone, feed, mixed, open_session, open_tokenizer, sorted_by_length

BATCH = 32
TOP = 10
TARGET = {"cosine_mean": 0.997, "cosine_worst": 0.975, "top10_overlap": 0.95}
INVARIANT = 1e-5
SHAPES = ((1, 10), (1, 128), (8, 128), (32, 10))


def batching(session, encoded, single):
    """The vectors in batches of mixed lengths against those of the texts alone."""
    together = mixed(session, encoded, BATCH)
    return {"max_abs_difference": float(np.abs(together - single).max()),
            "cosine_min": float(np.min(np.sum(together * single, axis=1)))}


def best(queries, corpus):
    """The nearest texts of each query, best first."""
    return np.argsort(-(queries @ corpus.T), axis=1, kind="stable")[:, :TOP]


def ranking(sessions, reader):
    """How many of the ten nearest stay among the ten nearest, and how often the nearest stays the nearest."""
    groups = [[reader.encode(text).ids for text in group] for group in texts.retrieval()]
    found = []
    for session in sessions:
        corpus, queries = (sorted_by_length(session, group) for group in groups)
        found.append(best(queries, corpus))
    shared = [len(set(one) & set(other)) / TOP for one, other in zip(*found, strict=True)]
    return {"corpus": len(groups[0]), "queries": len(groups[1]), "top10_overlap": float(np.mean(shared)),
            "top1_kept": float(np.mean(found[0][:, 0] == found[1][:, 0]))}


def quality(folder, graph):
    reader = open_tokenizer(folder)
    full, small = open_session(folder / "model.onnx"), open_session(graph)
    encoded = [reader.encode(text).ids for text in texts.evaluation()]
    exact, close = alone(full, encoded), alone(small, encoded)
    cosines = np.sum(exact * close, axis=1)
    figures = {
        "texts": len(encoded), "calibration_texts": len(texts.calibration()),
        "fp32": {"bytes": (folder / "model.onnx").stat().st_size, "batching": batching(full, encoded, exact)},
        "int8": {
            "bytes": graph.stat().st_size, "cosine_mean": float(cosines.mean()), "cosine_worst": float(cosines.min()),
            "batching": batching(small, encoded, close), **ranking((full, small), reader),
        },
    }
    reached = all(figures["int8"][name] >= least for name, least in TARGET.items())
    steady = all(figures[kind]["batching"]["max_abs_difference"] <= INVARIANT for kind in ("fp32", "int8"))
    return {**figures, "target": {**TARGET, "max_abs_difference": INVARIANT, "reached": reached and steady}}


def milliseconds(session, shape, rounds):
    batch = [[101, *range(2003, 2001 + shape[1]), 102]] * shape[0]
    inputs, took = feed(session, batch), []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        session.run(None, inputs)
        took.append(time.perf_counter() - began)
    return 1000 * float(np.median(took[1:]))


def speed(paths, threads):
    """Milliseconds of each graph and shape; the graphs take turns, and the best of three medians counts."""
    sessions = {name: open_session(path, threads) for name, path in paths.items()}
    found = {name: {} for name in paths}
    for _ in range(3):
        for shape in SHAPES:
            for name, session in sessions.items():
                label, took = f"{shape[0]}x{shape[1]}", milliseconds(session, shape, 30 if shape[0] * shape[1] < 500 else 7)
                found[name][label] = round(min(took, found[name].get(label, took)), 3)
    return found


def table(figures):
    """Lines for people."""
    small, full = figures["int8"], figures["fp32"]
    yield f"size            fp32 {full['bytes'] / 1e6:.1f} MB, INT8 {small['bytes'] / 1e6:.1f} MB"
    yield f"cosine to fp32  mean {small['cosine_mean']:.5f}, worst {small['cosine_worst']:.4f} ({figures['texts']} texts)"
    yield (f"ranking         {100 * small['top10_overlap']:.1f} % of the ten nearest kept, "
           f"nearest kept in {100 * small['top1_kept']:.1f} % "
           f"({small['queries']} queries, synthetic corpus of {small['corpus']} texts)")
    for name in ("fp32", "int8"):
        lone = figures[name]["batching"]
        yield (f"alone / batch   {name}: max abs difference {lone['max_abs_difference']:.1e}, cosine {lone['cosine_min']:.7f} "
               f"(mixed lengths, {BATCH} a batch)")
    yield f"target          {'reached' if figures['target']['reached'] else 'NOT reached'}"
    for threads, graphs in figures.get("speed_ms", {}).items():
        for name, shapes in graphs.items():
            yield f"ms, {threads} thread(s)  {name:20}" + "  ".join(f"{shape} {took:8.2f}" for shape, took in shapes.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--graph", type=Path, help="another graph than FOLDER/model_int8.onnx")
    parser.add_argument("--speed", action="store_true", help="measure times, too, with one and with two threads")
    parser.add_argument("--beside", type=Path, action="append", default=[], help="one more graph to time (repeatable)")
    options = parser.parse_args()
    graph = options.graph or options.folder / "model_int8.onnx"
    figures = quality(options.folder, graph)
    if options.speed:
        paths = {"fp32": options.folder / "model.onnx", "int8": graph, **{path.name: path for path in options.beside}}
        figures["speed_ms"] = {str(threads): speed(paths, threads) for threads in (1, 2)}
    print("\n".join(table(figures)), file=sys.stderr)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
