"""Runs mutants that stand behind switches in one compilation: which tests reach each, then only these, the quickest first."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import rewrite

MODULE = '''//! Switches between the code as it is and one mutant of it, by the environment; written by tests/mutants/run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static CHOSEN: OnceLock<usize> = OnceLock::new();
static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

/// Whether mutant `number` is the one that is chosen. A list of those that were reached is written to the file MUTANT_REACHED.
pub fn on(number: usize) -> bool {
    let chosen = *CHOSEN.get_or_init(|| std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX));
    if chosen == usize::MAX && !REACHED[number].swap(true, Ordering::Relaxed) {
        if let Some(path) = std::env::var_os("MUTANT_REACHED") {
            use std::io::Write;
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
            let _ = file.and_then(|mut file| file.write_all(format!("{number}\\n").as_bytes()));
        }
    }
    chosen == number
}
'''
MARK = re.compile(r"/\*<m(\d+)\*/|/\*m(\d+)>\*/")
# A test that is stopped this long after what the slowest of its group took alone has found the mutant.
PATIENCE_S, FACTOR = 20.0, 6.0


def say(text):
    print(text, file=sys.stderr, flush=True)


class Tree:
    """A copy of the repository with all mutants of some files in it."""

    def __init__(self, root, crate, mutants):
        self.root, self.crate = pathlib.Path(root), crate
        self.mutants = mutants
        self.originals = {}
        # Number -> why it cannot be run here.
        self.dropped = {}

    def write(self):
        """Writes the files anew, without what was dropped."""
        files = {}
        for number, mutant in enumerate(self.mutants):
            if number in self.dropped:
                continue
            path = mutant["file"]
            source = self.originals.setdefault(path, (self.root / path).read_bytes())
            try:
                files.setdefault(path, rewrite.File(source)).add(number, mutant)
            except rewrite.Inexpressible as reason:
                self.dropped[number] = str(reason)
        for path in self.originals:
            text = files[path].text() if path in files else self.originals[path].decode()
            target = self.root / path
            if target.read_text() != text:
                target.write_text(text)
        library = self.root / self.crate / "src" / "lib.rs"
        head = "#[doc(hidden)]\npub mod mutant_switch;\n"
        text = library.read_text()
        if head not in text:
            library.write_text(text + "\n" + head)
        (library.parent / "mutant_switch.rs").write_text(MODULE.replace("COUNT", str(len(self.mutants))))

    def compile(self, command, environment):
        """The test programs, after all that does not compile was dropped."""
        for _ in range(40):
            self.write()
            done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
            messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode == 0:
                return [message["executable"] for message in messages if message.get("executable")]
            wrong = self.wrong(messages)
            if not wrong:
                sys.exit(f"tests/mutants/run: the copy does not compile, and no mutant is the reason:\n{done.stderr[-4000:]}")
            say(f"{len(wrong)} mutants do not compile behind a switch")
            self.dropped.update(wrong)
        sys.exit("tests/mutants/run: the copy does not compile after 40 attempts")

    def wrong(self, messages):
        """The mutants to which errors of the compiler belong, with its words."""
        wrong = {}
        for message in messages:
            body = message.get("message")
            if not body or body["level"] != "error":
                continue
            for span in [span for span in body["spans"] if span["is_primary"]] or body["spans"]:
                path = self.root / span["file_name"]
                number = owner(path.read_bytes(), span["byte_start"], span["byte_end"]) if path.exists() else None
                if number is not None:
                    wrong.setdefault(number, body["message"])
        return wrong


def owner(source, start, end):
    """The mutant in whose code a range lies; the next one before it when it lies in none."""
    text = source.decode()
    start = len(source[:start].decode())
    inside, last = [], None
    for mark in MARK.finditer(text):
        if mark.start() > start:
            # An error of a whole expression starts before the code of its mutants.
            if inside or last is not None:
                break
            if mark.start() < len(source[:end].decode()):
                return int(mark[1] or mark[2])
            break
        if mark[1]:
            inside.append(int(mark[1]))
        else:
            inside.pop()
            last = int(mark[2])
    return inside[-1] if inside else last


def tests_of(program, folder, environment):
    done = subprocess.run([program, "--list", "--format", "terse"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return [line.removesuffix(": test") for line in done.stdout.splitlines() if line.endswith(": test")]


def baseline(program, name, folder, environment):
    """How long one test takes, and the mutants that it reaches; None when it is left out or fails."""
    path = folder / f".reached-{os.getpid()}-{abs(hash((program, name)))}"
    began = time.monotonic()
    done = subprocess.run([program, "--exact", name], cwd=folder, env={**environment, "MUTANT_REACHED": str(path)},
                          capture_output=True, text=True)
    took = time.monotonic() - began
    reached = {int(line) for line in path.read_text().split()} if path.exists() else set()
    path.unlink(missing_ok=True)
    if done.returncode or "1 passed" not in done.stdout:
        if done.returncode:
            say(f"left out, it fails without a mutant: {name}")
        return None
    return took, reached


class Tests:
    """The tests of some programs, with what each reaches."""

    def __init__(self, programs, folder, environment, jobs):
        self.folder, self.environment, self.jobs = folder, environment, jobs
        every = [(program, name) for program in programs for name in tests_of(program, folder, environment)]
        with ThreadPoolExecutor(jobs) as pool:
            results = list(pool.map(lambda test: baseline(*test, folder, environment), every))
        self.known = {test: result for test, result in zip(every, results) if result}
        say(f"{len(self.known)} tests, {sum(took for took, _ in self.known.values()):.0f} s one after the other")

    def reaching(self, number):
        return sorted((took, test) for test, (took, reached) in self.known.items() if number in reached)

    def finds(self, number):
        """caught, timeout or missed, and the test that found it."""
        tests = self.reaching(number)
        group, limit = [], 0.0
        for index, (took, (program, name)) in enumerate(tests):
            group.append(name)
            limit += took
            following = tests[index + 1] if index + 1 < len(tests) else None
            if following and following[1][0] == program and len(group) < 30 and limit < 1.0:
                continue
            command = [program, "--exact", "--test-threads", "1", *group]
            try:
                done = subprocess.run(command, cwd=self.folder, env={**self.environment, "MUTANT": str(number)},
                                      capture_output=True, text=True, errors="replace", timeout=PATIENCE_S + FACTOR * limit)
            except subprocess.TimeoutExpired:
                return "timeout", group[0]
            if done.returncode:
                failed = re.search(r"^test (\S+) \.\.\. FAILED", done.stdout, re.M)
                return "caught", failed[1] if failed else group[0]
            group, limit = [], 0.0
        return "missed", None

    def all(self, numbers):
        """(number, how it ended, by which test), as they end."""
        with ThreadPoolExecutor(self.jobs) as pool:
            yield from pool.map(lambda number: (number, *self.finds(number)), numbers)
