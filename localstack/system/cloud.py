"""The chapters about the cloud: deployed, proved, asked, changed, broken, cut over."""

import math
import os
import shutil
import subprocess
import sys
import time
from urllib.parse import urlencode

import boto3
from botocore.config import Config

from load import MODEL, Load, Stream, getting, posting
from parts import HERE, Harness, Region, ask
from demo import need, until

API = "api.akidb.com"
TEXT = "An edge node answers within ten milliseconds."
# The bucket of models that each region reads, behind the prefix of the stack.
REGIONS = {"us-east-1": "models-edge", "eu-central-1": "models-edge-replica-eu"}
PLACES = {"NA": "us-east-1", "EU": "eu-central-1"}


def client(demo, service, region):
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 2}, proxies={})
    session = boto3.session.Session(aws_access_key_id=demo.account, aws_secret_access_key="test")
    return session.client(service, region_name=region, endpoint_url=demo.endpoint, config=config)


def deploy(demo):
    demo.title("1. Check the plan, deploy it, deploy it again")
    demo.edge("validate", "plan", quiet=True, options=("--quiet",))
    _, seconds = demo.edge("deploy", options=("--yes",))
    demo.measured("deploy of the cloud", seconds, "s", "wall time of deploy --yes on an empty account")
    said, _ = demo.edge("deploy", options=("--yes", "--quiet"))
    need(said.startswith("no changes"), "the second deploy had something to do")
    demo.edge("status")
    demo.edge("validate", "replication", options=("--write-test-objects",))


def prove(demo, name, *more):
    inventory, result = demo.path("inventory.json"), demo.path(f"{name}.json")
    command, _ = demo.command(["state", "show"], ["--json", "--quiet"])
    with open(inventory, "w", encoding="utf-8") as file:
        subprocess.run(command, env=demo.environment, stdout=file, check=True, timeout=60, cwd=demo.root)
    demo.show("localstack/prove.py " + " ".join(more))
    done = subprocess.run([sys.executable, os.path.join(HERE, "prove.py"), "--inventory", inventory, "--json", result, *more],
                          env={**demo.environment, "AWS_ENDPOINT_URL": demo.endpoint, "AWS_ACCESS_KEY_ID": demo.account}, timeout=300,
                          stdout=subprocess.PIPE, text=True, check=False)
    demo.say(done.stdout.rstrip())
    need(done.returncode == 0, "something is not proved, see above")


class Cloud:
    """Two regional servers behind the load balancers of the account, and the harness in front of them."""

    def __init__(self, demo):
        self.demo, self.regions, self.harness = demo, {}, None

    def start(self):
        demo = self.demo
        demo.title("2. Two regional servers, which take their model from the bucket of their region; viewers in front of them")
        begun = time.monotonic()
        for name, bucket in REGIONS.items():
            self.regions[name] = Region(demo, name, f"{demo.prefix}-{bucket}")
            self.register(name)
        self.harness = Harness(demo)
        until(300, lambda: all(region.ready() for region in self.regions.values()), "both regions have loaded the model")
        demo.measured("both regions ready", time.monotonic() - begun, "s", "from the start of the servers to /ready 200, model fetched by sync")
        until(30, lambda: self.harness.healthy() == set(REGIONS), "both regions are in service")
        self.host = demo.document("state", "show")["resources"]
        self.host = next(each for each in self.host if each["kind"] == "distribution")["attributes"]["domain_name"]
        demo.say(f"  {', '.join(f'{name} on port {region.address[1]}' for name, region in self.regions.items())}; viewers on port "
                  f"{self.harness.address[1]}; distribution {self.host}")

    def register(self, name):
        balancing = client(self.demo, "elbv2", name)
        group = balancing.describe_target_groups(Names=[f"akidb-rest-{name}"])["TargetGroups"][0]["TargetGroupArn"]
        old = balancing.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        if old:
            balancing.deregister_targets(TargetGroupArn=group, Targets=[each["Target"] for each in old])
        address, port = self.regions[name].address
        balancing.register_targets(TargetGroupArn=group, Targets=[{"Id": address, "Port": port}])

    def view(self, place, host=None):
        """A viewer of a continent, as a function of method, path and body."""
        return lambda method, path, body=None, headers=None: self.harness.view(host or self.host, method, path, body, place, headers)

    def requests(self):
        demo = self.demo
        demo.title("3. A text goes viewer -> cache -> gateway -> region -> vector, by POST and by GET")
        vectors = {}
        for place, region in PLACES.items():
            viewer = self.view(place)
            posted = viewer("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
            self.expect(posted, 200, "Miss", f"load balancer {region}", f"POST from {place}")
            path = "/api/v1/embed?" + urlencode({"model": MODEL, "input": TEXT})
            first = viewer("GET", path)
            self.expect(first, 200, "Miss", f"load balancer {region}", f"GET from {place}")
            second = viewer("GET", path)
            self.expect(second, 200, "Hit", "cache", f"GET again from {place}")
            tagged = viewer("GET", path, headers={"if-none-match": first[1]["etag"]})
            self.expect(tagged, 304, "Hit", "cache", f"GET with the tag from {place}")
            named = viewer("GET", f"{path}&version={posted[2]['version']}")
            self.expect(named, 200, "Miss", f"load balancer {region}", f"GET with the version from {place}")
            repeated = viewer("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
            self.expect(repeated, 200, "Miss", f"load balancer {region}", f"POST again from {place}")
            for answer, rule in ((first, "max-age=300"), (named, "max-age=31536000")):
                need(rule in answer[1].get("cache-control", ""), f"Cache-Control is {answer[1].get('cache-control')!r}, not {rule}")
            vectors[place] = posted[2]["embeddings"][0]
            need(vectors[place] == first[2]["embeddings"][0] == second[2]["embeddings"][0], "GET and POST give different vectors")
            demo.measured(f"POST from {place}", posted[3], "ms", f"viewer to vector and back, by the gateway function and {region}")
            demo.measured(f"GET from {place}, first", first[3], "ms", "a miss of the cache")
            demo.measured(f"GET from {place}, second", second[3], "ms", "a hit of the cache")
        one, other = vectors.values()
        need(len(one) == 384 and abs(math.hypot(*one) - 1) < 1e-3, "that is not a vector of this model")
        need(one == other, "the regions give different vectors")
        self.vector, self.version = one, posted[2]["version"]
        self.refusals()

    def refusals(self):
        """What the edge answers itself, and what it sends on."""
        viewer = self.view("EU")
        bad = viewer("POST", "/api/v1/embed", {"model": MODEL, "inputs": []})
        self.expect(bad, 400, "FunctionGeneratedResponse", "answered by the function", "POST without a text")
        self.expect(viewer("GET", "/edge/health"), 200, "FunctionGeneratedResponse", "answered by the function", "GET /edge/health")
        page = viewer("GET", "/")
        self.expect(page, 200, "Miss", "bucket", "GET / (the page)")
        need(page[1].get("cross-origin-opener-policy") == "same-origin", "the page lacks the headers of its policy")
        plain = viewer("GET", "/api/v1/embed?input=x", headers={"x-viewer-protocol": "http"})
        need(plain[0] == 403, f"plain HTTP was answered {plain[0]}, not 403")

    def expect(self, answer, status, cached, way, what):
        got, headers, document, took = answer
        went, how = headers.get("x-harness-way", ""), headers.get("x-cache", "")
        need(got == status, f"{what}: {got}, not {status}: {str(document)[:300]} (way: {went})")
        need(how.startswith(f"{cached} "), f"{what}: x-cache is {how!r}, not {cached} (way: {went})")
        need(way in went, f"{what}: it did not go by {way}, but {went}")
        self.demo.say(f"  {what}: {got}, {how}, {took:.1f} ms")

    def rollout(self, device):
        """A new version of the model, published by the plan, while requests go on; then back again."""
        demo = self.demo
        demo.title("4. A new version of the model: published, taken over by both regions" + (" and the device" if device else "") + ", no request fails")
        changed = demo.path("model-2")
        shutil.copytree(demo.model, changed, symlinks=False, ignore=shutil.ignore_patterns("model.onnx", "*.safetensors"), dirs_exist_ok=True)
        with open(os.path.join(changed, "1_Pooling", "config.json"), encoding="utf-8") as file:
            text = file.read()
        need('"pooling_mode_mean_tokens": true' in text, "1_Pooling/config.json has no pooling_mode_mean_tokens")
        text = text.replace('"pooling_mode_mean_tokens": true', '"pooling_mode_mean_tokens": false')
        text = text.replace('"pooling_mode_cls_token": false', '"pooling_mode_cls_token": true')
        with open(os.path.join(changed, "1_Pooling", "config.json"), "w", encoding="utf-8") as file:
            file.write(text)
        streams = [Stream(f"POST from {place}", posting(self.view(place))) for place in PLACES]
        streams.append(Stream("GET from EU", getting(self.view("EU"))))
        if device:
            streams.append(Stream("POST to the device", posting(device.view)))
        load = Load(streams)
        try:
            until(60, lambda: load.all_at(self.version), "requests are answered with the first version")
            before, demo.variables["model_dir"] = demo.variables["model_dir"], changed
            _, seconds = demo.edge("deploy", "models", options=("--yes",))
            begun = time.monotonic() - seconds
            new = until(300, lambda: self.other_version(load), "every server has the new version")
            demo.measured("new version everywhere", time.monotonic() - begun, "s", "from the start of deploy until each server answers with it")
            _, seconds = demo.edge("rollback", options=("--yes",))
            begun, demo.variables["model_dir"] = time.monotonic() - seconds, before
            until(300, lambda: load.all_at(self.version), "every server has the former version again")
            demo.measured("former version everywhere", time.monotonic() - begun, "s", "from the start of rollback until each server answers with it")
        finally:
            lasted = load.end()
        failed = load.failed() + load.not_taken()
        need(not failed, f"{len(failed)} requests failed, the first one: {failed[:1]}")
        demo.measured("requests meanwhile", load.answered(), "requests", f"{len(streams)} clients, {lasted:.1f} s; none failed")
        demo.measured("requests that failed meanwhile", len(failed), "requests", "each answer was looked at: status, length of the vector")
        demo.say(f"  versions: {self.version[:12]} -> {new[:12]} -> {self.version[:12]}")

    def other_version(self, load):
        last = {stream.versions[-1] for stream in load.streams if stream.versions}
        return next(iter(last)) if len(last) == 1 and last != {self.version} else None

    def outage(self):
        """The model of one region breaks: its files on the disk and in the bucket are damaged, and the server starts again."""
        demo, region = self.demo, self.regions["eu-central-1"]
        demo.title("5. The model of eu-central-1 breaks: the region leaves service, the other one answers; mended, it comes back by itself")
        storage = client(demo, "s3", "eu-central-1")
        graph = next(each["Key"] for each in storage.list_objects_v2(Bucket=region.bucket)["Contents"] if each["Key"].endswith(".onnx"))
        size = storage.head_object(Bucket=region.bucket, Key=graph)["ContentLength"]
        need(region.end() == 0, "the server of eu-central-1 did not end well")
        damaged = storage.put_object(Bucket=region.bucket, Key=graph, Body=bytes(size))["VersionId"]
        shutil.rmtree(region.store)
        self.regions["eu-central-1"] = region = Region(demo, "eu-central-1", region.bucket)
        self.register("eu-central-1")
        self.harness.look()
        until(60, lambda: "but the manifest has" in str(self.health(region)), "the server says why it has no model")
        until(60, lambda: self.harness.healthy() == {"us-east-1"}, "eu-central-1 is out of service")
        need(self.health(region)["status"] == "unhealthy", "/health does not say that the model is broken")
        demo.say(f"  eu-central-1: /ready 503; /health: {self.health(region)['checks']['model_cache']['detail'][:96]}...")
        answer = self.view("EU")("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        self.expect(answer, 200, "Miss", "load balancer us-east-1", "POST from EU, by CloudFront")
        need(answer[2]["embeddings"][0] == self.vector, "the other region gives another vector")
        straight = self.view("EU", API)("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        need(straight[0] == 200 and "load balancer us-east-1" in straight[1]["x-harness-way"], f"{API} from EU: {straight[0]} {straight[1]}")
        said = demo.document("route", "explain", options=["--name", "api", "--from", "EU", "--down", "eu-central-1"])
        need(said["answers"][0]["answers"] == ["load balancer us-east-1"], f"route explain says {said['answers']}")
        demo.edge("route", "explain", options=("--name", "api", "--from", "EU", "--down", "eu-central-1"))
        demo.say("  the harness went the way that route explain says")
        # The version before it, which replication brought, is the current one again.
        storage.delete_object(Bucket=region.bucket, Key=graph, VersionId=damaged)
        begun = time.monotonic()
        until(300, lambda: self.harness.healthy() == set(REGIONS), "eu-central-1 is back in service")
        demo.measured("region back in service", time.monotonic() - begun, "s", "from taking the damaged version out of its bucket until it is in service, by itself")
        answer = self.view("EU")("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        self.expect(answer, 200, "Miss", "load balancer eu-central-1", "POST from EU")

    @staticmethod
    def health(region):
        return ask(region.address, "GET", "/health")[2]

    def cutover(self):
        demo = self.demo
        demo.title("6. Cutover: the API name leads to CloudFront; and back")
        viewer = self.view("EU", API)
        need("cloudfront" not in str(viewer("GET", "/ready")[1]), f"{API} leads to CloudFront already")
        _, seconds = demo.edge("route", "cutover", options=("--yes",))
        demo.measured("cutover", seconds, "s", "wall time of route cutover --yes")
        prove(demo, "proof-after-cutover", "--leads-to-distribution", API)
        self.harness.look()
        answer = viewer("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        self.expect(answer, 200, "Miss", f"distribution {self.host}", f"POST to https://{API}")
        _, seconds = demo.edge("rollback", options=("--yes",))
        demo.measured("rollback of the cutover", seconds, "s", "wall time of rollback --yes")
        demo.edge("status", options=("--drift",), quiet=True)
        self.harness.look()
        answer = viewer("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        need(answer[0] == 200 and "cloudfront" not in str(answer[1]), f"{API} still leads to CloudFront: {answer[1]}")
        demo.say(f"  {API} leads to the load balancers again: {answer[1]['x-harness-way']}")

    def end(self):
        """Ends what it started; servers finish what they have."""
        codes = [part.end() for part in [self.harness, *self.regions.values()] if part]
        return codes[1:] if self.harness else codes
