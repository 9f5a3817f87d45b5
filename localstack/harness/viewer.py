"""CloudFront as a viewer meets it: behaviors, the cache, functions, origins, response headers; and names that lead past it."""

import itertools
import re
import uuid
from collections import Counter

import cache
from functions import Functions
from messages import Answer, Unreachable, send
from names import plain
from origins import CONDITIONS, Origins

KEPT = {"GET", "HEAD"}


def behavior_of(config, path):
    """The first behavior whose pattern fits the path, else the default one."""
    for each in config.get("CacheBehaviors", {}).get("Items", []):
        pattern = "/" + each["PathPattern"].lstrip("/")
        if re.fullmatch("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), path, re.S):
            return each["PathPattern"], each
    return "default", config["DefaultCacheBehavior"]


def with_policy(answer, policy, request):
    """What the response headers policy of the behavior says of an answer."""
    for each in policy.get("RemoveHeadersConfig", {}).get("Items", []):
        answer.headers.pop(each["Header"].lower(), None)
    for each in policy.get("CustomHeadersConfig", {}).get("Items", []):
        if each.get("Override") or each["Header"].lower() not in answer.headers:
            answer.headers[each["Header"].lower()] = each["Value"]
    security = policy.get("SecurityHeadersConfig", {})
    if "StrictTransportSecurity" in security:
        said = security["StrictTransportSecurity"]
        words = [f"max-age={said['AccessControlMaxAgeSec']}", *(["includeSubDomains"] if said.get("IncludeSubdomains") else []),
                 *(["preload"] if said.get("Preload") else [])]
        answer.headers["strict-transport-security"] = "; ".join(words)
    for field, name, value in (("ContentTypeOptions", "x-content-type-options", "nosniff"),
                               ("FrameOptions", "x-frame-options", security.get("FrameOptions", {}).get("FrameOption")),
                               ("ReferrerPolicy", "referrer-policy", security.get("ReferrerPolicy", {}).get("ReferrerPolicy")),
                               ("ContentSecurityPolicy", "content-security-policy",
                                security.get("ContentSecurityPolicy", {}).get("ContentSecurityPolicy"))):
        if field in security:
            answer.headers[name] = value
    cors, origin = policy.get("CorsConfig"), request.headers.get("origin")
    if cors and origin:
        allowed = cors["AccessControlAllowOrigins"]["Items"]
        if "*" in allowed or origin in allowed:
            answer.headers["access-control-allow-origin"] = "*" if "*" in allowed else origin
            answer.headers.setdefault("vary", "Origin")


class Viewers:
    """Answers viewers."""

    def __init__(self, deployed, names):
        self.deployed, self.names = deployed, names
        self.origins = Origins(deployed, names, Functions(deployed.functions))
        self.cache, self.counts = cache.Cache(), Counter()
        self.serial = itertools.count()

    def answer(self, request):
        """The answer to a viewer, who resolves the name first."""
        host = plain(request.headers.get("host", "").split(":")[0])
        way = []
        distribution = self.deployed.distribution_of(host) if host.endswith(".cloudfront.net") else None
        if not distribution:
            leads_to = self.names.answer(host, request.place, way)
            distribution = self.deployed.distribution_of(leads_to or "")
            if not distribution:
                return self.straight(host, leads_to, request, way)
        try:
            answer = self.through(distribution, host, request)
        except Unreachable as error:
            answer = Answer(error.status, {"x-cache": "Error from cloudfront", "content-type": "text/plain"}, f"{error}\n".encode())
        answer.way = [*way, f"distribution {distribution['domain']}", *answer.way]
        self.counts[answer.headers.get("x-cache", "?").split(" ")[0].lower()] += 1
        return answer

    def straight(self, host, leads_to, request, way):
        """A name that leads past CloudFront, to a load balancer."""
        self.counts["past cloudfront"] += 1
        target = self.names.behind(leads_to, way)
        if not target:
            return Answer(503 if leads_to else 502, {"content-type": "text/plain"}, f"{host} leads to no server\n".encode(), way)
        headers = {name: value for name, value in request.headers.items() if not name.startswith("x-viewer-")}
        try:
            answer = send(target, request, host, {**headers, "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}, 60)
        except Unreachable as error:
            answer = Answer(error.status, {"content-type": "text/plain"}, f"{error}\n".encode())
        answer.way = [*way, f"{target[0]}:{target[1]}"]
        return answer

    def through(self, distribution, host, request):
        config = distribution["config"]
        if host != distribution["domain"].lower() and host not in [name.lower() for name in config.get("Aliases", {}).get("Items", [])]:
            raise Unreachable(403, f"the distribution has no alias {host}")
        if request.path == "/" and config.get("DefaultRootObject"):
            request = request.copy(path="/" + config["DefaultRootObject"])
        pattern, behavior = behavior_of(config, request.path)
        if not request.secure and behavior["ViewerProtocolPolicy"] == "https-only":
            raise Unreachable(403, "this behavior wants HTTPS")
        if not request.secure and behavior["ViewerProtocolPolicy"] == "redirect-to-https":
            return Answer(301, {"location": f"https://{host}{request.target()}", "x-cache": "Redirect from cloudfront"})
        if request.method not in behavior["AllowedMethods"]["Items"]:
            raise Unreachable(403, f"this behavior takes no {request.method}")
        identifier = f"{uuid.uuid4().hex}{next(self.serial)}"
        answer = self.kept_or_asked(distribution, behavior, request, identifier)
        if request.method in KEPT and answer.status == 200 and cache.not_modified(request, answer):
            answer = Answer(304, {name: value for name, value in answer.headers.items() if name != "content-type"}, b"", answer.way)
        policy = self.deployed.headers_policies.get(behavior.get("ResponseHeadersPolicyId"))
        if policy:
            with_policy(answer, policy, request)
        answer.headers.update({"via": "1.1 harness (CloudFront)", "x-amz-cf-id": identifier, "x-amz-cf-pop": f"{request.place}-HARNESS"})
        answer.way.insert(0, f"behavior {pattern}")
        return answer

    def kept_or_asked(self, distribution, behavior, request, identifier):
        policy = self.deployed.cache_policies[behavior["CachePolicyId"]]
        if request.method not in KEPT:
            return self.asked(distribution, behavior, request, identifier, "Miss")
        key = cache.key(distribution, policy, request)
        entry = self.cache.get(key)
        if entry and entry.fresh():
            return self.kept(entry, "Hit")
        plain_request = request.copy(method="GET", headers={name: value for name, value in request.headers.items() if name not in CONDITIONS})
        tag = entry.answer.headers.get("etag") if entry and entry.answer.status == 200 else None
        if tag:
            plain_request.headers["if-none-match"] = tag
        try:
            answer = self.asked(distribution, behavior, plain_request, identifier, "Miss")
        except Unreachable as error:
            if tag:
                return self.kept(entry, "Hit")
            answer = Answer(error.status, {"x-cache": "Error from cloudfront", "content-type": "text/plain"}, f"{error}\n".encode())
        if tag and answer.status >= 500:
            # What an edge location has outlives an origin that fails.
            return self.kept(entry, "Hit")
        if tag and answer.status == 304:
            entry.answer.headers.update({name: value for name, value in answer.headers.items() if name in ("cache-control", "expires", "etag")})
            self.cache.put(key, cache.Entry(entry.answer, cache.seconds(policy, distribution["config"], entry.answer)))
            return self.kept(self.cache.get(key), "RefreshHit")
        seconds = cache.seconds(policy, distribution["config"], answer)
        # An answer that has to be asked for again at once is worth keeping for its tag, where the policy keeps anything.
        if seconds > 0 or (policy.get("MaxTTL", 0) > 0 and "etag" in answer.headers and "no-store" not in cache.directives(answer)):
            self.cache.put(key, cache.Entry(answer.copy(), seconds))
        return answer

    def asked(self, distribution, behavior, request, identifier, word):
        answer = self.origins.ask(distribution, behavior, request, identifier)
        answer.headers.setdefault("x-cache", f"{'Error' if answer.status >= 400 else word} from cloudfront")
        return answer

    @staticmethod
    def kept(entry, word):
        answer = entry.answer.copy()
        answer.headers.update({"x-cache": f"{'Error' if answer.status >= 400 else word} from cloudfront", "age": str(int(entry.age()))})
        answer.way = ["cache"]
        return answer
