#!/usr/bin/env python3
"""An AWS with permission checks: stands before the local AWS, and lets through what the policy of the account allows.

    localstack/.venv/bin/python tests/permissions/proxy.py --upstream http://127.0.0.1:4566

It prints its own address. Which call a request is, is read by AWS's API models; what it needs, by `checks.py`; whether the policy
allows it, by the evaluator behind `judge.mjs`. A refused call is answered as the service answers it, and does not go on.

    PUT /_permissions/ACCOUNT    {"policy": {...}}: from now on the account's calls are held to it; null: everything is allowed
    GET /_permissions/ACCOUNT    what was asked: [{"operation", "checks": [{"action", "resource", "context", "result"}]}]
    DELETE /_permissions/ACCOUNT forgets what was asked
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import calls
import checks

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL = "/_permissions/"
# Headers that belong to one connection.
OWN = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Judge:
    """The evaluator, one question at a time."""

    def __init__(self):
        self.program = subprocess.Popen(["node", os.path.join(HERE, "judge.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd=HERE)
        self.lock = threading.Lock()

    def ask(self, policy, questions, boundary=None):
        """The answer to each question."""
        with self.lock:
            self.program.stdin.write(json.dumps({"policy": policy, "boundary": boundary, "checks": questions}) + "\n")
            self.program.stdin.flush()
            said = json.loads(self.program.stdout.readline())
        if "failed" in said:
            raise RuntimeError(said["failed"])
        bad = [(question, one) for question, one in zip(questions, said["answers"]) if "error" in one]
        if bad:
            raise RuntimeError(f"the evaluator does not take {bad[0][0]}: {bad[0][1]['error']}")
        return said["answers"]

    def end(self):
        """Ends the evaluator."""
        self.program.stdin.close()
        self.program.wait()


def question(call, check):
    """A check as the evaluator takes it, with the keys that are in each request."""
    context = {
        "aws:PrincipalIsAWSService": "false", "aws:ViaAWSService": "false", "aws:SecureTransport": "true",
        "aws:RequestedRegion": call.region, "aws:ResourceAccount": call.account, "aws:PrincipalAccount": call.account,
        **check.context,
    }
    return {"action": check.action, "resource": check.resource, "context": context, "account": call.account,
            "principal": f"arn:aws:iam::{call.account}:user/deployer"}


class Lab:
    """Policies, records, and the way to the local AWS."""

    def __init__(self, upstream):
        self.upstream = urlsplit(upstream)
        self.url = upstream
        self.judge = Judge()
        self.policies = {}
        self.records = {}
        self.session = boto3.Session()
        self.making = threading.Lock()
        self.clients = {}
        # What is answered in the place of the local AWS, by account and operation (`eks:DescribeCluster`).
        self.answers = {}

    def client(self, account, service, region):
        """A client of the account's root, which no policy holds."""
        key = (account, service, region)
        # Clients may be shared by threads; making one may not.
        with self.making:
            if key not in self.clients:
                config = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
                self.clients[key] = self.session.client(service, region_name=region, endpoint_url=self.url, aws_access_key_id=account,
                                                        aws_secret_access_key="test", config=config)
            return self.clients[key]

    def judged(self, call):
        """The checks of a call with what the policy says to each."""
        world = checks.World(lambda service, region: self.client(call.account, service, region))
        asked = [question(call, check) for check in checks.of(call, world)]
        policy = self.policies.get(call.account)
        if policy is None:
            return [{**one, "result": "NotAsked"} for one in asked]
        return [{**one, **said} for one, said in zip(asked, self.judge.ask(policy, asked))]


def refusal(call, check):
    """Status, headers and body of a refusal, as the service writes it."""
    denied = check["result"] == "ExplicitlyDenied"
    why = ("with an explicit deny in an identity-based policy" if denied
           else f"because no identity-based policy allows the {check['action']} action")
    said = f"User: {check['principal']} is not authorized to perform: {check['action']} on resource: {check['resource']} {why}"
    if call.service == "s3":
        return 403, {"Content-Type": "application/xml"}, f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>"
    if call.service in ("lambda", "eks"):
        return 403, {"Content-Type": "application/json", "x-amzn-ErrorType": "AccessDeniedException"}, json.dumps({"Message": said})
    if call.service in ("acm", "wafv2"):
        return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"__type": "AccessDeniedException", "message": said})
    return 403, {"Content-Type": "text/xml"}, ("<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
                                               f"<Message>{said}</Message></Error><RequestId>0</RequestId></ErrorResponse>")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    lab = None

    def log_message(self, *_):
        """Says nothing."""

    def answer(self, status, headers, body):
        """Sends an answer; a HEAD request gets no body."""
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        """The body, in one piece."""
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            pieces = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return pieces
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def handle_any(self):
        """Control, refusal, or on to the local AWS."""
        body = self.body()
        if self.path.startswith(CONTROL):
            return self.control(self.path.removeprefix(CONTROL), body)
        lowered = {name.lower(): value for name, value in self.headers.items()}
        try:
            call = calls.read(self.command, self.path, lowered, body)
            judged = self.lab.judged(call)
        except Exception as bad:  # noqa: BLE001 - what the lab cannot judge must fail the test, not pass by
            print(f"permissions: {type(bad).__name__}: {bad}", file=sys.stderr, flush=True)
            return self.answer(400, [], f"permissions: {bad}")
        self.lab.records.setdefault(call.account, []).append({"operation": f"{call.service}:{call.operation}", "checks": judged})
        refused = next((one for one in judged if one["result"] not in ("Allowed", "NotAsked")), None)
        if refused:
            status, headers, text = refusal(call, refused)
            return self.answer(status, list(headers.items()), text)
        instead = self.lab.answers.get((call.account, f"{call.service}:{call.operation}"))
        if instead is not None:
            return self.answer(200, [("Content-Type", "application/json")], json.dumps(instead))
        return self.forward(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

    def forward(self, body):
        """The local AWS's own answer."""
        upstream = http.client.HTTPConnection(self.lab.upstream.hostname, self.lab.upstream.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        upstream.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        answer = upstream.getresponse()
        text = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in OWN]
        if self.command == "HEAD" and answer.getheader("Content-Length"):
            kept.append(("Content-Length", answer.getheader("Content-Length")))
        elif answer.status in (204, 304):
            kept.append(("Content-Length", "0"))
        self.answer(answer.status, kept, text)
        upstream.close()

    def control(self, account, body):
        """The test's own words to the proxy."""
        if self.command == "PUT":
            self.lab.policies[account] = json.loads(body)["policy"]
        elif self.command == "DELETE":
            self.lab.records.pop(account, None)
        self.answer(200, [("Content-Type", "application/json")], json.dumps(self.lab.records.get(account, [])))


def serve(upstream, port=0):
    """A server in a thread of its own, and its lab."""
    lab = Lab(upstream)
    handler = type("Bound", (Handler,), {"lab": lab})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, lab


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server, _ = serve(options.upstream, options.port)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    # It ends with whoever started it.
    sys.stdin.read()


if __name__ == "__main__":
    main()
