"""How well the static table finds what the model put into an index: pairs of texts that played no part in the fit.

Docstrings of Python's standard library (the first line asks for the rest) and, on Debian, descriptions of the installed packages
(the short one asks for the long one). The index is the fp32 model's; the queries are the model's or the table's.
"""

import ast
import random
import re
import sysconfig
from pathlib import Path

import numpy as np

import static
from encode import sorted_by_length

STATUS = Path("/var/lib/dpkg/status")
TOP = 10
LEFT_OUT = {"test", "tests", "site-packages", "dist-packages", "__pycache__", "idlelib", "lib2to3"}
# Characters of an answer, and pairs of a set: the model has to embed all of them.
LONGEST, PAIRS = 300, 1200


def docstrings():
    """First line and the rest of each docstring."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if LEFT_OUT & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
                first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
                yield " ".join(first.split()), " ".join(rest.split())


def packages():
    """Short and long description of each installed package."""
    for paragraph in STATUS.read_text(encoding="utf-8").split("\n\n") if STATUS.is_file() else []:
        found = re.search(r"^Description: (.+)\n((?: .*\n?)+)", paragraph, re.MULTILINE)
        if found:
            lines = (line.strip() for line in found[2].split("\n"))
            yield found[1].strip(), " ".join(line for line in lines if line not in ("", "."))


def pairs(found, seed):
    """Different questions with their answers, in a mixed order."""
    kept = {}
    for question, answer in found:
        if 15 <= len(question) <= 120 and len(answer) >= 80:
            kept.setdefault(question, answer[:LONGEST])
    chosen = list(kept.items())
    random.Random(seed).shuffle(chosen)
    return chosen[:PAIRS]


def recall(queries, index):
    """How often a question finds its own answer first, and among ten."""
    scores = queries @ index.T
    own = np.diag(scores)
    place = np.sum(scores > own[:, None], axis=1)
    return {"r1": float(np.mean(place < 1)), "r10": float(np.mean(place < TOP)), "mrr10": float(np.mean(np.where(place < TOP, 1 / (place + 1), 0)))}


def measured(table, reader, session, chosen):
    questions, answers = ([reader.encode(text).ids for text in side] for side in zip(*chosen, strict=True))
    index, full = sorted_by_length(session, answers), sorted_by_length(session, questions)
    quick = static.embed(table, questions)
    near, far = (np.argsort(-(vectors @ index.T), axis=1)[:, :TOP] for vectors in (full, quick))
    shared = [len(set(one) & set(other)) / TOP for one, other in zip(near, far, strict=True)]
    own, other = recall(full, index), recall(quick, index)
    return {"pairs": len(chosen), "model": own, "static": other, "r10_of_model": other["r10"] / own["r10"],
            "cosine_mean": float(np.mean(np.sum(full * quick, axis=1))), "top10_overlap": float(np.mean(shared))}


def figures(table, reader, session):
    """By set of pairs."""
    sets = {"docstrings": pairs(docstrings(), "docstrings"), "packages": pairs(packages(), "packages")}
    return {name: measured(table, reader, session, chosen) for name, chosen in sets.items() if len(chosen) >= 100}
