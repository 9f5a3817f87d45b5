"""Send a text through the local CloudFront to a server of this machine, by POST and by the cacheable GET, and show both.

    through.py target --port PORT     makes the server a target of the load balancer in us-east-1; prints the balancer's DNS name
    through.py ask --inventory FILE   asks the distribution of that inventory (`state show --json`)
"""

import argparse
import http.client
import json
import math
import os
import sys
import time
from urllib.parse import urlencode, urlsplit

import boto3

MODEL, TEXT = "all-MiniLM-L6-v2", "An edge node answers within ten milliseconds."


def target(port):
    """Register 127.0.0.1:port with the target group of the REST load balancer."""
    elb = boto3.client("elbv2", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    balancer = elb.describe_load_balancers(Names=["akidb-rest-us-east-1"])["LoadBalancers"][0]
    group = elb.describe_target_groups(Names=["akidb-rest-us-east-1"])["TargetGroups"][0]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": "127.0.0.1", "Port": port}])
    print(balancer["DNSName"])


def distribution(inventory):
    """Domain name of the only distribution."""
    text = json.dumps(json.load(open(inventory)))
    at = text.index(".cloudfront.net")
    return text[text.rindex('"', 0, at) + 1 : at] + ".cloudfront.net"


def ask(host, method, path, body=None, headers=None):
    """One request to the viewer's side; (status, headers, document, milliseconds)."""
    gateway = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(gateway.hostname, gateway.port, timeout=30)
    # MiniStack finds a distribution only in the account that the request names.
    account = (f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request, "
               "SignedHeaders=host, Signature=0")
    sent = {"Host": host, "X-Forwarded-Proto": "https", "Authorization": account, "Content-Type": "application/json"}
    began = time.perf_counter()
    connection.request(method, path, body, {**sent, **(headers or {})})
    answer = connection.getresponse()
    raw = answer.read()
    took = (time.perf_counter() - began) * 1000
    if answer.status not in (200, 304):
        sys.exit(f"through.py: {method} {path} was answered {answer.status}: {raw[:400].decode(errors='replace')}")
    return answer.status, dict(answer.getheaders()), json.loads(raw) if raw else None, took


def show(title, status, headers, document, took):
    print(f"{title}\n  {status} in {took:.1f} ms")
    names = ("content-type", "etag", "cache-control", "x-request-id", "via", "x-cache")
    for name, value in sorted(headers.items()):
        if name.lower() in names:
            print(f"  {name.lower()}: {value}")
    if document:
        vector = document["embeddings"][0]
        print(f"  {document['model']}, {len(vector)} numbers: [{', '.join(f'{value:.5f}' for value in vector[:4])}, ...]")


def need(condition, what):
    if not condition:
        sys.exit(f"through.py: {what}")


def through(inventory):
    """POST, GET, and GET again with the tag."""
    host = distribution(inventory)
    posted = ask(host, "POST", "/api/v1/embed", json.dumps({"model": MODEL, "inputs": [TEXT]}))
    show(f"POST https://{host}/api/v1/embed", *posted)
    path = "/api/v1/embed?" + urlencode({"model": MODEL, "input": TEXT})
    got = ask(host, "GET", path)
    show(f"GET https://{host}{path}", *got)
    need(posted[0] == got[0] == 200, "an answer is no 200")
    vector = posted[2]["embeddings"][0]
    need(vector == got[2]["embeddings"][0], "GET and POST give different vectors")
    need(len(vector) == 384 and abs(math.hypot(*vector) - 1) < 1e-3, "that is no vector of this model")
    headers = {name.lower(): value for name, value in got[1].items()}
    need("etag" in headers and "max-age" in headers.get("cache-control", ""), "GET cannot be cached")
    again = ask(host, "GET", path, headers={"If-None-Match": headers["etag"]})
    show("GET again, with the tag", *again)
    need(again[0] == 304, f"{again[0]}, not 304")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("target").add_argument("--port", type=int, required=True)
    commands.add_parser("ask").add_argument("--inventory", required=True)
    options = parser.parse_args()
    if options.command == "target":
        target(options.port)
    else:
        through(options.inventory)


if __name__ == "__main__":
    main()
