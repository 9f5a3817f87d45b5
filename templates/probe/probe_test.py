"""python3 -m unittest discover -s templates/probe -p '*_test.py'"""

import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import probe


class Server:
    def __init__(self, answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def fine(handler, status=200):
    handler.send_response(status)
    handler.send_header("content-length", "2")
    handler.send_header("x-cache", "Hit from cloudfront")
    handler.end_headers()
    handler.wfile.write(b"ok")


def order(host, **more):
    return {"format": 1, "host": host, "urls": [f"http://{host}/a?b=c"], "headers": [["x-key", "k"]], "requests": 20, "rate": 50, "timeout_ms": 2_000, "connections": 16, "openings": 0, "bodies": [], **more}


class Probe(unittest.TestCase):
    def test_each_request_has_its_phases_and_connections_are_used_again(self):
        seen = []

        def answer(handler):
            seen.append((handler.path, handler.headers["x-key"]))
            fine(handler)

        with Server(answer) as server:
            found = probe.measured(order(server.host, openings=2))
        self.assertEqual((len(found["samples"]), len(found["openings"])), (20, 2))
        self.assertEqual(set(seen), {("/a?b=c", "k")})
        self.assertTrue(all(one["new"] and one["tcp"] > 0 for one in found["openings"]))
        for one in found["samples"]:
            self.assertNotIn("failure", one)
            self.assertEqual((one["status"], one["cache"], one["bytes"]), (200, "hit", 2))
            self.assertGreaterEqual(one["total"], one["first_byte"])
        self.assertTrue(any(not one["new"] for one in found["samples"]))

    def test_the_clock_does_not_wait_for_the_server(self):
        first = threading.Event()

        def answer(handler):
            if not first.is_set():
                first.set()
                time.sleep(0.4)
            fine(handler)

        with Server(answer) as server:
            found = probe.measured(order(server.host, requests=10, connections=1))
        totals = [one["total"] for one in found["samples"]]
        self.assertGreater(totals[1], 300_000, "it was due 20 ms after the one that the only connection waits for")

    def test_failures_are_counted_by_kind(self):
        with Server(lambda handler: fine(handler, 503)) as server:
            found = probe.measured(order(server.host, requests=2))
            host = server.host
        self.assertEqual({(one["status"], one["failure"]) for one in found["samples"]}, {(503, "status")})
        gone = probe.measured(order(host, requests=2))
        self.assertEqual({one["failure"] for one in gone["samples"]}, {"connect"})
        with Server(lambda handler: time.sleep(0.6)) as server:
            late = probe.measured(order(server.host, requests=1, timeout_ms=200))
        self.assertEqual(late["samples"][0]["failure"], "timeout")

    def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(self):
        def answer(handler):
            handler.send_response(200)
            handler.send_header("content-length", "0")
            handler.end_headers()
            # Without a word about it.
            handler.close_connection = True

        with Server(answer) as server:
            found = probe.measured(order(server.host, requests=4, rate=20))
        self.assertTrue(all("failure" not in one for one in found["samples"]), found["samples"])


if __name__ == "__main__":
    unittest.main()
