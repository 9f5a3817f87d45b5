"""Sends requests to one host at a fixed rate and prints the time of each: `akidb-edge validate latency --from ssh:HOST` runs it on a machine.

The same orders and answers as templates/lambda/probe/index.mjs, for GET. Python 3.8 and newer (JetPack 5 has it), no packages; it runs
from memory and writes no file. The order comes on standard input; the answer is one line behind MARK.

Open model: request n is due at start + n / rate, whatever became of those before, and its latency counts from then. Times are
microseconds. Redirects are not followed.
"""

import http.client
import json
import os
import platform
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

MARK = "akidb-edge-probe="
FORMAT = 1
MOST_REQUESTS = 5_000
MOST_BODY_BYTES = 16 * 1_048_576
CHUNK_BYTES = 65_536
NOBODY = 65_534


def now():
    return time.monotonic_ns() // 1_000


def drop_root():
    """Drops privileges: the SSH connection may be root's, which a probe does not need."""
    if os.geteuid() != 0:
        return
    user, group = (int(os.environ.get(name, NOBODY)) or NOBODY for name in ("SUDO_UID", "SUDO_GID"))
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


class Failure(Exception):
    """A request that failed, with its kind."""

    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind


class Link:
    """A connection with the durations of name resolution, TCP and TLS."""

    def __init__(self, url, context, seconds):
        begun = now()
        try:
            places = socket.getaddrinfo(url.hostname, url.port or (443 if url.scheme == "https" else 80), type=socket.SOCK_STREAM)
        except socket.gaierror as bad:
            raise Failure("dns") from bad
        named = now()
        plain = connected(places, seconds)
        opened = now()
        self.times = {"dns": named - begun, "tcp": opened - named, "tls": 0}
        sock = plain
        if context:
            try:
                sock = context.wrap_socket(plain, server_hostname=url.hostname)
            except (ssl.SSLError, OSError) as bad:
                plain.close()
                raise Failure("timeout" if isinstance(bad, socket.timeout) else "tls") from bad
            self.times["tls"] = now() - opened
        self.ready = now()
        self.http = http.client.HTTPConnection(url.hostname)
        self.http.sock = sock
        self.used = False

    def close(self):
        self.http.close()


def connected(places, seconds):
    kind = "connect"
    for family, sort, protocol, _, address in places:
        sock = socket.socket(family, sort, protocol)
        sock.settimeout(seconds)
        try:
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as bad:
            sock.close()
            kind = "timeout" if isinstance(bad, socket.timeout) else "connect"
    raise Failure(kind)


class Prober:
    """The requests of one order. The most recently used connection is used first."""

    def __init__(self, order):
        self.order = order
        self.urls = [urlsplit(text) for text in order["urls"]]
        self.context = ssl.create_default_context() if self.urls[0].scheme == "https" else None
        self.free = []
        self.lock = threading.Lock()
        self.headers = {"user-agent": "akidb-edge-probe", "host": order["host"], **dict(order["headers"])}

    def seconds_left(self, due):
        return self.order["timeout_ms"] / 1_000 - max(0, now() - due) / 1e6

    def one(self, number, due, start, fresh=False):
        sent = now()
        sample = {"due": due - start, "late": max(0, sent - due), "first_byte": 0, "status": 0, "cache": "unstated", "bytes": 0, "new": False, "dns": 0, "tcp": 0, "tls": 0}
        try:
            self.exchange(self.urls[number % len(self.urls)], due, sample, fresh)
        except Failure as bad:
            sample["failure"] = bad.kind
        sample["total"] = now() - due
        return sample

    def exchange(self, url, due, sample, fresh):
        with self.lock:
            link = self.free.pop() if self.free and not fresh else None
        while True:
            left = self.seconds_left(due)
            if left <= 0:
                raise Failure("not_sent")
            stale = link is not None
            if link is None:
                link = Link(url, self.context, left)
                sample.update(link.times, new=True)
            try:
                keep = self.answer(link, url, due, sample)
            except Failure as bad:
                link.close()
                # The server closed the connection before the first byte of a response.
                if stale and bad.kind == "reset" and sample["status"] == 0:
                    link = None
                    continue
                raise
            except BaseException:
                link.close()
                raise
            if keep and not fresh:
                with self.lock:
                    self.free.append(link)
            else:
                link.close()
            return

    def answer(self, link, url, due, sample):
        sent = now()
        link.http.sock.settimeout(max(0.001, self.seconds_left(due)))
        try:
            link.http.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""), headers=self.headers)
            response = link.http.getresponse()
            sample["status"] = response.status
            sample["first_byte"] = now() - sent
            said = response.getheader("x-cache")
            sample["cache"] = "unstated" if said is None else ("hit" if "hit" in said.lower() else "miss")
            while True:
                part = response.read(CHUNK_BYTES)
                sample["bytes"] += len(part)
                if sample["bytes"] > MOST_BODY_BYTES:
                    raise Failure("too_large")
                if self.seconds_left(due) <= 0:
                    raise Failure("timeout")
                if not part:
                    break
        except socket.timeout as bad:
            raise Failure("timeout") from bad
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError) as bad:
            raise Failure("reset") from bad
        except (http.client.HTTPException, ValueError) as bad:
            raise Failure("reset" if isinstance(bad, http.client.IncompleteRead) else "protocol") from bad
        except OSError as bad:
            raise Failure("reset") from bad
        if not 200 <= response.status <= 299:
            sample["failure"] = "status"
        return link.http.sock is not None and not response.will_close


def openings(prober):
    found = []
    for number in range(prober.order["openings"]):
        at = now()
        found.append(prober.one(number, at, at, fresh=True))
        if "failure" in found[-1]:
            break
    return found


def measured(order):
    prober = Prober(order)
    opened = openings(prober)
    started, start, under = int(time.time() * 1_000), now(), []
    with ThreadPoolExecutor(max_workers=order["connections"]) as workers:
        for number in range(order["requests"]):
            due = start + round(number * 1e6 / order["rate"])
            while (left := due - now()) > 0:
                time.sleep(left / 1e6)
            under.append(workers.submit(prober.one, number, due, start))
        samples = [one.result() for one in under]
    span = now() - start
    for link in prober.free:
        link.close()
    return {"format": FORMAT, "node": f"Python {platform.python_version()}", "started_ms": started, "span": span, "openings": opened, "samples": samples}


def main():
    # Import the codec before privileges are dropped: afterwards, a Python below root's home is not readable.
    "a".encode("idna")
    drop_root()
    order = json.load(sys.stdin)
    if order["format"] != FORMAT or order["requests"] > MOST_REQUESTS or order.get("bodies"):
        sys.exit("an order of another version, or one with bodies")
    print(MARK + json.dumps(measured(order), separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
