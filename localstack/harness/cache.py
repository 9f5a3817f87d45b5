"""The cache of the edge locations: keys and times by the deployed cache policy, conditional requests, answers that have to be asked for again."""

import re
import threading
import time
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode

ERROR_SECONDS = 10
ERRORS = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}


class Entry:
    """An answer that was kept."""

    def __init__(self, answer, seconds):
        self.answer, self.since, self.seconds = answer, time.monotonic(), seconds

    def age(self):
        return time.monotonic() - self.since

    def fresh(self):
        return self.age() < self.seconds


class Cache:
    """Entries by key; the oldest goes when there are too many."""

    def __init__(self, most=10_000):
        self.entries, self.most, self.lock = {}, most, threading.Lock()

    def get(self, key):
        with self.lock:
            return self.entries.get(key)

    def put(self, key, entry):
        with self.lock:
            if len(self.entries) >= self.most and key not in self.entries:
                self.entries.pop(next(iter(self.entries)))
            self.entries[key] = entry


def chosen(kind, names, given):
    """The names of those given that a policy takes: none, all, whitelist, allExcept."""
    if kind == "all":
        return list(given)
    listed = {name.lower() for name in names}
    if kind == "whitelist":
        return [name for name in given if name.lower() in listed]
    return [name for name in given if name.lower() not in listed] if kind == "allExcept" else []


def parameters(policy):
    """(query, headers, cookies) of a cache policy, each as (behavior, names)."""
    inner = policy.get("ParametersInCacheKeyAndForwardedToOrigin", {})
    query = inner.get("QueryStringsConfig", {})
    headers = inner.get("HeadersConfig", {})
    cookies = inner.get("CookiesConfig", {})
    return (
        (query.get("QueryStringBehavior", "none"), query.get("QueryStrings", {}).get("Items", [])),
        (headers.get("HeaderBehavior", "none"), headers.get("Headers", {}).get("Items", [])),
        (cookies.get("CookieBehavior", "none"), cookies.get("Cookies", {}).get("Items", [])),
    )


def key(distribution, policy, request):
    """What makes two requests the same: the place of the edge, the address, and what the policy names. Query parameters count in
    their order."""
    query, headers, cookies = parameters(policy)
    pairs = parse_qsl(request.query, keep_blank_values=True)
    taken = set(chosen(*query, {name for name, _ in pairs}))
    given = [(name, value) for name, value in pairs if name in taken]
    named = sorted(chosen(*headers, request.headers))
    jar = dict(part.strip().partition("=")[::2] for part in request.headers.get("cookie", "").split(";") if part.strip())
    crumbs = sorted((name, jar[name]) for name in chosen(*cookies, jar))
    return (request.place, distribution["id"], request.path, urlencode(given), tuple((name, request.headers[name]) for name in named),
            tuple(crumbs))


def directives(answer):
    """Cache-Control as a mapping."""
    text = answer.headers.get("cache-control", "")
    return {name.lower(): value.strip('"') for name, value in re.findall(r'([A-Za-z-]+)(?:=("[^"]*"|[^,\s]*))?', text)}


def seconds(policy, config, answer):
    """How long an answer is kept; 0: not at all."""
    if answer.status in ERRORS:
        return error_seconds(config, answer)
    if answer.status not in (200, 203, 204, 301, 302, 304, 307, 308, 410):
        return 0
    low, high = policy.get("MinTTL", 0), policy.get("MaxTTL", 31536000)
    said = directives(answer)
    if {"no-store", "no-cache", "private"} & said.keys():
        return low
    for name in ("s-maxage", "max-age"):
        if said.get(name, "").isdigit():
            return min(max(int(said[name]), low), high)
    if "expires" in answer.headers:
        try:
            left = parsedate_to_datetime(answer.headers["expires"]).timestamp() - time.time()
        except (TypeError, ValueError):
            left = 0
        return min(max(left, low), high)
    return min(max(policy.get("DefaultTTL", 86400), low), high)


def error_seconds(config, answer):
    """Errors are kept for ten seconds, or what the distribution says; longer when the origin says so."""
    custom = {each["ErrorCode"]: each for each in config.get("CustomErrorResponses", {}).get("Items", [])}
    least = custom.get(answer.status, {}).get("ErrorCachingMinTTL", ERROR_SECONDS)
    said = directives(answer)
    longest = [int(said[name]) for name in ("s-maxage", "max-age") if said.get(name, "").isdigit()]
    return max([least, *longest[:1]])


def not_modified(request, answer):
    """Whether a viewer has what is in the cache already: `If-None-Match` goes before `If-Modified-Since`."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        own = answer.headers.get("etag", "").removeprefix("W/")
        return tags.strip() == "*" or bool(own) and own in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since, changed = request.headers.get("if-modified-since"), answer.headers.get("last-modified")
    try:
        return bool(since and changed) and parsedate_to_datetime(changed) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
