#!/usr/bin/env python3
"""Reverse proxy that adds a fixed delay to every request and writes down each one. Standard library only.

    bench/proxy.py --upstream 127.0.0.1:4566 --port 0 --delay-ms 100 --log requests.jsonl

HTTP/1.1 with connections kept on both sides, bodies passed on as they come, any number of connections. Opening a
connection costs nothing extra, each request waits the delay before it is passed on. Prints the port when it listens.
One line of JSON per finished request: service and region (from the signature's credential scope), operation (named by
the request, or made from method and path), times on the machine's monotonic clock, bytes, status.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
import time

CHUNK = 256 * 1024
# A form is read whole before it is passed on, to see which action it asks for; it is never large.
FORM = 256 * 1024
SCOPE = re.compile(rb"Credential=([^/,]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")


class Closed(Exception):
    """The other side has gone at a place where it may."""


async def read_head(reader):
    """(first line, headers with lower-case names, the head as it came)"""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        if getattr(error, "partial", b""):
            raise
        raise Closed from None
    lines = raw[:-4].split(b"\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    return lines[0], headers, raw


async def relay_length(reader, writer, length):
    left = length
    while left:
        part = await reader.read(min(CHUNK, left))
        if not part:
            raise ConnectionError("the body ended early")
        left -= len(part)
        writer.write(part)
        await writer.drain()
    return length


async def relay_chunked(reader, writer):
    total = 0
    while True:
        line = await reader.readuntil(b"\r\n")
        writer.write(line)
        size = int(line.split(b";")[0], 16)
        if size:
            total += await relay_length(reader, writer, size + 2) - 2
            continue
        while line not in (b"\r\n",):
            line = await reader.readuntil(b"\r\n")
            writer.write(line)
        await writer.drain()
        return total


async def relay_rest(reader, writer):
    total = 0
    while part := await reader.read(CHUNK):
        total += len(part)
        writer.write(part)
        await writer.drain()
    return total


def operation(method, target, headers, form):
    if b"x-amz-target" in headers:
        return headers[b"x-amz-target"].split(b".")[-1].decode("latin-1")
    found = ACTION.search(form) if form else None
    if found:
        return found[1].decode()
    path, _, query = target.partition("?")
    keys = sorted(pair.split("=")[0] for pair in query.split("&") if pair)
    return f"{method} {path}" + (f"?{'&'.join(keys)}" if keys else "")


class Proxy:
    def __init__(self, upstream, delay, log):
        self.upstream, self.delay, self.log = upstream, delay, log
        self.connections = self.in_flight = self.most = self.total = 0

    async def client(self, reader, writer):
        self.connections += 1
        number = self.connections
        far = None
        try:
            while True:
                head = await read_head(reader)
                begun = time.monotonic()
                if far is None:
                    far = await asyncio.open_connection(*self.upstream, limit=CHUNK)
                self.in_flight += 1
                self.most = max(self.most, self.in_flight)
                try:
                    keep = await self.exchange(number, begun, head, reader, writer, *far)
                finally:
                    self.in_flight -= 1
                if not keep:
                    break
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            for each in (writer, far[1] if far else None):
                if each:
                    each.close()

    async def exchange(self, number, begun, head, reader, writer, far_reader, far_writer):
        line, headers, raw = head
        method, target, _ = line.decode("latin-1").split(" ", 2)
        length = int(headers.get(b"content-length", b"0"))
        chunked = b"chunked" in headers.get(b"transfer-encoding", b"").lower()
        form = b""
        if headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded") and 0 < length <= FORM:
            form = await reader.readexactly(length)
        if self.delay:
            await asyncio.sleep(self.delay - (time.monotonic() - begun))
        passed = time.monotonic()
        far_writer.write(raw + form)

        async def send():
            if chunked:
                return await relay_chunked(reader, far_writer)
            return len(form) or await relay_length(reader, far_writer, length)

        # Both ways at once: an answer may come before the body has been sent.
        sending = asyncio.ensure_future(send()) if (chunked or length > len(form)) else None
        try:
            while True:
                answer_line, answer_headers, answer_raw = await read_head(far_reader)
                status = int(answer_line.split(b" ", 2)[1])
                writer.write(answer_raw)
                if status >= 200:
                    break
                await writer.drain()
            first = time.monotonic()
            keep = b"close" not in (answer_headers.get(b"connection", b"") + headers.get(b"connection", b"")).lower()
            if method == "HEAD" or status in (204, 304):
                received = 0
            elif b"chunked" in answer_headers.get(b"transfer-encoding", b"").lower():
                received = await relay_chunked(far_reader, writer)
            elif b"content-length" in answer_headers:
                received = await relay_length(far_reader, writer, int(answer_headers[b"content-length"]))
            else:
                received, keep = await relay_rest(far_reader, writer), False
            await writer.drain()
            sent = await sending if sending else len(form)
        except (ConnectionError, asyncio.IncompleteReadError, Closed):
            # Asked and given up before the answer was through: the service had the request, so it counts.
            self.note(number, (begun, passed, time.monotonic()), head, form, 0, 0, 0)
            raise
        finally:
            if sending and not sending.done():
                sending.cancel()
        self.note(number, (begun, passed, first), head, form, status, sent, received)
        return keep

    def note(self, number, times, head, form, status, sent, received):
        line, headers, _ = head
        method, target, _ = line.decode("latin-1").split(" ", 2)
        begun, passed, first = times
        ended = time.monotonic()
        scope = SCOPE.search(headers.get(b"authorization", b""))
        self.total += 1
        self.log.write(json.dumps({
            "begun": begun, "passed": passed, "first": first, "ended": ended, "connection": number,
            "account": scope[1].decode() if scope else "", "region": scope[2].decode() if scope else "",
            "service": scope[3].decode() if scope else "unsigned", "method": method,
            "operation": operation(method, target, headers, form), "status": status, "sent": sent, "received": received,
        }) + "\n")
        self.log.flush()


async def serve(options):
    host, _, port = options.upstream.removeprefix("http://").rstrip("/").partition(":")
    with open(options.log, "a", encoding="utf-8") as log:
        proxy = Proxy((host, int(port)), options.delay_ms / 1000, log)
        server = await asyncio.start_server(proxy.client, "127.0.0.1", options.port, limit=CHUNK, backlog=256)
        print(server.sockets[0].getsockname()[1], flush=True)
        done = asyncio.Event()
        for which in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(which, done.set)
        await done.wait()
        server.close()
        print(f"{proxy.total} requests on {proxy.connections} connections, {proxy.most} at once at most", file=sys.stderr)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--log", default="/dev/null", help="one line of JSON per request is added to this file")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
