"""What is shown and what was measured: titles, commands with what they print, figures with how they came about."""

import json
import os
import subprocess
import sys
import time

PAINT = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, DIM, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if PAINT else ("", "", "")


class Wrong(Exception):
    """Something is not as it has to be; the text says what."""


def need(condition, text):
    if not condition:
        raise Wrong(text)


class Demo:
    """One run: where its files are, what it printed and measured."""

    def __init__(self, options):
        self.binary, self.work, self.account = options.binary, options.work, options.account
        self.report, self.model, self.onnxruntime = options.report, options.model, options.onnxruntime
        self.endpoint, self.plan, self.root = options.endpoint, options.plan, options.root
        self.begun, self.chapter, self.figures, self.skipped = time.monotonic(), "the beginning", [], []
        self.environment = {**os.environ, "AKIDB_EDGE_STATE": f"file:{os.path.join(self.work, 'state')}", "AKIDB_EDGE_ROUTE53_RATE": "0",
                            "COLUMNS": os.environ.get("COLUMNS", "110")}
        self.environment.pop("AKIDB_EDGE_PLAN", None)
        self.prefix, self.variables = options.prefix, {"model_dir": self.model, "prefix": options.prefix}

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def title(self, text):
        self.chapter = text
        print(f"\n{BOLD}== {text}{PLAIN}", flush=True)

    def say(self, text=""):
        print(text, flush=True)

    def show(self, command):
        print(f"{DIM}$ {command}{PLAIN}", flush=True)

    def measured(self, name, value, unit, how):
        """A figure of this run. It is measured here, or it is not written."""
        value = round(value, 3) if isinstance(value, float) else value
        self.figures.append({"name": name, "value": value, "unit": unit, "how": how})
        self.say(f"  measured: {name}: {value} {unit}")
        return value

    def command(self, words, options=()):
        """The whole command line of a verb, and what is shown of it."""
        named = [word for word in ("--plan", self.plan) if words[0] not in ("serve", "--version")]
        given = [word for name, value in sorted(self.variables.items()) for word in ("--var", f"{name}={value}")] if named else []
        shown = " ".join([*words, *(["--plan", os.path.relpath(self.plan, self.root)] if named else []), *options])
        return [self.binary, *words, *named, *given, *options], shown

    def edge(self, *words, options=(), expect=0, quiet=False, stdin=subprocess.DEVNULL, seconds=600):
        """Runs the binary with the plan; its output is shown, and returned."""
        command, shown = self.command(words, options)
        self.show(f"akidb-edge {shown}")
        begun = time.monotonic()
        done = subprocess.run(command, env=self.environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds, check=False, cwd=self.root)
        if not quiet or done.returncode != expect:
            print(done.stdout, end="", flush=True)
        need(done.returncode == expect, f"akidb-edge {words[0]} ended with {done.returncode}, not {expect}")
        return done.stdout, time.monotonic() - begun

    def document(self, *words, options=()):
        """The JSON document of a verb, not shown."""
        command, _ = self.command(words, [*options, "--json", "--quiet"])
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              check=False, cwd=self.root)
        need(done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def write_figures(self, path):
        document = {"schema": "akidb-edge/measured/v1", "title": "Week 13 on one machine",
                    "where": "this machine: a local AWS, servers and a device in namespaces; edge locations and distances are not real",
                    "figures": self.figures, "skipped": self.skipped}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")


def until(seconds, probe, what):
    """The first answer of probe that is true; looks every 50 ms."""
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        need(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.05)
