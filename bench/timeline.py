#!/usr/bin/env python3
"""Where the time of one run went, from the proxy's log: every request on a time line, what was in flight, idle gaps, and
the chain of requests that ends last.

    bench/timeline.py requests.jsonl [--from SECONDS --until SECONDS] [--start SECONDS --end SECONDS]

--start and --end are the process's own, on the same clock. The chain is a guess from times alone: before each request
stands the one that ended last before it began.
"""

import argparse
import json
import sys

WIDTH = 60


def read(path, since=0.0, until=float("inf")):
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return sorted((row for row in rows if since <= row["begun"] <= until), key=lambda row: row["begun"])


def chain(rows):
    """Backwards from the request that ended last."""
    if not rows:
        return []
    at = max(rows, key=lambda row: row["ended"])
    links = [at]
    while True:
        before = [row for row in rows if row["ended"] <= at["begun"]]
        if not before:
            return links[::-1]
        at = max(before, key=lambda row: row["ended"])
        links.append(at)


def gaps(rows, start, end):
    """Stretches with nothing in flight: (from, until)"""
    found, reached = [], start
    for row in rows:
        if row["begun"] > reached:
            found.append((reached, row["begun"]))
        reached = max(reached, row["ended"])
    if end > reached:
        found.append((reached, end))
    return found


def most_at_once(rows):
    events = sorted([(row["begun"], 1) for row in rows] + [(row["ended"], -1) for row in rows])
    now = most = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


def name(row):
    text = f"{row['service']} {row['operation']}"
    return text if len(text) <= 78 else text[:77] + "…"


def show(rows, start=None, end=None, out=sys.stdout):
    if not rows:
        print("no requests", file=out)
        return
    start = rows[0]["begun"] if start is None else start
    end = max(row["ended"] for row in rows) if end is None else end
    span = end - start

    def ms(seconds):
        return f"{seconds * 1000:7.1f}"

    print(f"{len(rows)} requests, {most_at_once(rows)} at once at most, {len({row['connection'] for row in rows})} "
          f"connections, {span * 1000:.1f} ms", file=out)
    print("  begun     took  (ms)", file=out)
    for row in rows:
        left = int((row["begun"] - start) / span * WIDTH)
        long = max(1, int((row["ended"] - row["begun"]) / span * WIDTH))
        status = " -> given up by the client" if not row["status"] else "" if row["status"] < 300 else f" -> {row['status']}"
        print(f"{ms(row['begun'] - start)}  {ms(row['ended'] - row['begun'])}  |{' ' * left}{'#' * long:<{max(1, WIDTH - left)}}| "
              f"c{row['connection']} {row['region']} {name(row)}{status}", file=out)
    print("nothing in flight:", file=out)
    total = 0.0
    for since, until in gaps(rows, start, end):
        total += until - since
        if until - since >= 0.002:
            print(f"{ms(since - start)} .. {ms(until - start)}  {ms(until - since)} ms", file=out)
    print(f"  in all {total * 1000:.1f} ms", file=out)
    print("the chain that ends last (before | took):", file=out)
    reached = start
    for row in chain(rows):
        print(f"{ms(row['begun'] - reached)} | {ms(row['ended'] - row['begun'])}  {row['region']} {name(row)}", file=out)
        reached = row["ended"]
    print(f"{ms(end - reached)} | until the end", file=out)
    services = {}
    for row in rows:
        services[row["service"]] = services.get(row["service"], 0) + 1
    print("requests:", ", ".join(f"{service} {count}" for service, count in sorted(services.items())), file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--from", dest="since", type=float, default=0.0)
    parser.add_argument("--until", type=float, default=float("inf"))
    parser.add_argument("--start", type=float)
    parser.add_argument("--end", type=float)
    options = parser.parse_args()
    show(read(options.log, options.since, options.until), options.start, options.end)


if __name__ == "__main__":
    main()
