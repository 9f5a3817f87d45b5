"""The folders without the transformers' own weights, into the tests."""

import shutil
from pathlib import Path

from cases import CASES

GOAL = Path(__file__).resolve().parents[2] / "tests/fixtures/embedding"


def main(work, goal=GOAL):
    for case in CASES:
        shutil.rmtree(goal / case.name, ignore_errors=True)
        # 2_Dense/model.safetensors stays; the one in the root is in the graph already.
        kept = case.graph is None
        shutil.copytree(work / "folders" / case.name, goal / case.name,
                        ignore=lambda at, names: [] if kept or Path(at).name != case.name else ["model.safetensors"])
    for path in sorted(goal.glob("arch-*")):
        if path.name not in {case.name for case in CASES}:
            raise SystemExit(f"{path} is in no table any more")
