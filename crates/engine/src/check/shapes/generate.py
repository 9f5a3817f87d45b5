#!/usr/bin/env python3
"""Writes models.json: what AWS's own API models say of each input that this tool sends.

The models come with the Python package botocore, whose wheel is the one argument:

    pip download botocore==1.44.5 --no-deps --dest /tmp/botocore
    python3 crates/engine/src/check/shapes/generate.py /tmp/botocore/botocore-1.44.5-py3-none-any.whl

The operations are those that the sources of the providers call, so run it again after a provider calls a new one. The same
wheel and the same sources give the same bytes.
"""

import gzip
import hashlib
import json
import pathlib
import re
import sys
import zipfile

VERSION = "1.44.5"
WHEEL_SHA256 = "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921"
MODELS = {
    "acm": "2015-12-08",
    "cloudfront": "2020-05-31",
    "cloudwatch": "2010-08-01",
    "eks": "2017-11-01",
    "elbv2": "2015-12-01",
    "iam": "2010-05-08",
    "lambda": "2015-03-31",
    "route53": "2013-04-01",
    "s3": "2006-03-01",
    "sqs": "2012-11-05",
    "sts": "2011-06-15",
}
# The crates of the SDK by service; a file's calls are looked for in the services whose crate it names.
CRATES = {name: re.compile(rf"aws_sdk_{name}\b|\.{name}\b") for name in MODELS if name != "elbv2"}
CRATES["elbv2"] = re.compile(r"aws_sdk_elasticloadbalancingv2\b|\.elb\b")
CALL = re.compile(r"\.([a-z][a-z0-9_]*)\(\)")
# Java's patterns that look around, in words that Rust's regex crate knows.
REWRITES = {
    r"(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]": r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
    r"(?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9]": r"[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]",
    r"[0-9A-Za-z\.\-_]*(?<!\.)": r"(?:[0-9A-Za-z\.\-_]*[0-9A-Za-z\-_])?",
}
HERE = pathlib.Path(__file__).resolve().parent
MEMBERS = HERE.parents[3]


def calls():
    """For each service, the names of all methods without arguments that sources with its client call."""
    found = {name: set() for name in MODELS}
    for folder in ("aws/src", "engine/src/ledger"):
        for source in sorted((MEMBERS / folder).rglob("*.rs")):
            text = source.read_text()
            named = [name for name, crate in CRATES.items() if crate.search(text)]
            for name in named or MODELS:
                found[name].update(call.replace("_", "") for call in CALL.findall(text))
    return found


def pattern(text):
    """The pattern as one that Rust's regex crate reads: Java's classes are of ASCII letters and digits."""
    for java, plain in REWRITES.items():
        text = text.replace(java, plain)
    inside, out = False, []
    for part in re.findall(r"\\.|.", text):
        plain = {r"\w": "A-Za-z0-9_", r"\d": "0-9"}.get(part, part)
        out.append(plain if inside or plain == part else f"[{plain}]")
        inside = part == "[" or inside and part != "]"
    return "".join(out)


def constraint(shapes, name):
    """What a shape demands of a value; empty when nothing."""
    shape = shapes[name]
    kind = shape["type"]
    out = {}
    if kind in ("string", "integer", "long", "float", "double", "list", "map", "blob"):
        for bound in ("min", "max"):
            if bound in shape:
                out[bound] = shape[bound]
    if "enum" in shape:
        out["enum"] = shape["enum"]
    elif "pattern" in shape:
        out["pattern"] = pattern(shape["pattern"])
    if kind == "list":
        out["list"] = constraint(shapes, shape["member"]["shape"])
    if kind == "map":
        out["key"] = constraint(shapes, shape["key"]["shape"])
        out["value"] = constraint(shapes, shape["value"]["shape"])
    return out


def reach(shapes, name, found):
    """All structures below a shape."""
    shape = shapes[name]
    for key in ("member", "key", "value"):
        if isinstance(shape.get(key), dict):
            reach(shapes, shape[key]["shape"], found)
    if shape["type"] == "structure" and name not in found:
        found.add(name)
        for member in shape["members"].values():
            reach(shapes, member["shape"], found)


def structure(shapes, name):
    """The members of a structure, each with what it demands."""
    shape = shapes[name]
    members = {}
    for member, target in sorted(shape["members"].items()):
        demand = constraint(shapes, target["shape"])
        if member in shape.get("required", []):
            demand = {"required": True, **demand}
        members[member] = demand
    return members


def service(model, called):
    """The operations that are called, and the structures that their inputs reach."""
    operations = sorted(name for name in model["operations"] if name.lower() in called)
    found = set()
    for name in operations:
        if "input" in model["operations"][name]:
            reach(model["shapes"], model["operations"][name]["input"]["shape"], found)
    return operations, {name: structure(model["shapes"], name) for name in sorted(found)}


def main(path):
    wheel = pathlib.Path(path).read_bytes()
    digest = hashlib.sha256(wheel).hexdigest()
    if digest != WHEEL_SHA256:
        sys.exit(f"{path} has the SHA-256 {digest}, and {WHEEL_SHA256} (botocore {VERSION}) is wanted")
    called, operations, structures, hashes = calls(), {}, {}, {}
    with zipfile.ZipFile(path) as archive:
        for name, date in MODELS.items():
            text = gzip.decompress(archive.read(f"botocore/data/{name}/{date}/service-2.json.gz"))
            hashes[f"{name}/{date}"] = hashlib.sha256(text).hexdigest()
            operations[name], structures[name] = service(json.loads(text), called[name])
        partitions = json.loads(archive.read("botocore/data/partitions.json"))["partitions"]
    regions = {one["id"]: sorted(name for name in one["regions"] if "global" not in name) for one in partitions}
    write(hashes, operations, structures, regions)


def write(hashes, operations, structures, regions):
    """One structure a line, so that a difference can be read."""
    compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    lines = []
    for name, members in structures.items():
        rows = ",\n".join(f"  {compact(shape)}:{compact(demands)}" for shape, demands in members.items())
        lines.append(f' {compact(name)}:{{\n{rows}\n }}')
    body = ",\n".join(lines)
    header = {
        "botocore": VERSION,
        "wheel_sha256": WHEEL_SHA256,
        "generator_sha256": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
        "models_sha256": hashes,
        "structures_sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    rows = [f'"{key}":{compact(value)}' for key, value in (("header", header), ("operations", operations), ("regions", regions))]
    text = "{\n" + ",\n".join(rows) + ',\n"structures":{\n' + body + "\n}}\n"
    (HERE / "models.json").write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
