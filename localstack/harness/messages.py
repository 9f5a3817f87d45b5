"""Requests and answers on their way: headers whatever their case, bodies that end, one connection each."""

import http.client
import socket

MAX_BODY = 20 * 1024 * 1024
HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}


class Request:
    """What a viewer sends."""

    def __init__(self, method, path, query, headers, body, place, secure):
        self.method, self.path, self.query = method, path, query
        self.headers, self.body = headers, body
        self.place, self.secure = place, secure

    def target(self):
        return self.path + (f"?{self.query}" if self.query else "")

    def copy(self, **changed):
        fields = {"method": self.method, "path": self.path, "query": self.query, "headers": dict(self.headers), "body": self.body,
                  "place": self.place, "secure": self.secure}
        return Request(**{**fields, **changed})


class Answer:
    """What comes back."""

    def __init__(self, status, headers=None, body=b"", way=()):
        self.status, self.body, self.way = status, body, list(way)
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}

    def copy(self):
        return Answer(self.status, dict(self.headers), self.body, self.way)


class Unreachable(Exception):
    """No answer from an origin; `status` is what CloudFront tells the viewer."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def send(target, request, host, headers, timeout, attempts=1):
    """One request over a connection of its own. Connecting is tried again, sending never."""
    connection = http.client.HTTPConnection(*target, timeout=timeout)
    for attempt in range(attempts):
        try:
            connection.connect()
            break
        except OSError as error:
            if attempt + 1 == attempts:
                raise Unreachable(502, f"{target[0]}:{target[1]}: {error}") from None
    try:
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.putrequest(request.method, request.target(), skip_host=True, skip_accept_encoding=True)
        sent = {"host": host, **{name: value for name, value in headers.items() if name not in HOP and name not in ("host", "content-length")}}
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            sent["content-length"] = str(len(request.body))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        body = answer.read(MAX_BODY + 1)
    except TimeoutError:
        raise Unreachable(504, f"{target[0]}:{target[1]} does not answer within {timeout} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(502, f"{target[0]}:{target[1]}: {type(error).__name__}: {error}") from None
    finally:
        connection.close()
    if len(body) > MAX_BODY:
        raise Unreachable(502, "the answer is larger than 20 MiB")
    kept = {}
    for name, value in answer.getheaders():
        name = name.lower()
        if name not in HOP and name != "content-length":
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return Answer(answer.status, kept, body)
