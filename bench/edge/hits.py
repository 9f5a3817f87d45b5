#!/usr/bin/env python3
"""The hit rate of the cache with the real package behind it, and whether a single request misses that should not.

    localstack/.venv/bin/python bench/edge/hits.py --package UNPACKED [--requests 80000] [--texts 80] [--places 3]

The harness of the system test plays CloudFront with the behavior and the cache policy of /api/v1/embed in plans/week13.yaml; the
function of the package answers in Node. Nothing is deployed here. Requests are GET (nine of ten) and HEAD for texts by Zipf's law, from
several places, every sixth for the static tier and every sixth with the tag of an answer of another time. The rate of hits is a property
of such a mix; what is proved is that each text misses once per tier and place and never again, and that each answer is of the tier that
was asked: anything else ends with status 1, and so does a rate of 99 % or less.
"""

import argparse
import json
import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "localstack/harness"))

import yaml

from messages import Request
from viewer import Viewers

WANTED, SEED = 0.99, 13
# AllViewerExceptHostHeader, which the behavior names: every header, cookie and parameter.
FORWARDED = ("allExcept host", "all", "all")
ADDRESS, HOST = "/api/v1/embed", "d1.cloudfront.net"


class Package:
    """In place of the Lambda client: the function of an unpacked package, with the number of its calls."""

    def __init__(self, folder):
        command = ["node", str(HERE / "serve.mjs"), str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.calls = 0

    def invoke(self, Payload, **_):
        self.calls += 1
        self.process.stdin.write(Payload + "\n")
        self.process.stdin.flush()
        return {"Payload": BytesIO(self.process.stdout.readline().encode())}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def found(document, name):
    """The value of the first key of that name anywhere in a plan."""
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    if isinstance(document, dict) and name in document:
        return document[name]
    return next((value for value in (found(each, name) for each in inner) if value is not None), None)


def viewers(package):
    """CloudFront with the plan's behavior for embeddings."""
    plan = yaml.safe_load((ROOT / "plans/week13.yaml").read_text(encoding="utf-8"))
    behavior = next(each for each in found(plan, "behaviors") if each["path"] == ADDRESS)
    policy = found(plan, "cache_policies")[behavior["cache_policy"]]
    deployed = {"MinTTL": policy["min_ttl"], "DefaultTTL": policy["default_ttl"], "MaxTTL": policy["max_ttl"],
                "ParametersInCacheKeyAndForwardedToOrigin": {"QueryStringsConfig": {
                    "QueryStringBehavior": policy["query_strings"]}}}
    functions = [{"EventType": each["event"], "LambdaFunctionARN": "arn:1", "IncludeBody": each["include_body"]} for each in behavior["functions"]]
    only = {"TargetOriginId": "nearest", "CachePolicyId": "embeddings", "OriginRequestPolicyId": "viewer", "ViewerProtocolPolicy": behavior["viewer_protocol"],
            "AllowedMethods": {"Items": behavior["methods"]}, "LambdaFunctionAssociations": {"Items": functions}}
    config = {"Origins": {"Items": [{"Id": "nearest", "DomainName": "origin.example.com"}]}, "DefaultCacheBehavior": only}
    account = SimpleNamespace(cache_policies={"embeddings": deployed}, origin_request_policies={"viewer": FORWARDED}, headers_policies={}, functions=package,
                              distribution_of=lambda host: {"id": "E1", "domain": HOST, "config": config})
    # No origin: the function has to answer everything itself.
    return Viewers(account, SimpleNamespace(target_of=lambda host, place: (None, ["no origin"])))


def requests(options, version):
    """The mix: (request, what makes it the same as another one)."""
    chance = random.Random(SEED)
    weights = [1 / (rank + 1) for rank in range(options.texts)]
    places = [f"place {number}" for number in range(options.places)]
    for number in range(options.requests):
        text = f"question {chance.choices(range(options.texts), weights)[0]} about storage at the edge"
        place, headers = chance.choice(places), {"host": HOST}
        tier = "static" if number % 6 == 0 else "full"
        if number % 6 == 3:
            headers["if-none-match"] = '"of another time"'
        # Without a version, the two tiers' requests differ in the tier alone.
        named = tier == "full" and number % 6 != 1
        query = urlencode({"input": text, **({"tier": tier} if tier == "static" else {}), **({"version": version} if named else {})})
        yield Request("HEAD" if number % 10 == 9 else "GET", ADDRESS, query, headers, b"", place, True), (place, text, tier, named)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, required=True, help="folder of an unpacked package")
    parser.add_argument("--requests", type=int, default=80_000)
    parser.add_argument("--texts", type=int, default=80)
    parser.add_argument("--places", type=int, default=3)
    options = parser.parse_args()
    package = Package(options.package)
    front, different, hits, bad = viewers(package), set(), 0, {}
    for request, same in requests(options, json.loads((options.package / "model.json").read_text())["version"]):
        answer = front.answer(request)
        different.add(same)
        hits += answer.headers.get("x-cache", "").startswith("Hit")
        what = (answer.status, answer.headers.get("x-akidb-tier"))
        if what != (200, same[2]):
            bad[what] = bad.get(what, 0) + 1
    package.end()
    rate = hits / options.requests
    print(f"{options.requests} requests (GET and HEAD), {options.texts} texts, {options.places} places: {len(different)} different, "
          f"{package.calls} calls of the function, {rate:.2%} hits")
    if bad:
        print(f"hits: answers that are not 200 of the wanted tier: {bad}", file=sys.stderr)
    sys.exit(0 if not bad and package.calls == len(different) and rate > WANTED else 1)


if __name__ == "__main__":
    main()
