"""Texts for the static tier besides WordNet's: what people write about software. First sentences and paragraphs of documentation inside
packages of PyPI, each pinned by hash and kept in exporter/.cache (130 MB).

| package | texts |
|---|---|
| botocore (Apache-2.0) | AWS's descriptions of operations and their members |
| ansible (GPL-3.0) | descriptions of modules and their options: system administration |
| django (BSD), pandas (BSD), scipy (BSD) | docstrings: their first paragraph, and the beginning of the rest |

Only a table of numbers is fitted to them; no text of them is in what `exporter/build` makes. None of the pairs of static_check.py is among
them (docstrings of Python's standard library, descriptions of Debian packages): `static.py --check` counts them.
"""

import ast
import gzip
import json
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent / ".cache"
# Characters of a text; longer ones are cut.
SHORTEST, LONGEST = 15, 300
# Wheels for one platform, so that the same file is fetched everywhere: they are read, not run.
PLATFORM = ["--only-binary", ":all:", "--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--platform", "any"]
# A package, its version and hash, and how many of its texts are used (`static.py` leaves out those that are too long).
PACKAGES = {
    "ansible": ("12.3.0", "cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414", 20_000),
    "botocore": ("1.44.5", "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921", 23_500),
    "django": ("5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00", 3_000),
    "pandas": ("3.1.1", "4f1602f614bb83f443381dbcbb94c4ac764b2e50c8d6c965614c5cd83e328c47", 4_600),
    "scipy": ("1.17.1", "43af8d1f3bea642559019edfe64e9b11192a8978efbd1539d7bc2aaa23d92de4", 4_900),
}
SOURCE = ", ".join(f"{name}=={version}" for name, (version, _, _) in PACKAGES.items())


def wheel(name):
    """The package's wheel; it is fetched once, and pip checks its hash each time it fetches."""
    version, sha256, _ = PACKAGES[name]
    folder = CACHE / f"{name}-{version}"
    if not any(folder.glob("*.whl")):
        CACHE.mkdir(exist_ok=True)
        pin = CACHE / f"{name}.txt"
        pin.write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
        print(f"static: fetching {name} {version} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        subprocess.run([*command, *PLATFORM, "--requirement", str(pin), "--dest", f"{folder}.part"], check=True)
        Path(f"{folder}.part").replace(folder)
    return next(folder.glob("*.whl"))


def python_files(archive):
    """Names and texts of the modules of a wheel, without its tests."""
    for name in sorted(archive.namelist()):
        if name.endswith(".py") and "/test" not in name:
            yield name, archive.read(name).decode("utf-8", "ignore")


def docstrings(archive):
    for _, text in python_files(archive):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
                first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
                yield from (first, rest)


def described(value):
    """Descriptions anywhere in an API model, without their markup."""
    parts = value.items() if isinstance(value, dict) else [(None, one) for one in value]
    for key, part in parts:
        if key == "documentation" and isinstance(part, str):
            yield re.sub(r"<[^>]+>", " ", part)
        elif isinstance(part, (dict, list)):
            yield from described(part)


def models(archive):
    for name in sorted(archive.namelist()):
        if name.endswith("service-2.json.gz"):
            yield from described(json.loads(gzip.decompress(archive.read(name))))


def modules(archive):
    """The lines of descriptions in the documentation of Ansible's modules."""
    for name, text in python_files(archive):
        found = re.search(r"DOCUMENTATION\s*=\s*r?(\"\"\"|''')(.*?)\1", text, re.DOTALL) if "/plugins/" in name else None
        for line in found[2].split("\n") if found else []:
            item = re.match(r"\s*(?:short_description:|description:|-)\s+(\S.*)$", line)
            if item:
                yield re.sub(r"[A-Z]\(([^)]*)\)", r"\1", item[1]).strip("\"' ")


READERS = {"ansible": modules, "botocore": models}


def of_package(name):
    """Its different texts in an order that is the same each time, as many as are used."""
    with zipfile.ZipFile(wheel(name)) as archive:
        whole = (" ".join(text.split())[:LONGEST] for text in READERS.get(name, docstrings)(archive))
        found = list(dict.fromkeys(text for text in whole if len(text) >= SHORTEST))
    random.Random(name).shuffle(found)
    return found[: PACKAGES[name][2]]


def texts():
    return [text for name in PACKAGES for text in of_package(name)]
