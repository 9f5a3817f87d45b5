"""Programs of a run, and what viewers send: started, asked, and ended by their process ids."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

from demo import Wrong, need, until

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Part:
    """A program that runs beside the demo, with its log in a file."""

    def __init__(self, name, command, environment, log):
        self.name, self.log = name, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def port(self, seconds=60):
        """The port that it says it listens on."""
        def found():
            at = re.search(r"listening on http://[^:\s]*:(\d+)", self.said())
            need(at or self.process.poll() is None, f"{self.name} ended at once: {self.said()[-800:]}")
            return at
        return int(until(seconds, found, f"{self.name} listens").group(1))

    def end(self, seconds=40):
        """Asks it to end; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Wrong(f"{self.name} did not end within {seconds} s of TERM") from None


class Region(Part):
    """A server of a region: the binary with model sync from the region's bucket."""

    def __init__(self, demo, name, bucket):
        self.region, self.store = name, demo.path(f"store-{name}")
        os.makedirs(self.store, exist_ok=True)
        command = [demo.binary, "serve", "--http", "127.0.0.1:0", "--grpc", "off", "--log-format", "text", "--onnxruntime", demo.onnxruntime,
                   "--models", self.store, "--sync", f"s3://{bucket}/models", "--sync-interval", "1s", "--health-interval", "1s",
                   "--region", name]
        super().__init__(f"the server of {name}", command, {**demo.environment, "AWS_REGION": name}, demo.path(f"serve-{name}.log"))
        self.bucket, self.address = bucket, ("127.0.0.1", self.port())

    def ready(self):
        return ask(self.address, "GET", "/ready")[0] == 200


class Harness(Part):
    """The viewers' side of CloudFront, Route 53 and the load balancers."""

    def __init__(self, demo):
        command = [sys.executable, os.path.join(HERE, "harness"), "--endpoint", demo.endpoint, "--account", demo.account]
        super().__init__("the harness", command, demo.environment, demo.path("harness.log"))
        self.address = ("127.0.0.1", self.port())

    def view(self, host, method, path, body=None, place="EU", headers=None):
        """What a viewer of that continent gets."""
        return ask(self.address, method, path, body, {"host": host, "x-viewer-from": place, **(headers or {})})

    def state(self):
        return ask(self.address, "GET", "/_harness/state")[2]

    def look(self):
        need(ask(self.address, "POST", "/_harness/look")[2]["looked"], "the harness cannot read the account")

    def healthy(self):
        """Regions with a target that is in service and a health check that is well."""
        state = self.state()
        checks = {check["host"].removeprefix("origin-").split(".")[0] for check in state["health_checks"] if check["healthy"]}
        return {region for region, targets in state["targets"].items() if any(each["healthy"] for each in targets)} & checks


class Relay:
    """A port on an address of this machine, for devices that reach nothing else: it leads to a port of loopback."""

    def __init__(self, address, port):
        self.port = port
        self.listener = socket.create_server((address, port), reuse_port=False)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    @staticmethod
    def carry(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for each, how in ((one, socket.SHUT_RD), (other, socket.SHUT_WR)):
            try:
                each.shutdown(how)
            except OSError:
                pass

    def end(self):
        self.listener.close()


class NotTaken(OSError):
    """Nobody took the connection: nothing was sent."""


def ask(address, method, path, body=None, headers=None, seconds=60):
    """One request on a connection of its own: (status, headers in lower case, document or bytes, milliseconds)."""
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    sent = {"connection": "close", **({"content-type": "application/json"} if body is not None else {}), **(headers or {})}
    data = json.dumps(body).encode() if body is not None else None
    begun = time.perf_counter()
    try:
        connection.connect()
    except OSError as error:
        raise NotTaken(f"{type(error).__name__}: {error}") from None
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    took = (time.perf_counter() - begun) * 1000
    found = {name.lower(): value for name, value in answer.getheaders()}
    is_json = found.get("content-type", "").startswith("application/json") and raw
    return answer.status, found, json.loads(raw) if is_json else raw, took
