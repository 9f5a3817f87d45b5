"""The harness by itself, against small origins of this process: `python -m unittest discover localstack/harness`."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from cache import seconds
from health import Streak, matches
from messages import Answer, Request
from names import Names
from viewer import Viewers, behavior_of

KEEP, NEVER = "keep", "never"
POLICY = {"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 31536000, "ParametersInCacheKeyAndForwardedToOrigin": {
    "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Items": ["input", "model"]}}}}


class Origin:
    """A server that answers what it is told, and counts."""

    def __init__(self):
        self.status, self.headers, self.seen = 200, {"Cache-Control": "max-age=300", "ETag": '"a"'}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                match = outer.status == 200 and self.headers.get("If-None-Match") == outer.headers.get("ETag")
                self.send_response(304 if match else outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0" if match else "4")
                self.end_headers()
                if not match:
                    self.wfile.write(b"body")

            do_GET = do_POST = do_HEAD = any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = self.server.server_address

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def behavior(target, policy=KEEP, **more):
    every = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]
    return {"TargetOriginId": target, "CachePolicyId": policy, "ViewerProtocolPolicy": "https-only", "AllowedMethods": {"Items": every}, **more}


class Harness(unittest.TestCase):
    """Viewers of one distribution with two origins, `one` and `two`, and a group of both."""

    def setUp(self):
        self.one, self.two = Origin(), Origin()
        self.addCleanup(self.one.end)
        self.addCleanup(self.two.end)
        group = {"Id": "both", "Members": {"Items": [{"OriginId": "one"}, {"OriginId": "two"}]},
                 "FailoverCriteria": {"StatusCodes": {"Items": [500, 502, 503, 504]}}}
        config = {"Origins": {"Items": [{"Id": name, "DomainName": f"{name}.example.com", "ConnectionAttempts": 1} for name in ("one", "two")]},
                  "OriginGroups": {"Items": [group]}, "DefaultCacheBehavior": behavior("one"), "CacheBehaviors": {"Items": [
                      {"PathPattern": "/group/*", **behavior("both")}, {"PathPattern": "/never", **behavior("one", NEVER)},
                      {"PathPattern": "/reads", **behavior("one", AllowedMethods={"Items": ["GET", "HEAD"]})},
                      {"PathPattern": "/edge", **behavior("one", LambdaFunctionAssociations={"Items": [
                          {"EventType": "viewer-request", "LambdaFunctionARN": "arn:1", "IncludeBody": False}]})}]}}
        where = {"one.example.com": self.one, "two.example.com": self.two}
        names = SimpleNamespace(target_of=lambda host, place: (where[host].address, [host]), answer=lambda host, place, way: host)
        deployed = SimpleNamespace(cache_policies={KEEP: POLICY, NEVER: {"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0}}, origin_request_policies={},
                                   headers_policies={}, functions=None,
                                   distribution_of=lambda host: {"id": "E1", "domain": "d1.cloudfront.net", "config": config})
        self.viewers = Viewers(deployed, names)

    def ask(self, path, method="GET", query="", body=b"", secure=True, place="EU", **headers):
        sent = {"host": "d1.cloudfront.net", **{name.replace("_", "-"): value for name, value in headers.items()}}
        answer = self.viewers.answer(Request(method, path, query, sent, body, place, secure))
        return answer.status, answer.headers.get("x-cache", "").split(" ")[0], answer

    def test_what_counts_for_the_key(self):
        self.assertEqual(self.ask("/a", query="input=x&other=1")[1], "Miss")
        self.assertEqual(self.ask("/a", query="other=2&input=x")[1], "Hit")
        self.assertEqual(self.one.seen[0][1], "/a?input=x", "what is not in the policy does not go on")
        for query in ("input=y", "input=x&model=m", ""):
            self.assertEqual(self.ask("/a", query=query)[1], "Miss", query)
        self.assertEqual(self.ask("/a", query="input=x", place="AS")[1], "Miss", "another edge location")
        self.assertEqual(self.ask("/a", "POST", query="input=x", body=b"b")[1], "Miss", "POST is never kept")

    def test_what_an_origin_says_of_its_answer(self):
        for number, (said, again) in enumerate((("no-store", "Miss"), ("private, max-age=60", "Miss"), ("max-age=60", "Hit"), ("s-maxage=60, max-age=0", "Hit"))):
            self.one.headers = {"Cache-Control": said}
            path = f"/said/{number}"
            self.assertEqual([self.ask(path)[1], self.ask(path)[1]], ["Miss", again], said)
        self.one.headers = {"Cache-Control": "max-age=60"}
        self.assertEqual([self.ask("/never")[1], self.ask("/never")[1]], ["Miss", "Miss"], "the policy keeps nothing")

    def test_conditional_requests(self):
        self.ask("/a")
        self.assertEqual(self.ask("/a", if_none_match='"a"')[:2], (304, "Hit"))
        self.assertEqual(self.ask("/a", if_none_match='"b"')[:2], (200, "Hit"))
        self.one.headers = {"Cache-Control": "max-age=0", "ETag": '"a"'}
        self.assertEqual(self.ask("/old")[1], "Miss")
        status, cached, answer = self.ask("/old")
        self.assertEqual((status, cached, answer.body), (200, "RefreshHit", b"body"), "asked again by its tag")
        self.one.status = 503
        self.assertEqual(self.ask("/old")[:2], (200, "Hit"), "an old answer outlives an origin that fails")

    def test_errors_are_kept_for_a_while(self):
        self.one.status, self.one.headers = 503, {}
        self.assertEqual([self.ask("/a")[:2], self.ask("/a")[:2]], [(503, "Error"), (503, "Error")])
        self.assertEqual(len(self.one.seen), 1)
        self.assertEqual(seconds(POLICY, {}, Answer(404)), 10)
        custom = {"CustomErrorResponses": {"Items": [{"ErrorCode": 404, "ErrorCachingMinTTL": 0}]}}
        self.assertEqual(seconds(POLICY, custom, Answer(404)), 0)

    def test_a_group_answers_reads_with_its_second_member(self):
        self.one.status = 503
        status, _, answer = self.ask("/group/a")
        self.assertEqual(status, 200)
        self.assertIn("one answers 503, so two is asked", answer.way)
        self.assertEqual(self.ask("/group/a", "POST", body=b"b")[0], 503, "POST stays with the first one")
        self.one.status = 404
        self.assertEqual(self.ask("/group/b")[0], 404, "a status outside of the criteria")
        self.one.end()
        self.assertEqual(self.ask("/group/c")[0], 200, "nothing listens there")
        self.assertEqual(self.ask("/alone")[0], 502)

    def test_what_a_behavior_refuses(self):
        self.assertEqual(self.ask("/reads", "POST", body=b"b")[0], 403)
        self.assertEqual(self.ask("/reads", secure=False)[0], 403)
        self.assertEqual(self.ask("/edge")[0], 501, "an event that the harness does not run is said, not passed by")
        self.assertEqual(self.one.seen, [])

    def test_the_first_pattern_that_fits(self):
        config = {"DefaultCacheBehavior": {}, "CacheBehaviors": {"Items": [{"PathPattern": each} for each in ("/api/v1/embed", "api/*", "*.jp?g")]}}
        for path, pattern in (("/api/v1/embed", "/api/v1/embed"), ("/api/v1/embed2", "api/*"), ("/a/b.jpg", "default"), ("/a/b.jpeg", "*.jp?g"),
                              ("/API/x", "default")):
            self.assertEqual(behavior_of(config, path)[0], pattern, path)


class Routing(unittest.TestCase):
    """Names by record sets and health."""

    def setUp(self):
        self.well = {"lb-us", "lb-eu"}

        def alias(name, target, **more):
            return {"Name": f"{name}.", "Type": "A", "AliasTarget": {"DNSName": f"dualstack.{target}.", "EvaluateTargetHealth": True}, **more}

        self.sets = [alias("api", "eu.api", SetIdentifier="eu", GeoLocation={"ContinentCode": "EU"}),
                     alias("api", "any.api", SetIdentifier="default", GeoLocation={"CountryCode": "*"}),
                     alias("eu.api", "lb-eu", SetIdentifier="first", Failover="PRIMARY"),
                     alias("eu.api", "lb-us", SetIdentifier="second", Failover="SECONDARY"),
                     alias("any.api", "lb-us", SetIdentifier="us", Region="us-east-1"),
                     alias("any.api", "lb-eu", SetIdentifier="eu", Region="eu-central-1")]
        balancers = {name: {"targets": [(name, 80)], "region": name} for name in ("lb-us", "lb-eu")}
        health = SimpleNamespace(check_is_healthy=lambda _: True, target_is_healthy=lambda target: target[0] in self.well,
                                 balancer_is_healthy=lambda balancer: balancer["region"] in self.well)
        self.names = Names(SimpleNamespace(sets=self.sets, balancers=balancers), health)

    def test_places_regions_and_failover(self):
        def to(place):
            return self.names.answer("api", place, [])
        self.assertEqual([to("EU"), to("NA"), to("AF")], ["lb-eu", "lb-us", "lb-eu"])
        self.well = {"lb-us"}
        self.assertEqual([to("EU"), to("AF")], ["lb-us", "lb-us"])
        self.well = set()
        self.assertEqual([to("EU"), to("NA")], ["lb-eu", "lb-us"], "when nothing is healthy, everything counts")
        self.assertEqual(self.names.target_of("api", "EU")[0], ("lb-eu", 80), "a load balancer without healthy targets asks all of them")

    def test_health_takes_several_looks(self):
        streak = Streak()
        for well, healthy in ((True, False), (True, True), (False, True), (True, True), (False, True), (False, False)):
            streak.saw(well, "", 2, 2)
            self.assertEqual(streak.healthy, healthy)
        self.assertTrue(matches(200, "200") and matches(204, "200-299") and matches(202, "200,202"))
        self.assertFalse(matches(503, "200-299") or matches(0, "200"))


if __name__ == "__main__":
    unittest.main()
