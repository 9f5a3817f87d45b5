"""From an edge location to an origin: what is forwarded, which member of a group answers, the load balancer or the bucket behind a name."""

from urllib.parse import parse_qsl, urlencode

from cache import chosen, parameters
from functions import associations
from messages import Unreachable, send

READS = {"GET", "HEAD", "OPTIONS"}
CONDITIONS = {"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"}
# What viewers cannot send on.
NEVER = {"host", "x-viewer-from", "x-viewer-protocol", "x-forwarded-for", "via", "x-amz-cf-id"}


def forwarded(request, cache_policy, origin_policy):
    """(headers, query) that leave for the origin: what is in the cache key, and what the origin request policy adds."""
    query, headers, cookies = parameters(cache_policy)
    pairs = parse_qsl(request.query, keep_blank_values=True)
    names = {name for name, _ in pairs}
    taken, sent = set(chosen(*query, names)), set(chosen(*headers, request.headers))
    with_cookies = cookies[0] != "none"
    if origin_policy:
        words, crumbs, strings = origin_policy
        taken |= names if strings == "all" else set()
        with_cookies |= crumbs == "all"
        if words.startswith(("allViewer", "allExcept")):
            sent |= set(request.headers)
        else:
            sent |= set(words.split()) & set(request.headers)
    if request.method in ("GET", "HEAD"):
        # The edge's own question whether what it has still holds; viewers' conditions do not come so far.
        sent |= {"if-none-match"} & set(request.headers)
    if request.body:
        sent |= {"content-type"} & set(request.headers)
    kept = {name: request.headers[name] for name in sent if name not in NEVER and (name != "cookie" or with_cookies)}
    if "user-agent" not in kept:
        kept["user-agent"] = "Amazon CloudFront"
    return kept, urlencode([(name, value) for name, value in pairs if name in taken])


class Origins:
    """Asks origins, with the functions on the way."""

    def __init__(self, deployed, names, functions):
        self.deployed, self.names, self.functions = deployed, names, functions

    def ask(self, distribution, behavior, request, identifier):
        """The answer of the behavior's origin or group."""
        config = distribution["config"]
        groups = {each["Id"]: each for each in config.get("OriginGroups", {}).get("Items", [])}
        origins = {each["Id"]: each for each in config["Origins"]["Items"]}
        group = groups.get(behavior["TargetOriginId"])
        if not group:
            return self.one(distribution, behavior, origins[behavior["TargetOriginId"]], request, identifier)
        first, second = [origins[member["OriginId"]] for member in group["Members"]["Items"]]
        codes = group["FailoverCriteria"]["StatusCodes"]["Items"]
        try:
            answer = self.one(distribution, behavior, first, request, identifier)
            if answer.status not in codes or request.method not in READS:
                return answer
            why = f"{first['Id']} answers {answer.status}"
        except Unreachable as error:
            if request.method not in READS:
                raise
            why = f"{first['Id']}: {error}"
        answer = self.one(distribution, behavior, second, request, identifier)
        answer.way.insert(0, f"{why}, so {second['Id']} is asked")
        return answer

    def one(self, distribution, behavior, origin, request, identifier):
        cache_policy = self.deployed.cache_policies[behavior["CachePolicyId"]]
        origin_policy = self.deployed.origin_request_policies.get(behavior.get("OriginRequestPolicyId"))
        headers, query = forwarded(request, cache_policy, origin_policy)
        out = request.copy(headers=headers, query=query)
        host = origin["DomainName"]
        for arn, with_body in associations(behavior).values():
            out = self.functions.origin_request(arn, with_body, out, host, distribution, identifier)
            if hasattr(out, "status"):
                out.way.append("answered by the function")
                out.headers.setdefault("x-cache", "FunctionGeneratedResponse from cloudfront")
                return out
        out.path = origin.get("OriginPath", "") + out.path
        extra = {each["HeaderName"].lower(): each["HeaderValue"] for each in origin.get("CustomHeaders", {}).get("Items", [])}
        sent = {**out.headers, **extra, "via": "1.1 harness (CloudFront)", "x-amz-cf-id": identifier, "x-forwarded-for": "203.0.113.7"}
        if "S3OriginConfig" in origin or ".s3." in host:
            return self.bucket(distribution, out, sent)
        target, way = self.names.target_of(host, request.place)
        if not target:
            raise Unreachable(503 if way else 502, f"{host} leads to no server")
        answer = send(target, out, host, sent, origin.get("CustomOriginConfig", {}).get("OriginReadTimeout", 30), origin.get("ConnectionAttempts", 3))
        answer.way = [f"origin {origin['Id']}", *way, f"{target[0]}:{target[1]}"]
        return answer

    def bucket(self, distribution, request, headers):
        """Buckets are asked through the CloudFront of the local AWS itself: it holds bucket policies against the distribution."""
        gateway = self.deployed.endpoint.split("//")[1].split(":")
        account = (f"AWS4-HMAC-SHA256 Credential={self.deployed.account}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
        # A request with `via` of CloudFront would be refused as one from another distribution.
        sent = {**headers, "x-forwarded-proto": "https", "authorization": account}
        sent.pop("via", None)
        answer = send((gateway[0], int(gateway[1])), request, distribution["domain"], sent, 30)
        for name in ("x-cache", "via", "age", "x-amz-cf-id", "x-amz-cf-pop"):
            answer.headers.pop(name, None)
        answer.way = ["bucket, through the local AWS"]
        return answer
