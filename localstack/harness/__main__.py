"""The side of the viewers: DNS, CloudFront and load balancers between a viewer and the servers, by what is deployed in the local AWS.

    localstack/.venv/bin/python localstack/harness --endpoint http://127.0.0.1:4566 --account 111122223333

Prints `listening on http://127.0.0.1:PORT` once it has read the account. A request names its host in `Host`, its continent in
`X-Viewer-From` (NA) and its protocol in `X-Viewer-Protocol` (https). The answer says its way in `X-Harness-Way`.
`GET /_harness/state` shows counts and health; `POST /_harness/look` returns after a new look at the account.
Test support: nothing of it is in the program.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deployed import Deployed
from health import Health
from messages import HOP, MAX_BODY, Answer, Request
from names import Names
from viewer import Viewers

REGIONS = ["us-east-1", "eu-central-1", "ap-northeast-1"]


class Handler(BaseHTTPRequestHandler):
    """One viewer's connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    timeout = 60
    viewers = deployed = health = None

    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def log_message(self, *_):
        pass

    def send_json(self, document):
        self.give(Answer(200, {"content-type": "application/json"}, json.dumps(document, indent=2).encode()))

    def give(self, answer):
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.way:
            self.send_header("x-harness-way", " > ".join(answer.way))
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(answer.body)
        self.wfile.flush()

    def any(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return self.give(Answer(413, {"content-type": "text/plain"}, b"a body of at most 20 MiB, with its length\n"))
        body = self.rfile.read(int(length))
        path, _, query = self.path.partition("?")
        if path == "/_harness/state":
            return self.send_json({**self.health.state(), "requests": dict(self.viewers.counts), "error": self.deployed.error,
                                   "distributions": [each["domain"] for each in self.deployed.distributions]})
        if path == "/_harness/look":
            return self.send_json({"looked": self.deployed.await_look()})
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in HOP | {"content-length"}}
        place, secure = headers.pop("x-viewer-from", "NA"), headers.pop("x-viewer-protocol", "https") == "https"
        return self.give(self.viewers.answer(Request(self.command, path, query, headers, body, place, secure)))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = any


class Server(ThreadingHTTPServer):
    """As many threads as there are connections; tests have few."""

    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(prog="localstack/harness", description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"))
    parser.add_argument("--account", default=os.environ.get("AWS_ACCESS_KEY_ID", "000000000000"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--look-every", type=float, default=0.5, help="seconds between looks at the account")
    parser.add_argument("--health-every", type=float, default=0.2, help="seconds between health checks, in place of 30")
    options = parser.parse_args()
    if not options.endpoint:
        parser.error("no --endpoint and no AWS_ENDPOINT_URL")
    deployed = Deployed(options.endpoint, options.account, REGIONS, options.look_every)
    deployed.look()
    health = Health(deployed, options.health_every)
    names = Names(deployed, health)
    deployed.start()
    health.start(names)
    Handler.viewers, Handler.deployed, Handler.health = Viewers(deployed, names), deployed, health
    server = Server(("127.0.0.1", options.port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
