"""Requests that go on while something changes: every answer is looked at."""

import threading
import time
from urllib.parse import urlencode

from parts import NotTaken

MODEL = "all-MiniLM-L6-v2"
# So that a machine of two cores has some of them left for what changes.
PAUSE = 0.1


class Stream:
    """One client that sends a request after the other, with a short pause between them, each with a text of its own."""

    def __init__(self, name, send):
        self.name, self.send = name, send
        self.answered, self.failed, self.not_taken, self.versions = 0, [], [], []

    def run(self, stop):
        number = 0
        while not stop.wait(PAUSE):
            number += 1
            text = f"{self.name} {number}"
            try:
                status, _, document, _ = self.send(text)
            except NotTaken as error:
                self.not_taken.append(f"{text}: {error}")
                continue
            except Exception as error:  # whatever it is: the request was not answered
                self.failed.append(f"{text}: {type(error).__name__}: {error}")
                continue
            if status != 200 or len(document["embeddings"][0]) != 384:
                self.failed.append(f"{text}: {status} {str(document)[:300]}")
                continue
            self.answered += 1
            if not self.versions or self.versions[-1] != document["version"]:
                self.versions.append(document["version"])


class Load:
    """Streams that run until they are told to stop."""

    def __init__(self, streams):
        self.streams, self.stop = streams, threading.Event()
        self.threads = [threading.Thread(target=stream.run, args=(self.stop,), daemon=True) for stream in streams]
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        return time.monotonic() - self.begun

    def failed(self):
        """Requests that were sent and not answered as they should be."""
        return [failure for stream in self.streams for failure in stream.failed]

    def not_taken(self):
        """Connections that nobody took."""
        return [failure for stream in self.streams for failure in stream.not_taken]

    def answered(self):
        return sum(stream.answered for stream in self.streams)

    def all_at(self, version):
        """Whether the last answer of each stream is of this version."""
        return all(stream.versions and stream.versions[-1] == version for stream in self.streams)


def posting(view):
    """A stream's sender: POST, which no cache keeps."""
    return lambda text: view("POST", "/api/v1/embed", {"model": MODEL, "inputs": [text]})


def getting(view):
    """A stream's sender: GET at the address whose answers are cached."""
    return lambda text: view("GET", "/api/v1/embed?" + urlencode({"model": MODEL, "input": text}))
