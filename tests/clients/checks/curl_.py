"""curl: the one that is installed by its command, today's libcurl by pycurl (argument "libcurl")."""

import gzip
import io
import json
import os
import subprocess
import sys
import tempfile

from common import MODEL, TEXTS, URL, Checks, all_same, same

TLS, CA, KEY = (os.environ[f"CLIENTS_{name}"] for name in ("TLS", "CA", "KEY"))
LARGE = json.dumps({"inputs": ["fast " * 100_000] * 8, "truncate": True}).encode()


class Answer:
    def __init__(self, status, protocol, headers, body):
        self.status, self.protocol, self.headers, self.body = status, protocol, headers, body

    def json(self):
        return json.loads(self.body)


def by_command(url, body=None, version="1.1", headers=(), key=None):
    how = {"1.1": ["--http1.1"], "2": ["--http2"], "prior": ["--http2-prior-knowledge"]}[version]
    with tempfile.NamedTemporaryFile() as sent, tempfile.NamedTemporaryFile() as said:
        command = ["curl", "--silent", "--show-error", *how, "--cacert", CA, "--max-time", "60", "--dump-header", said.name,
                   "--write-out", "\n%{http_code} %{http_version}"]
        if body is not None:
            sent.write(body)
            sent.flush()
            command += ["--header", "content-type: application/json", "--data-binary", f"@{sent.name}"]
        for header in [*headers, *([f"authorization: Bearer {key}"] if key else [])]:
            command += ["--header", header]
        ended = subprocess.run([*command, url], capture_output=True, timeout=90)
        assert ended.returncode == 0, f"curl ended with {ended.returncode}: {ended.stderr.decode()}"
        text, _, last = ended.stdout.rpartition(b"\n")
        status, protocol = last.split()
        return Answer(int(status), protocol.decode(), said.file.read().decode().lower(), text)


def by_library(url, body=None, version="1.1", headers=(), key=None):
    import pycurl

    found, said = io.BytesIO(), []
    handle = pycurl.Curl()
    names = {"1.1": pycurl.CURL_HTTP_VERSION_1_1, "2": pycurl.CURL_HTTP_VERSION_2TLS, "prior": pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}
    sent = ["content-type: application/json", *headers, *([f"authorization: Bearer {key}"] if key else [])]
    for option, value in ((pycurl.URL, url), (pycurl.HTTP_VERSION, names[version]), (pycurl.CAINFO, CA), (pycurl.TIMEOUT, 60),
                          (pycurl.WRITEDATA, found), (pycurl.HTTPHEADER, sent), (pycurl.HEADERFUNCTION, said.append)):
        handle.setopt(option, value)
    if body is not None:
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.POSTFIELDSIZE, len(body))
        handle.setopt(pycurl.READDATA, io.BytesIO(body))
    handle.perform()
    protocol = {pycurl.CURL_HTTP_VERSION_1_1: "1.1"}.get(handle.getinfo(pycurl.INFO_HTTP_VERSION), "2")
    return Answer(handle.getinfo(pycurl.RESPONSE_CODE), protocol, b"".join(said).decode().lower(), found.getvalue())


if sys.argv[1:] == ["libcurl"]:
    import pycurl

    ask = by_library
    check = Checks("libcurl (pycurl)")
    check.version = pycurl.version_info()[1]
else:
    ask = by_command
    check = Checks("curl")
    check.version = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout.split()[1]

BODY = json.dumps({"inputs": TEXTS, "truncate": True}).encode()

for name, url, version, protocol, key in (("HTTP/1.1", URL, "1.1", "1.1", None), ("HTTP/2 without TLS", URL, "prior", "2", None),
                                          ("HTTP/1.1 over TLS", TLS, "1.1", "1.1", KEY), ("HTTP/2 over TLS", TLS, "2", "2", KEY)):

    @check(f"{name}: a batch")
    def _():
        answer = ask(f"{url}/embed", BODY, version, key=key)
        assert answer.status == 200 and answer.protocol == protocol, (answer.status, answer.protocol, answer.body[:200])
        all_same(answer.json())

    @check(f"{name}: /api/v1/embed, /v1/embeddings, /")
    def _():
        for path, body in (("/api/v1/embed", {"inputs": ["errors"]}), ("/v1/embeddings", {"input": "errors", "model": MODEL}), ("/", {"inputs": "errors"})):
            answer = ask(url + path, json.dumps(body).encode(), version, key=key)
            assert answer.status == 200, (path, answer.status, answer.body[:200])
            found = answer.json()
            row = found if isinstance(found, list) else found.get("data") or found["embeddings"]
            vector = row[0]["embedding"] if isinstance(row[0], dict) else row[0]
            same(vector, "errors")

    @check(f"{name}: 4 MB are answered")
    def _():
        answer = ask(f"{url}/embed", LARGE, version, key=key)
        assert answer.status in (200, 400, 413, 422), (answer.status, answer.body[:200])
        if answer.status == 200:
            assert len(answer.json()) == 8

    @check(f"{name}: a body that is too large is refused with words")
    def _():
        answer = ask(f"{url}/embed", b'{"inputs": "' + b"a" * (9 << 20) + b'"}', version, key=key)
        assert answer.status == 413 and answer.json()["error"], (answer.status, answer.body[:200])

    @check(f"{name}: gzip, with and without expect")
    def _():
        for more in ([], ["expect: 100-continue"], ["expect:"]):
            answer = ask(f"{url}/embed", gzip.compress(BODY), version, ["content-encoding: gzip", *more], key)
            assert answer.status == 200, (more, answer.status, answer.body[:200])
            all_same(answer.json())

    @check(f"{name}: GET with an ETag, and 304")
    def _():
        first = ask(f"{url}/api/v1/embed?input=hello%20world", None, version, key=key)
        same(first.json()["embeddings"][0] if "embeddings" in first.json() else first.json()["data"][0], "hello world")
        tag = next(line.split(":", 1)[1].strip() for line in first.headers.splitlines() if line.startswith("etag:"))
        assert ask(f"{url}/api/v1/embed?input=hello%20world", None, version, [f"if-none-match: {tag}"], key).status == 304

    @check(f"{name}: slashes at the end, /info, /health, /v1/models")
    def _():
        for path in ("/health", "/health/", "/info", "/info/", "/v1/models", "/v1/models/", "/ping"):
            answer = ask(url + path, None, version, key=key)
            assert answer.status == 200, (path, answer.status)

for version, protocol in (("1.1", "1.1"), ("2", "2")):

    @check(f"HTTP/{protocol} over TLS without a key: the 401 is seen, whatever the size")
    def _():
        for body in (BODY, LARGE, b"a" * (20 << 20)):
            for more in ([], ["expect:"]):
                answer = ask(f"{TLS}/embed", body, version, more)
                assert answer.status == 401 and answer.json()["error"], (len(body), answer.status, answer.body[:200])


check.end()
