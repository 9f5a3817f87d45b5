"""What each client's list of checks needs: the server's addresses, the vectors that are right, and a count."""

import json
import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path

URL, GRPC, MODEL, ALIAS = (os.environ[f"CLIENTS_{name}"] for name in ("URL", "GRPC", "MODEL", "ALIAS"))
ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests/fixtures/embedding" / MODEL
# The model's vectors by its reference (exporter/tiny.py).
TRUTH = {one["text"]: one["vector"] for one in json.loads((FIXTURE / "expected.json").read_text())["texts"]}
LONG = next(text for text in TRUTH if len(text) > 400)
TEXTS = ["hello world", "", "the cache of an edge server", "Straße über naïve", "東京 世界", LONG]
DIMENSION = len(TRUTH[""])


class Checks:
    """`@check("what")` runs a function at once; one that raises is a check that failed, and the next one runs."""

    def __init__(self, client, *packages):
        self.client, self.version = client, " ".join(version(package) for package in packages)
        self.passed, self.failures = [], []

    def __call__(self, what):
        def run(function):
            try:
                function()
            except Exception as error:
                here = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == sys.argv[0]]
                line = f" (line {here[-1].lineno}: {here[-1].line})" if here else ""
                self.failures.append(f"{what}: {type(error).__name__}: {error}{line}"[:700])
            else:
                self.passed.append(what)
        return run

    def end(self):
        report = {"client": self.client, "version": self.version, "passed": self.passed, "failures": self.failures}
        print("\n" + json.dumps(report), flush=True)
        # Some clients leave threads behind that would keep the process.
        os._exit(0)


def same(vector, text, much=1e-5):
    """The vector is this text's."""
    wanted = TRUTH[text]
    assert len(vector) == len(wanted), f"{len(vector)} numbers for {text[:40]!r}"
    far = max(abs(float(one) - two) for one, two in zip(vector, wanted))
    assert far < much, f"{text[:40]!r} is off by {far}"


def all_same(vectors, texts=TEXTS):
    assert len(vectors) == len(texts), f"{len(vectors)} vectors for {len(texts)} texts"
    for vector, text in zip(vectors, texts):
        same(vector, text)


def raised(kind, function, *arguments, **more):
    """The error that a call ends with."""
    try:
        answer = function(*arguments, **more)
    except kind as error:
        return error
    raise AssertionError(f"not refused: {str(answer)[:200]}")
