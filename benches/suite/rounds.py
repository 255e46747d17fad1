"""The tests that all systems pass through, round by round, in an order by chance."""

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .images import PACKED
from .systems import System
from .workspace import MIB, TOOLS, Scale, run, say

PACKED_NAMES = {Path(name).stem for name in PACKED}

# Every round starts each test with each system, so that noise of the machine meets all of them alike.
CPUS = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Test:
    name: str
    title: str
    options: tuple[str, ...]
    is_random: bool = False
    place: str = "free"
    """Where programs run. 'pinned': server and reader on one CPU. A reader and its server take turns; on two idle
    CPUs each turn would measure how long an idle CPU takes to wake. 'apart': the server on one CPU, the reader on
    the others."""
    state: str = "cold"
    """'cold': nothing of the file is in the page cache, all of its source is. 'warm': it was read before.
    'disk': neither is in the page cache."""
    only: tuple[str, ...] = ()
    span: int = 0
    readers: int = 1


TESTS = (
    Test("random-4k", "4 KiB at random", ("--block", "4K"), True, "pinned"),
    Test("random-16k", "16 KiB at random", ("--block", "16K"), True, "pinned"),
    Test("random-64k", "64 KiB at random", ("--block", "64K"), True, "pinned"),
    Test("random-4k-warm", "4 KiB at random, read before", ("--block", "4K"), True, "pinned", "warm"),
    Test("random-4k-disk", "4 KiB at random, cold disk", ("--block", "4K"), True, "pinned", "disk",
         only=("ext4", "zso-2k", "cso-2k", "isz-zlib-128k", "plain")),
    Test("local-4k", "4 KiB at random within 4 MiB", ("--block", "4K"), True, "pinned",
         only=("null", "isz-zlib-256k"), span=4 * MIB),
    Test("sequential-pinned", "1 MiB in order, one CPU", ("--block", "1M"), place="pinned",
         only=("null", "zso-2k", "cso-2k", "kernel-squashfs-lz4", "kernel-squashfs-gzip", "kernel-erofs-lz4hc")),
    Test("sequential-1m", "1 MiB in order", ("--block", "1M")),
    Test("sequential-apart", "1 MiB in order, server on one CPU", ("--block", "1M"), place="apart",
         only=("cso-2k",)),
    Test("sequential-128k", "128 KiB in order", ("--block", "128K")),
    Test("sequential-1m-warm", "1 MiB in order, read before", ("--block", "1M"), state="warm"),
    Test("sequential-1m-4", "1 MiB in order, four readers", ("--block", "1M"), readers=4),
    Test("random-4k-4", "4 KiB at random, four readers", ("--block", "4K"), True, readers=4),
)


def measure_all(systems: dict[str, System], scale: Scale, deadline: float) -> tuple[dict, list[float]]:
    """samples[test][system] has one sample per round, None where it failed. Round 0 warms up and is not kept."""
    samples = {test.name: {} for test in TESTS}
    foreign = []
    chance = random.Random(1)
    for number in range(scale.rounds + 1):
        if number > 1 and time.monotonic() > deadline:
            say(f"stopping after {number - 1} rounds: the time is up")
            break
        say(f"round {number} of {scale.rounds}" if number else "warming up")
        foreign.append(busy_elsewhere())
        for test in TESTS:
            _round(test, number, systems, scale, chance, samples[test.name])
    return samples, foreign


def _round(test: Test, number: int, systems: dict[str, System], scale: Scale, chance, into: dict) -> None:
    order = [system for system in systems.values() if not test.only or _plain_name(system) in test.only]
    chance.shuffle(order)
    _place_servers(test.place, order)
    for system in order:
        if number == 0:
            # Enough to have every buffer and page of the servers there.
            _measure(test, system, scale, number, divide=8)
        else:
            into.setdefault(system.name, []).append(_measure(test, system, scale, number))


def _plain_name(system: System) -> str:
    return system.name.removesuffix("-direct")


def _measure(test: Test, system: System, scale: Scale, number: int, divide: int = 1) -> dict | None:
    command = [*_place_reader(test.place), str(TOOLS / "reader"), str(system.file), *test.options,
               "--readers", str(test.readers), *_state(test, system)]
    weight = system.weight * divide
    if test.is_random:
        count = max(20, scale.count // weight) if test.state != "disk" else max(20, scale.count // 4 // divide)
        command += ["--pattern", "random", "--seed", str(number * 1000 + 17), "--count", str(count)]
    if test.span or not test.is_random:
        command += _window(test, scale, weight, number)
    if test.state == "warm":
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    counted, used = statistics(system.file), server_cpu(system.pid)
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        say(f"{test.name} of {system.name} failed: {done.stderr.strip()[-200:]}")
        return None
    sample = json.loads(done.stdout)
    sample["server_ns_per_byte"] = (server_cpu(system.pid) - used) / sample["bytes"]
    if test.name == "sequential-1m" and system.name in PACKED_NAMES:
        sample |= _decode(system, _window(test, scale, weight, number))
    sample["requests"] = statistics(system.file).get("reads", 0) - counted.get("reads", 0)
    return sample


def _window(test: Test, scale: Scale, weight: int, number: int) -> list[str]:
    """The part of the image that a slow system reads. It moves from test to test, so that no test finds blocks in a
    cache that the test before it put there."""
    span = test.span or max(4 * MIB, scale.iso_bytes // weight)
    turn = number * len(TESTS) + TESTS.index(test)
    start = turn % max(1, scale.iso_bytes // span) * span
    return ["--start", str(start), "--span", str(span)]


def _decode(system: System, window: list[str]) -> dict:
    """The same bytes by one decoder without a mount, right after the mount gave them."""
    return json.loads(run(*_place_reader("pinned"), TOOLS / "library", "decode", system.source, *window))


def _state(test: Test, system: System) -> list[str]:
    """The file itself has no page cache but its own, so it stays hot unless the disk is measured."""
    match test.state:
        case "warm":
            return []
        case "disk":
            return ["--cold", "--drop", str(system.source)]
        case _ if system.is_plain:
            return ["--load", str(system.source)]
        case _:
            return ["--cold", "--load", str(system.source)]


def statistics(path: Path) -> dict:
    """What plainiso counted for an image, or for all of a mount when asked at its root."""
    try:
        return json.loads(os.getxattr(path, "user.plainiso.stats"))
    except OSError:
        return {}


def server_cpu(pid: int | None) -> int:
    """Nanoseconds that all threads of a server ran."""
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*") if pid else ():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def _place_servers(place: str, systems: list[System]) -> None:
    cpus = {CPUS[0]} if place in ("pinned", "apart") else set(CPUS)
    for pid in {system.pid for system in systems if system.pid}:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                os.sched_setaffinity(int(task), cpus)
            except ProcessLookupError:
                pass


def _place_reader(place: str) -> list[str]:
    cpus = CPUS[:1] if place == "pinned" else CPUS[1:] if place == "apart" and len(CPUS) > 1 else CPUS
    return ["taskset", "-c", ",".join(map(str, cpus))]


def busy_elsewhere() -> float:
    """CPUs that other programs use, seen over a moment in which we do nothing."""
    def busy() -> float:
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _idle, _wait, irq, soft, *_ = map(int, stat.readline().split()[1:])
        return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
    before = busy()
    time.sleep(0.5)
    return (busy() - before) / 0.5
