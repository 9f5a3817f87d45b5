"""Functions at the edge: the published version that the distribution names, invoked in the local AWS with CloudFront's events."""

import base64
import json

from messages import Answer, Unreachable

BODY_LIMIT = 1024 * 1024
# What a function may not set on a generated response; CloudFront refuses the answer then.
FORBIDDEN = {"connection", "expect", "keep-alive", "proxy-authenticate", "trailer", "upgrade", "x-accel-redirect"}
SUPPORTED = {"origin-request"}


def associations(behavior):
    """(function ARN, whether it gets the body) by event."""
    found = {}
    for each in behavior.get("LambdaFunctionAssociations", {}).get("Items", []):
        if each["EventType"] not in SUPPORTED:
            raise Unreachable(501, f"the harness runs no {each['EventType']} functions")
        found[each["EventType"]] = (each["LambdaFunctionARN"], each.get("IncludeBody", False))
    return found


class Functions:
    """Invokes them."""

    def __init__(self, client):
        self.client = client

    def origin_request(self, arn, with_body, request, host, distribution, identifier):
        """The request that goes on, or an answer that the function made."""
        name, _, version = arn.rpartition(":")
        answer = self.client.invoke(FunctionName=name, Qualifier=version, Payload=json.dumps(event(with_body, request, host, distribution, identifier)))
        payload = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise Unreachable(503, f"{name}:{version} failed: {payload[:200].decode(errors='replace')}")
        result = json.loads(payload)
        if not isinstance(result, dict):
            raise Unreachable(502, f"{name}:{version} gave neither a request nor a response")
        return generated(result) if "status" in result else changed(request, result)


def event(with_body, request, host, distribution, identifier):
    headers = {name: [{"key": name.title(), "value": value}] for name, value in request.headers.items() if name != "host"}
    headers["host"] = [{"key": "Host", "value": host}]
    document = {"clientIp": "203.0.113.7", "headers": headers, "method": request.method, "querystring": request.query, "uri": request.path,
                "origin": {"custom": {"customHeaders": {}, "domainName": host, "path": "", "port": 443, "protocol": "https", "readTimeout": 30,
                                      "keepaliveTimeout": 5, "sslProtocols": ["TLSv1.2"]}}}
    if with_body:
        document["body"] = {"action": "read-only", "data": base64.b64encode(request.body[:BODY_LIMIT]).decode(), "encoding": "base64",
                            "inputTruncated": len(request.body) > BODY_LIMIT}
    return {"Records": [{"cf": {"config": {"distributionDomainName": distribution["domain"], "distributionId": distribution["id"],
                                           "eventType": "origin-request", "requestId": identifier}, "request": document}}]}


def generated(result):
    headers = {name: values[0]["value"] for name, values in result.get("headers", {}).items()}
    if FORBIDDEN & {name.lower() for name in headers}:
        raise Unreachable(502, "the function sets a header that it may not set")
    body = result.get("body") or ""
    data = base64.b64decode(body) if result.get("bodyEncoding") == "base64" else body.encode()
    return Answer(int(result["status"]), headers, data)


def changed(request, result):
    headers = {name.lower(): values[0]["value"] for name, values in result.get("headers", {}).items() if name.lower() != "host"}
    body = request.body
    given = result.get("body") or {}
    if given.get("action") == "replace":
        data = given.get("data", "")
        body = base64.b64decode(data) if given.get("encoding") == "base64" else data.encode()
    return request.copy(method=result.get("method", request.method), path=result.get("uri", request.path),
                        query=result.get("querystring", request.query), headers=headers, body=body)
