#!/usr/bin/env python3
"""Writes fields.json: the fields of Kubernetes' own kinds, as its OpenAPI document describes them.

The document comes with the Go module k8s.io/kubernetes; its folder is the one argument:

    go mod download -json k8s.io/kubernetes@v1.36.3
    python3 crates/engine/src/check/kinds/generate.py "$(go env GOMODCACHE)/k8s.io/kubernetes@v1.36.3"

A type is written in few letters: `s` a text, `b` true or false, `i` a whole number, `n` a number, `*` anything, a number a
structure; `[` in front of it a list, `{` a map. The same document gives the same bytes.
"""

import hashlib
import json
import pathlib
import sys

VERSION = "v1.36.3"
SHA256 = "dcede2063da1d7ad62ecb5af8adb6d7fabd0b52385a7fa0048afb491dac90450"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
SCALARS = {"string": "s", "boolean": "b", "integer": "i", "number": "n"}
HERE = pathlib.Path(__file__).resolve().parent


def name_of(reference):
    return reference.rsplit("/", 1)[-1]


class Table:
    """Structures by number, each once."""

    def __init__(self, definitions):
        self.definitions = definitions
        self.numbers = {}
        self.structures = []

    def number(self, name):
        if name not in self.numbers:
            self.numbers[name] = len(self.structures)
            self.structures.append(None)
            fields = self.definitions[name]["properties"]
            self.structures[self.numbers[name]] = {key: self.type(fields[key]) for key in sorted(fields)}
        return self.numbers[name]

    def type(self, schema):
        if "$ref" in schema:
            name = name_of(schema["$ref"])
            definition = self.definitions[name]
            # Quantities and what is a number or a text are written as either.
            if name.endswith((".Quantity", ".IntOrString")) or "properties" not in definition:
                return "s" if name.endswith((".Time", ".MicroTime")) else "*"
            return str(self.number(name))
        if schema.get("type") == "array":
            return "[" + self.type(schema["items"])
        if schema.get("type") == "object":
            return "{" + self.type(schema["additionalProperties"]) if "additionalProperties" in schema else "*"
        return SCALARS.get(schema.get("type"), "*")


def main():
    source = pathlib.Path(sys.argv[1]) / "api/openapi-spec/swagger.json"
    text = source.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    if digest != SHA256:
        sys.exit(f"{source} has the SHA-256 {digest}, not that of {VERSION}: {SHA256}")
    definitions = json.loads(text)["definitions"]
    table, kinds = Table(definitions), {}
    for name in sorted(definitions):
        definition = definitions[name]
        metadata = definition.get("properties", {}).get("metadata", {})
        for known in definition.get("x-kubernetes-group-version-kind", []):
            if name_of(metadata.get("$ref", "")) != META:
                continue
            version = "/".join(part for part in (known["group"], known["version"]) if part)
            kinds[f"{version} {known['kind']}"] = table.number(name)
    lines = [json.dumps(structure, separators=(",", ":"), sort_keys=True) for structure in table.structures]
    document = (
        '{"kubernetes":' + json.dumps(VERSION) + ',\n"kinds":' + json.dumps(kinds, separators=(",", ":"), sort_keys=True)
        + ',\n"structures":[\n' + ",\n".join(lines) + "\n]}\n"
    )
    (HERE / "fields.json").write_text(document)


main()
