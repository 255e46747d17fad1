#!/usr/bin/env python3
"""Measures plainiso beside other file systems and holds the figures against the bars. Called by scripts/bench."""

import argparse
import fcntl
import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from suite import bars, images, machine, probes, report, rounds, systems, unpacking
from suite.figures import Figures
from suite.workspace import FULL, MOUNTS, QUICK, WORK, Failure, say

SECONDS_FOR_ROUNDS = 330
"""No round starts later than this, so that a slow machine gets fewer rounds and not a longer run."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="a small run of about a minute, which shows that everything works; the bars do not count")
    parser.add_argument("--tools", action="store_true",
                        help="measure beside the tools that make and unpack images, in place of file systems")
    parser.add_argument("--report", action="store_true",
                        help="write the figures and plots into docs/PERFORMANCE.md and docs/performance/")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE",
                        help="take the results of an earlier run in place of measuring")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a bar is not reached")
    return parser.parse_args()


def lock():
    """One run at a time: a second one would disturb the figures, and take away the mounts of the first."""
    file = (WORK / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure("another run is going on in this work folder") from None
    return file


def measure(scale, with_tools: bool) -> dict:
    MOUNTS.mkdir(parents=True, exist_ok=True)
    with lock():
        systems.sweep()
        return unpacking.measure(scale) if with_tools else measure_mounts(scale)


def measure_mounts(scale) -> dict:
    made = images.make(scale)
    with ExitStack() as stack:
        mounts = systems.Mounts(stack, made, scale)
        mounted = mounts.systems
        say(f"mounted {len(mounted)} systems; comparing their bytes")
        systems.verify(mounted, made)
        say("all bytes are right")
        deadline = time.monotonic() + SECONDS_FOR_ROUNDS
        samples, foreign = rounds.measure_all(mounted, scale, deadline)
    probed = probes.measure(made, scale)
    return {
        "scale": scale.name,
        "iso_bytes": scale.iso_bytes,
        "cache_bytes": probes.CACHE,
        "when": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(foreign),
        "missing": mounts.missing,
        "labels": {system.name: system.label for system in mounted.values()},
        "stored": made.stored,
        "samples": samples,
        "probes": probed,
    }


def take(source: Path | None, scale, with_tools: bool) -> dict:
    """The results of an earlier run, or of one that is made now and kept."""
    if source:
        results = json.loads(source.read_text())
    else:
        results = measure(scale, with_tools)
    if not with_tools:
        results["bars"] = [bar.as_dict() for bar in bars.evaluate(Figures(results))]
    if not source:
        path = WORK / f"results-{'tools-' if with_tools else ''}{scale.name}.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        say(f"results: {path}")
    return results


def main() -> int:
    asked = arguments()
    # A signal unwinds the stack, which takes all mounts away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by a signal"))
    os.environ["LC_ALL"] = "C"
    results = take(asked.source, QUICK if asked.quick else FULL, asked.tools)
    say(report.as_text(results))
    if asked.report:
        if results["scale"] != "full":
            raise Failure("a report needs a full run: its figures are meant to be believed")
        report.write(results)
    is_reached = all(bar["verdict"] != "FAIL" for bar in results.get("bars", []))
    return 1 if asked.strict and not is_reached else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"scripts/bench: {failure}")
    except KeyboardInterrupt:
        sys.exit("scripts/bench: interrupted")
