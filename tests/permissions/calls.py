"""Which operation an HTTP request to AWS is, and with which input: read by AWS's own API models (those of botocore)."""

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree

from botocore.loaders import Loader

# The service in a signature's scope, and the name of its model.
MODELS = {
    "acm": "acm", "cloudfront": "cloudfront", "eks": "eks", "elasticloadbalancing": "elbv2", "iam": "iam", "lambda": "lambda",
    "route53": "route53", "s3": "s3", "sts": "sts", "wafv2": "wafv2",
}
REST = {"rest-xml", "rest-json"}


@dataclass
class Call:
    """One call: who signed it, the operation, and its input, by the names of the API model."""

    service: str
    region: str
    account: str
    operation: str
    given: dict = field(default_factory=dict)


class Unknown(Exception):
    """A request that is not an operation of a known model."""


@lru_cache(maxsize=None)
def model(service):
    """The API model of a service."""
    if service not in MODELS:
        raise Unknown(f"a call to {service}, which the lab does not know")
    return Loader().load_service_model(MODELS[service], "service-2")


def scope(headers):
    """Account, region and service of the signature. The local AWS takes the access key id for the account."""
    found = re.search(r"Credential=([^/,]+)/\d+/([^/]+)/([^/]+)/aws4_request", headers.get("authorization", ""))
    if not found:
        raise Unknown("a request without a signature")
    return found.groups()


def read(method, target, headers, body):
    """The call that a request makes. `headers` has lower-case names."""
    account, region, service = scope(headers)
    api = model(service)
    protocol = api["metadata"]["protocol"]
    split = urlsplit(target)
    if protocol in REST:
        operation, given = rest(api, service, method, split, headers, body)
    elif protocol == "json":
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        given = json.loads(body or b"{}")
    else:
        form = dict(parse_qsl((body or b"").decode() or split.query, keep_blank_values=True))
        operation, given = form.pop("Action", ""), form
    if operation not in api["operations"]:
        raise Unknown(f"{method} {target} of {service} is not an operation of its model")
    return Call(service, region, account, operation, given)


@dataclass
class Route:
    """Where an operation lives: path, words of the query that name it, members that it needs."""

    operation: str
    method: str
    path: re.Pattern
    fixed: int
    query: dict
    needed: list
    members: dict
    payload: str | None


@lru_cache(maxsize=None)
def routes(service):
    """All routes of a service that is told by path."""
    api, all_routes = model(service), []
    # A deprecated operation is the former name of another one at the same place.
    current = {name: one for name, one in api["operations"].items() if not one.get("deprecated")}
    for name, operation in current.items():
        http = operation["http"]
        split = urlsplit(http["requestUri"])
        pattern = "".join(part_pattern(part) for part in re.split(r"(\{[^}]+\})", split.path))
        shape = api["shapes"].get(operation.get("input", {}).get("shape"), {})
        members, required = shape.get("members", {}), shape.get("required", [])
        needed = [(members[one]["location"], members[one].get("locationName", one)) for one in required
                  if members[one].get("location") in ("querystring", "header")]
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        query.pop("x-id", None)
        fixed = len(re.sub(r"\{[^}]+\}", "", split.path))
        path = re.compile(pattern.rstrip("/") + "/?$")
        all_routes.append(Route(name, http["method"], path, fixed, query, needed, members, shape.get("payload")))
    return all_routes


def part_pattern(part):
    """The pattern of a piece of a path: `{Name}` is one piece, `{Name+}` any number."""
    if not part.startswith("{"):
        return re.escape(part)
    name = re.sub(r"\W", "_", part.strip("{}+"))
    return f"(?P<{name}>.+)" if part.endswith("+}") else f"(?P<{name}>[^/]+)"


def rest(api, service, method, split, headers, body):
    """The operation and the input of a request that is told by method, path, query and headers."""
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    found = []
    for route in routes(service):
        match = route.path.match(split.path) if route.method == method else None
        if not match or any(query.get(key) is None or (value and query[key] != value) for key, value in route.query.items()):
            continue
        here = [name in query if where == "querystring" else name.lower() in headers for where, name in route.needed]
        if all(here):
            found.append((len(route.query) + len(here), route.fixed, route, match))
    if not found:
        raise Unknown(f"{method} {split.path}?{split.query} of {service}")
    route, match = max(found, key=lambda one: one[:2])[2:]
    labels = {name: unquote(value) for name, value in match.groupdict().items()}
    given = {}
    for name, member in route.members.items():
        where, known = member.get("location"), member.get("locationName", name)
        if where == "uri":
            given[name] = labels[re.sub(r"\W", "_", known)]
        elif where == "querystring" and known in query:
            given[name] = query[known]
        elif where == "header" and known.lower() in headers:
            given[name] = headers[known.lower()]
    if body and is_document(api, route):
        document = json.loads(body) if api["metadata"]["protocol"] == "rest-json" else plain(ElementTree.fromstring(body))
        given.update({route.payload: document} if route.payload else document)
    return route.operation, given


def is_document(api, route):
    """Whether the body is XML or JSON, not the bytes of an object."""
    if not route.payload:
        return True
    return api["shapes"][route.members[route.payload]["shape"]]["type"] == "structure"


def plain(element):
    """An XML document as lists and dictionaries; names that come several times become lists."""
    children = list(element)
    if not children:
        return (element.text or "").strip()
    said = {}
    for child in children:
        name, value = child.tag.rpartition("}")[2], plain(child)
        if name in said:
            said[name] = said[name] if isinstance(said[name], list) else [said[name]]
            said[name].append(value)
        else:
            said[name] = value
    return said


def listed(value):
    """What came once or several times, as a list."""
    if value in (None, ""):
        return []
    return value if isinstance(value, list) else [value]
