"""What `up` and `down` share: the state folder, locks, and finding a server that is still alive. Standard library only."""

import contextlib
import errno
import fcntl
import http.client
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, ".run")
VENV = os.path.join(HERE, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
HOST = "127.0.0.1"
DEFAULT_PORT = 4566
DEFAULT_ACCOUNT = "000000000000"
TICK = 0.02


class Failure(Exception):
    """Ends the command with exit status 1; the text says what happened and what to do next."""


def say(text, quiet=False):
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def account_number(text):
    if not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError(text)
    return text


def state_dir(port):
    return os.path.join(RUN, str(port))


def state_ports():
    """Ports that have a state folder."""
    try:
        return sorted(int(name) for name in os.listdir(RUN) if name.isdigit())
    except FileNotFoundError:
        return []


def read(path, default=None):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return default


def write(path, text):
    """Whole file or nothing."""
    part = f"{path}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(part, path)


def until(deadline, probe):
    """Call probe until it answers something true or the deadline passes. Returns its last answer."""
    while True:
        answer = probe()
        if answer or time.monotonic() >= deadline:
            return answer
        time.sleep(TICK)


@contextlib.contextmanager
def lock(name, seconds, waiting=None):
    """An flock on .run/locks/NAME. The file stays: removing it would let two holders in."""
    path = os.path.join(RUN, "locks", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # Not inheritable, so a server that is started under the lock does not keep it.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    told = False

    def take():
        nonlocal told
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if waiting and not told:
                told = True
                say(waiting)
            return False

    try:
        if not until(time.monotonic() + seconds, take):
            raise Failure(f"another process has held {path} for {seconds} s; wait for it or end it, then try again")
        yield
    finally:
        os.close(handle)


def identity(pid):
    """Something that differs when the number was given to another process since; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        # state, ..., start time in ticks since boot; a zombie is gone for us.
        return None if fields[0] in ("Z", "X") else f"proc {fields[19]}"
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return None
    except ProcessLookupError:
        return None
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    stat, _, started = answer.stdout.strip().partition(" ")
    return None if not stat or stat.startswith("Z") else f"ps {started.strip()}"


def server_pid(port):
    """The process id of the server that this folder started on that port, if it is still that process."""
    text = read(os.path.join(state_dir(port), "pid"))
    if not text or not text.isdigit():
        return None
    known = read(os.path.join(state_dir(port), "identity"))
    return int(text) if known and identity(int(text)) == known else None


def listening(port):
    """Whether anything takes connections on the port."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        return probe.connect_ex((HOST, port)) == 0


def request(port, method, path, body=None, headers=None, timeout=10):
    """One HTTP request to the server: (status, body)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ready(port):
    """Whether a MiniStack answers there and says that it is ready."""
    try:
        status, body = request(port, "GET", "/_ministack/ready", timeout=2)
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and b'"status"' in body
