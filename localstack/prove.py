"""Prove a deployed stack on the emulator with real requests: what the inventory says is there has to answer.

    localstack/.venv/bin/python localstack/prove.py --inventory state.json [--json results.json]

One line for each check: PASS, FAIL or SKIP with the reason, and what was measured.
Exit status: 0 nothing failed, 1 something failed, 2 nothing could be proved (or bad input).
"""

import argparse
import base64
import fnmatch
import hashlib
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SCHEMA = "akidb-edge/state/v1"
DEFAULT_ACCOUNT = "000000000000"
WARM_REQUESTS = 5
REPLICATION_SECONDS = 10
EDGE_BODY_LIMIT = 1024 * 1024  # what Lambda@Edge hands an origin-request function at most
EMBED = "/api/v1/embed"
ANSWERS_WITHOUT_PROOF = (ClientError, BotoCoreError, OSError, http.client.HTTPException)


class Skip(Exception):
    """Not checked, and why."""


class Wrong(Exception):
    """Checked, and not as it should be."""


def need(condition, text):
    if not condition:
        raise Wrong(text)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def milliseconds(started):
    return round((time.perf_counter() - started) * 1000, 1)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Stack:
    def __init__(self, inventory, endpoint, account, embed_body, cut_over):
        self.resources = inventory["resources"]
        self.endpoint = endpoint
        self.account = account
        self.embed_body = embed_body
        self.cut_over = cut_over
        self.session = boto3.session.Session(aws_access_key_id=account, aws_secret_access_key="test")
        self.clients = {}
        # Loopback only: a proxy of the caller's shell has no part in it.
        self.http = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)

    def client(self, service, region="us-east-1"):
        if (service, region) not in self.clients:
            config = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1}, proxies={})
            self.clients[service, region] = self.session.client(service, region_name=region, endpoint_url=self.endpoint,
                                                                config=config)
        return self.clients[service, region]

    def of(self, kind, *attributes):
        """The inventory's resources of a kind; a missing kind is a SKIP, a missing attribute is wrong input."""
        found = [resource for resource in self.resources if resource.get("kind") == kind]
        if not found:
            raise Skip(f"the inventory has no resource of kind {kind}")
        for resource in found:
            for attribute in attributes:
                need(resource.get("attributes", {}).get(attribute) not in (None, ""),
                     f"{resource.get('address')} ({kind}) has no attribute {attribute}")
        return found

    def objects(self):
        return [(each["attributes"]["bucket"], each["attributes"]["key"]) for each in self.of("object", "bucket", "key")]

    def deployed_sha256(self, bucket, key):
        """What the tool says it stored; None when it does not say."""
        found = [each["attributes"].get("sha256") for each in self.of("object") if
                 (each["attributes"]["bucket"], each["attributes"]["key"]) == (bucket, key)]
        return found[0] if found else None

    def s3_of(self, bucket):
        """An S3 client of the bucket's own region."""
        region = self.client("s3").get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
        return self.client("s3", region)

    def get(self, path, host=None, account=None):
        """(status, headers, body, ms) of one GET; no redirect is followed."""
        headers = {}
        if host:
            # The viewer speaks HTTPS to CloudFront; the emulator's port is HTTP and reads this header instead.
            headers.update({"Host": host, "X-Forwarded-Proto": "https"})
        if account and account != DEFAULT_ACCOUNT:
            # MiniStack finds a distribution only in the account that the request names.
            headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/s3/aws4_request, "
                                        "SignedHeaders=host, Signature=0")
        request = urllib.request.Request(self.endpoint + urllib.parse.quote(path), headers=headers)
        started = time.perf_counter()
        try:
            with self.http.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read(), milliseconds(started)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read(), milliseconds(started)


# --- 1. CloudFront -------------------------------------------------------------------------------------------------


def routed(config, path):
    """(behavior, its target's id) for a path, as CloudFront picks it: the first pattern that matches, else the default."""
    for behavior in config.get("CacheBehaviors", {}).get("Items", []):
        pattern = behavior["PathPattern"]
        pattern = pattern if pattern.startswith("/") else "/" + pattern
        if fnmatch.fnmatchcase(path, pattern.replace("[", "[[]")):
            return pattern, behavior["TargetOriginId"]
    return "default", config["DefaultCacheBehavior"]["TargetOriginId"]


def through_cloudfront(stack, distribution):
    """The smallest object that the distribution serves from its S3 origin: (bucket, key, path, pattern)."""
    config = stack.client("cloudfront").get_distribution_config(Id=distribution["attributes"]["id"])["DistributionConfig"]
    objects = stack.objects()
    origins = {origin["Id"]: origin for origin in config["Origins"].get("Items", [])}
    groups = {group["Id"] for group in config.get("OriginGroups", {}).get("Items", [])}
    candidates, why = [], []
    for bucket, key in objects:
        mine = [origin for origin in origins.values() if origin["DomainName"].startswith(f"{bucket}.s3.")]
        if not mine:
            why.append(f"{bucket} is not an origin")
        for origin in mine:
            prefix = origin.get("OriginPath", "")
            if not f"/{key}".startswith(f"{prefix}/"):
                why.append(f"/{key} lies outside origin path {prefix}")
                continue
            path = f"/{key}"[len(prefix):]
            pattern, target = routed(config, path)
            if target == origin["Id"]:
                size = stack.s3_of(bucket).head_object(Bucket=bucket, Key=key)["ContentLength"]
                candidates.append((size, bucket, key, path, pattern))
            elif target in groups:
                why.append(f"{path} goes to origin group {target}, which MiniStack answers 502")
            else:
                why.append(f"{path} goes to {target} by behavior {pattern}")
    if not candidates:
        if any("origin group" in each for each in why):
            raise Skip("no object can be had through the emulator's CloudFront: " + "; ".join(sorted(set(why))))
        raise Wrong("the distribution routes no object of the inventory to its bucket: " + "; ".join(sorted(set(why))))
    return min(candidates)[1:]


def cdn_object(stack, distribution):
    bucket, key, path, pattern = through_cloudfront(stack, distribution)
    host = distribution["attributes"]["domain_name"]
    stored = stack.s3_of(bucket).get_object(Bucket=bucket, Key=key)["Body"].read()
    status, headers, body, first = stack.get(path, host, stack.account)
    numbers = {"status": status, "bytes": len(body), "ms": first, "path": path, "behavior": pattern}
    need(status == 200, f"GET https://{host}{path} answered {status}: {body[:160]!r}")
    need(headers.get("Via") and headers.get("X-Amz-Cf-Id"), "the answer has no Via or X-Amz-Cf-Id: it did not come through CloudFront")
    deployed = stack.deployed_sha256(bucket, key)
    need(deployed in (None, sha256(body)), f"sha256 is {sha256(body)}, deployed was {deployed}")
    need(sha256(body) == sha256(stored), f"sha256 differs: {len(body)} bytes from CloudFront, {len(stored)} from s3://{bucket}/{key}")
    warm = sorted(stack.get(path, host, stack.account)[3] for _ in range(WARM_REQUESTS))
    numbers.update(warm_ms=warm[len(warm) // 2], sha256=sha256(body), x_cache=headers.get("X-Cache"))
    return numbers


def cdn_stranger(stack, distribution):
    """A second distribution with the same origins and OAC is not the one that the bucket policy names: 403."""
    bucket, _, path, _ = through_cloudfront(stack, distribution)
    cloudfront = stack.client("cloudfront")
    config = cloudfront.get_distribution_config(Id=distribution["attributes"]["id"])["DistributionConfig"]
    config.update(CallerReference=f"prove-{uuid.uuid4()}", Comment="prove.py: removed again at once")
    config.pop("Aliases", None)
    stranger = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
    try:
        status, _, body, ms = stack.get(path, stranger["DomainName"], stack.account)
    finally:
        tag = cloudfront.get_distribution_config(Id=stranger["Id"])
        tag["DistributionConfig"]["Enabled"] = False
        etag = cloudfront.update_distribution(Id=stranger["Id"], IfMatch=tag["ETag"],
                                              DistributionConfig=tag["DistributionConfig"])["ETag"]
        cloudfront.delete_distribution(Id=stranger["Id"], IfMatch=etag)
    need(status == 403, f"a distribution that the policy of {bucket} does not name got {status} with {len(body)} bytes, not 403")
    return {"status": status, "bytes": len(body), "ms": ms}


def cdn_direct(stack, distribution):
    bucket, key, _, _ = through_cloudfront(stack, distribution)
    status, _, body, ms = stack.get(f"/{bucket}/{key}")
    if status == 200 and stack.account == DEFAULT_ACCOUNT:
        raise Skip(f"MiniStack takes an unsigned request for the owner of account {DEFAULT_ACCOUNT}, so it answers 200; "
                   "in any other --account it refuses it")
    need(status == 403, f"an unsigned GET of s3://{bucket}/{key} got {status}, not 403")
    return {"status": status, "bytes": len(body), "ms": ms}


# --- 2. the Lambda@Edge function -----------------------------------------------------------------------------------


def edge_event(stack, method, path, body=None, truncated=False):
    """A CloudFront origin-request event."""
    distributions = [each for each in stack.resources if each.get("kind") == "distribution"]
    of = distributions[0]["attributes"] if distributions else {}
    host = of.get("domain_name", "d0000000000000.cloudfront.net")
    request = {
        "clientIp": "203.0.113.7",
        "headers": {
            "host": [{"key": "Host", "value": host}],
            "content-type": [{"key": "Content-Type", "value": "application/json"}],
            "cloudfront-viewer-country": [{"key": "CloudFront-Viewer-Country", "value": "DE"}],
            "x-forwarded-for": [{"key": "X-Forwarded-For", "value": "203.0.113.7"}],
        },
        "method": method,
        "origin": {"custom": {"customHeaders": {}, "domainName": "origin.invalid", "keepaliveTimeout": 5, "path": "",
                              "port": 443, "protocol": "https", "readTimeout": 30, "sslProtocols": ["TLSv1.2"]}},
        "querystring": "",
        "uri": path,
    }
    if body is not None:
        request["headers"]["content-length"] = [{"key": "Content-Length", "value": str(len(body))}]
        request["body"] = {"action": "read-only", "data": base64.b64encode(body).decode(), "encoding": "base64",
                           "inputTruncated": truncated}
    return {"Records": [{"cf": {
        "config": {"distributionDomainName": host, "distributionId": of.get("id", "E0000000000000"),
                   "eventType": "origin-request", "requestId": "prove"},
        "request": request,
    }}]}


def invoke(stack, function, event):
    arn = function["attributes"]["arn"]
    version = str(function["attributes"]["version"])
    name = arn.removesuffix(f":{version}")
    started = time.perf_counter()
    answer = stack.client("lambda", arn.split(":")[3]).invoke(FunctionName=name, Qualifier=version, Payload=json.dumps(event))
    payload = answer["Payload"].read()
    ms = milliseconds(started)
    need(not answer.get("FunctionError"), f"{name}:{version} failed ({answer.get('FunctionError')}): {payload[:300].decode(errors='replace')}")
    need(answer.get("ExecutedVersion", version) == version, f"version {answer.get('ExecutedVersion')} ran, not {version}")
    try:
        result = json.loads(payload)
    except ValueError:
        raise Wrong(f"{name}:{version} answered no JSON: {payload[:160]!r}") from None
    need(isinstance(result, dict), f"{name}:{version} answered {type(result).__name__}, neither a request nor a response: {payload[:160]!r}")
    return result, len(payload), ms


def status_of(result):
    """The status of a response that the function made itself; None when it gave the request back."""
    if "method" in result or "uri" in result:
        return None
    need(str(result.get("status", "")).isdigit(), f"neither a request nor a response: {json.dumps(result)[:200]}")
    need(isinstance(result["status"], str), f"status must be a string for Lambda@Edge, it is {result['status']!r}")
    return int(result["status"])


def edge_health(stack, function):
    result, size, first = invoke(stack, function, edge_event(stack, "GET", "/edge/health"))
    status = status_of(result)
    need(status == 200, f"GET /edge/health: {'passed on to the origin' if status is None else status}, not 200 made at the edge")
    warm = sorted(invoke(stack, function, edge_event(stack, "GET", "/edge/health"))[2] for _ in range(WARM_REQUESTS))
    return {"status": status, "bytes": size, "ms": first, "warm_ms": warm[len(warm) // 2]}


def edge_pass(stack, function):
    event = edge_event(stack, "POST", EMBED, stack.embed_body)
    result, size, ms = invoke(stack, function, event)
    status = status_of(result)
    need(status is None, f"POST {EMBED} with a valid body of {len(stack.embed_body)} bytes was answered {status} at the edge: "
                         f"{str(result.get('body'))[:160]}")
    need((result.get("method"), result.get("uri")) == ("POST", EMBED),
         f"the request came back as {result.get('method')} {result.get('uri')}")
    sent = event["Records"][0]["cf"]["request"]["body"]
    back = result.get("body", sent)
    need(back.get("action") == "replace" or back.get("data") == sent["data"], "the request's body came back changed without action replace")
    return {"status": "passed on", "bytes": size, "ms": ms}


def edge_refuses(stack, function, body, truncated):
    result, size, ms = invoke(stack, function, edge_event(stack, "POST", EMBED, body, truncated))
    status = status_of(result)
    need(status in (400, 413), f"{'passed on to the origin' if status is None else status}, neither 400 nor 413")
    return {"status": status, "bytes": size, "ms": ms}


def edge_malformed(stack, function):
    return edge_refuses(stack, function, b'{"texts": ["no end', False)


def edge_oversized(stack, function):
    text = b'{"texts":["' + b"x" * EDGE_BODY_LIMIT
    return edge_refuses(stack, function, text[:EDGE_BODY_LIMIT], True)


# --- 3. replication ------------------------------------------------------------------------------------------------


def replicated(stack, replication):
    source, destinations = (replication["attributes"][name] for name in ("source", "destinations"))
    keys = [key for bucket, key in stack.objects() if bucket == source]
    if not keys:
        raise Skip(f"no object of the inventory lies in {source}")
    here = stack.s3_of(source)
    total, started, wait = 0, time.perf_counter(), time.monotonic() + REPLICATION_SECONDS
    for key in keys:
        while True:
            origin = here.head_object(Bucket=source, Key=key).get("ReplicationStatus")
            if origin == "COMPLETED" or origin in (None, "FAILED") or time.monotonic() >= wait:
                break
            time.sleep(0.1)
        need(origin == "COMPLETED", f"s3://{source}/{key} has replication status {origin}, not COMPLETED"
             + (" (it was stored before the replication rule)" if origin is None else ""))
        expected = sha256(here.get_object(Bucket=source, Key=key)["Body"].read())
        for destination in destinations:
            try:
                copy = stack.s3_of(destination).get_object(Bucket=destination, Key=key)
            except ClientError as error:
                raise Wrong(f"s3://{destination}/{key}: {error.response['Error']['Code']}") from None
            need(copy.get("ReplicationStatus") == "REPLICA",
                 f"s3://{destination}/{key} has status {copy.get('ReplicationStatus')}, not REPLICA")
            body = copy["Body"].read()
            need(sha256(body) == expected, f"sha256 of {key} differs between {source} and {destination}")
            total += len(body)
    return {"status": "COMPLETED/REPLICA", "objects": len(keys), "bytes": total, "ms": milliseconds(started),
            "from": source, "to": ", ".join(destinations)}


# --- 4. Route 53 ---------------------------------------------------------------------------------------------------


def record_sets(stack, zone):
    pages = stack.client("route53").get_paginator("list_resource_record_sets")
    return [each for page in pages.paginate(HostedZoneId=zone["attributes"]["zone_id"].rpartition("/")[2])
            for each in page["ResourceRecordSets"]]


def dns_records(stack, zone):
    started = time.perf_counter()
    sets = record_sets(stack, zone)
    ms = milliseconds(started)
    own = [each for each in sets if each["Type"] not in ("NS", "SOA")]
    if not own:
        raise Skip(f"the zone has only its {len(sets)} NS and SOA sets")
    geo = [each for each in own if "GeoLocation" in each]
    for name, kind in {(each["Name"], each["Type"]) for each in geo}:
        need(any(each["GeoLocation"].get("CountryCode") == "*" for each in geo if (each["Name"], each["Type"]) == (name, kind)),
             f"{name} {kind} has geolocation sets but no default (CountryCode *): other places get no answer")
    return {"sets": len(sets), "geolocation": len(geo), "latency": sum("Region" in each for each in own),
            "alias": sum("AliasTarget" in each for each in own), "health_checked": sum("HealthCheckId" in each for each in own), "ms": ms}


def dns_targets(stack, zone):
    """MiniStack takes an alias to a load balancer or distribution that does not exist, as Route 53 does."""
    started = time.perf_counter()
    targets = {each["AliasTarget"]["DNSName"].rstrip(".").lower().removeprefix("dualstack.")
               for each in record_sets(stack, zone) if "AliasTarget" in each}
    if not targets:
        raise Skip("the zone has no alias")
    known, checked = set(), set()
    for target in targets:
        if target.endswith(".cloudfront.net"):
            checked.add(target)
        elif target.endswith(".elb.amazonaws.com"):
            checked.add(target)
            region = target.split(".")[-4]
            known |= {lb["DNSName"].lower() for page in stack.client("elbv2", region).get_paginator("describe_load_balancers").paginate()
                      for lb in page["LoadBalancers"]}
    if any(target.endswith(".cloudfront.net") for target in checked):
        known |= {each["DomainName"].lower() for page in stack.client("cloudfront").get_paginator("list_distributions").paginate()
                  for each in page["DistributionList"].get("Items", [])}
    if not checked:
        raise Skip(f"no alias to a load balancer or a distribution among {', '.join(sorted(targets))}")
    need(checked <= known, f"aliases to what does not exist: {', '.join(sorted(checked - known))}")
    return {"targets": len(checked), "other_targets": len(targets - checked), "ms": milliseconds(started)}


def dns_cutover(stack, zone):
    """A name that was cut over has an alias A and an alias AAAA to a distribution of the stack, and no other set."""
    name = stack.cut_over
    hosts = {each["attributes"]["domain_name"].lower() for each in stack.of("distribution", "domain_name")}
    started = time.perf_counter()
    sets = [each for each in record_sets(stack, zone) if each["Name"].rstrip(".") == name.rstrip(".")
            and each["Type"] in ("A", "AAAA", "CNAME")]
    ms = milliseconds(started)
    leads = {each["Type"]: each.get("AliasTarget", {}).get("DNSName", "no alias").rstrip(".").lower() for each in sets}
    need(len(sets) == 2 and set(leads) == {"A", "AAAA"}, f"{name} has {len(sets)} sets ({', '.join(sorted(leads)) or 'none'}), not one A and one AAAA")
    need(set(leads.values()) <= hosts, f"{name} leads to {', '.join(sorted(set(leads.values())))}")
    return {"name": name, "leads_to": leads["A"], "ms": ms}


# --- all of it -----------------------------------------------------------------------------------------------------

# (name, kind of resource, attributes that it needs, check)
CHECKS = [
    ("cdn: object through CloudFront equals S3", "distribution", ("id", "domain_name"), cdn_object),
    ("cdn: bucket refuses another distribution", "distribution", ("id", "domain_name"), cdn_stranger),
    ("cdn: bucket refuses an unsigned request", "distribution", ("id", "domain_name"), cdn_direct),
    ("edge: health answered at the edge", "function-version", ("arn", "version"), edge_health),
    ("edge: valid embed request passed on", "function-version", ("arn", "version"), edge_pass),
    ("edge: malformed body refused", "function-version", ("arn", "version"), edge_malformed),
    ("edge: oversized body refused", "function-version", ("arn", "version"), edge_oversized),
    ("replication: copies complete and equal", "replication", ("source", "destinations"), replicated),
    ("dns: record sets", "zone", ("zone_id",), dns_records),
    ("dns: alias targets exist", "zone", ("zone_id",), dns_targets),
    ("dns: the name points at the distribution", "zone", ("zone_id",), dns_cutover),
]


def numbers_text(numbers):
    units = {"ms": "{} ms", "warm_ms": "warm {} ms", "bytes": "{} bytes"}
    short = {key: value for key, value in numbers.items() if value is not None and key != "sha256"}
    text = [units.get(key, key + " {}").format(value) for key, value in short.items()]
    if "sha256" in numbers:
        text.append("sha256 " + numbers["sha256"][:16])
    return ", ".join(text)


def run(stack):
    results = []

    def report(name, address, outcome, detail, numbers=None):
        results.append({"check": name, "resource": address, "outcome": outcome, "detail": detail, "measured": numbers or {}})
        print(f"{outcome}  {name}" + (f" [{address}]" if address else "") + (f": {detail}" if detail else ""), flush=True)

    for name, kind, attributes, check in CHECKS:
        if check is dns_cutover and not stack.cut_over:
            continue
        try:
            resources = stack.of(kind, *attributes)
        except Skip as skip:
            report(name, None, "SKIP", str(skip))
            continue
        except Wrong as wrong:
            report(name, None, "FAIL", str(wrong))
            continue
        for resource in resources:
            try:
                numbers = check(stack, resource)
                report(name, resource["address"], "PASS", numbers_text(numbers), numbers)
            except Skip as skip:
                report(name, resource["address"], "SKIP", str(skip))
            except Wrong as wrong:
                report(name, resource["address"], "FAIL", str(wrong))
            except ANSWERS_WITHOUT_PROOF as error:
                report(name, resource["address"], "FAIL", f"{type(error).__name__}: {error}")
    return results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inventory", required=True, help="what `akidb-edge state show --json` printed; - is standard input")
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"), help="the emulator (AWS_ENDPOINT_URL)")
    parser.add_argument("--account", default=os.environ.get("AWS_ACCESS_KEY_ID", DEFAULT_ACCOUNT), help="12-digit account (AWS_ACCESS_KEY_ID)")
    parser.add_argument("--embed-body", default='{"texts":["edge probe"]}', help="a valid body for POST " + EMBED)
    parser.add_argument("--leads-to-distribution", metavar="NAME", help="also check that this name was cut over")
    parser.add_argument("--json", metavar="FILE", help="also write the results there")
    options = parser.parse_args()
    if not options.endpoint:
        parser.error('no --endpoint and no AWS_ENDPOINT_URL; run: eval "$(localstack/up)"')
    if urllib.parse.urlsplit(options.endpoint).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error(f"{options.endpoint} is not on this machine; this proof is for the emulator only")
    if not (options.account.isdigit() and len(options.account) == 12):
        options.account = DEFAULT_ACCOUNT  # MiniStack does the same
    try:
        with (sys.stdin if options.inventory == "-" else open(options.inventory, encoding="utf-8")) as file:
            inventory = json.load(file)
    except (OSError, ValueError) as error:
        parser.error(f"cannot read the inventory: {error}")
    if not isinstance(inventory, dict) or inventory.get("schema") != SCHEMA or not isinstance(inventory.get("resources"), list):
        parser.error(f"the inventory is no {SCHEMA}")
    return options, inventory


def main():
    options, inventory = arguments()
    stack = Stack(inventory, options.endpoint.rstrip("/"), options.account, options.embed_body.encode(),
                  options.leads_to_distribution)
    started = time.perf_counter()
    results = run(stack)
    count = {outcome: sum(each["outcome"] == outcome for each in results) for outcome in ("PASS", "FAIL", "SKIP")}
    seconds = round(time.perf_counter() - started, 2)
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['SKIP']} skipped in {seconds} s "
          f"(stack {inventory.get('stack')}, account {options.account})")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"schema": "akidb-edge/proof/v1", "stack": inventory.get("stack"), "account": options.account,
                       "endpoint": options.endpoint, "seconds": seconds, "counts": count, "results": results}, file, indent=2)
            file.write("\n")
    return 1 if count["FAIL"] else 0 if count["PASS"] else 2


if __name__ == "__main__":
    sys.exit(main())
