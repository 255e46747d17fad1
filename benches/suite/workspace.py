"""Where things lie, how large a run is, and how programs are called."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target")).resolve()
PLAINISO = TARGET / "release" / "plainiso"
TOOLS = TARGET / "bench-tools" / "release"
WORK = TARGET / "bench"
MOUNTS = WORK / "mnt"

MIB = 1 << 20


@dataclass(frozen=True)
class Scale:
    """How much is done. The quick scale shows that everything works; its figures say little."""

    name: str
    iso_bytes: int
    rounds: int
    count: int
    """Random reads of a test of a fast system."""
    starts: int
    many: tuple[int, ...]
    large_bytes: int
    """Plain size of an image of zeroes, to see whether starting depends on the size; 0 leaves it out."""
    tools_bytes: int
    """Size of the plain image that other people's tools pack and unpack."""
    tools_rounds: int


FULL = Scale("full", 256 * MIB, 9, 1500, 9, (1000, 10000), 4 << 30, 128 * MIB, 5)
QUICK = Scale("quick", 16 * MIB, 1, 100, 2, (100,), 0, 8 * MIB, 1)


class Failure(Exception):
    """Something that the user must hear of, in one sentence."""


def run(*command) -> str:
    """Runs a program to its end and returns what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise Failure(f"'{words[0]}' is not installed") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise Failure(f"{Path(words[0]).name}: {said[-1]}")
    return done.stdout


def say(text: str) -> None:
    print(text, flush=True)
