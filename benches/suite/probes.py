"""What is measured once and not in rounds: work per read, memory, starting."""

import json
import os
import shutil
import signal
import statistics as numbers
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from . import images as image_files
from .images import Images
from .rounds import statistics
from .systems import mountpoint, plainiso, unmount
from .workspace import MIB, PLAINISO, TOOLS, Failure, Scale, run, say

CACHE = 16 * MIB
"""What the streaming tests allow for decoded blocks."""

WORK_OF = ("zso-2k", "zso-16k", "cso-2k", "cso-16k", "dax", "isz-zlib-128k", "isz-zlib-256k", "isz-bzip2")


def measure(images: Images, scale: Scale) -> dict:
    say("work per read, memory, starting")
    return {
        "allocations": {name: _allocations(images, name) for name in WORK_OF},
        "streaming": {name: _streaming(images, name, scale) for name in WORK_OF},
        "four_together": _four_together(images),
        "system_calls": {name: _system_calls(images, name, scale) for name in ("zso-2k", "cso-2k", "isz-zlib-128k")},
        "many": {str(count): _many(scale, count) for count in scale.many},
        "start_ms": _starts(images, scale),
    }


def _allocations(images: Images, name: str) -> dict:
    """Per random read, by the size of the read."""
    return json.loads(run(TOOLS / "library", "allocations", images.packed(name)))


def _read(file: Path, *options) -> dict:
    return json.loads(run(TOOLS / "reader", file, *options))


def _streaming(images: Images, name: str, scale: Scale) -> dict:
    """A server of its own streams an image and answers random reads: memory at its peak, decodes per block."""
    path = mountpoint("alone")
    with plainiso(images.packed(name), path, f"cache={CACHE}") as pid:
        shown = path / f"{name}.iso"
        _read(shown, "--cold")
        decodes = statistics(shown)["bytes_in"] / images.stored[name]
        peak = _memory(pid)["VmHWM"]
        count = scale.count // 8 if name == "isz-bzip2" else scale.count
        _read(shown, "--cold", "--pattern", "random", "--block", "4K", "--count", count)
        return {"decodes_per_block": decodes, "peak_streaming": peak, "peak": _memory(pid)["VmHWM"]}


def _four_together(images: Images) -> dict:
    """Four readers stream the same ISZ at once."""
    path, name = mountpoint("alone"), "isz-zlib-128k"
    with plainiso(images.packed(name), path):
        shown = path / f"{name}.iso"
        taken = _read(shown, "--cold", "--readers", 4, "--together", "--block", "128K")
        counted = statistics(shown)
        return {"decodes_per_block": counted["bytes_in"] / images.stored[name], "mb_per_s": taken["mb_per_s"]}


def _memory(pid: int) -> dict[str, int]:
    """Bytes, from the process's status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = (line.split() for line in lines if line.startswith(("VmRSS", "VmHWM", "RssAnon")))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in fields}


def _system_calls(images: Images, name: str, scale: Scale) -> dict | None:
    """System calls of the server per READ, by name, over random reads of 4 KiB."""
    if not shutil.which("strace"):
        return None
    path = mountpoint("alone")
    with plainiso(images.packed(name), path) as pid:
        shown = path / f"{name}.iso"
        # The first read sets up what the others use.
        _read(shown, "--block", "4K", "--span", "4K")
        before = statistics(shown)["reads"]
        calls = _traced(pid, lambda: _read(shown, "--cold", "--pattern", "random", "--block", "4K",
                                           "--count", scale.count, "--seed", 5))
        reads = statistics(shown)["reads"] - before
    if calls is None or reads == 0:
        return None
    return {call: round(count / reads, 3) for call, count in calls.items() if count / reads >= 0.01}


def _traced(pid: int, work) -> dict[str, int] | None:
    report = mountpoint("alone").with_name("strace.out")
    command = ["strace", "-f", "-c", "-o", str(report), "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        said = tracer.stderr.readline()
        if "attached" not in said:
            say(f"left out system calls: {said.strip()}")
            return None
        work()
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=10)
    calls = {}
    for line in report.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


def _many(scale: Scale, count: int) -> dict:
    """A library of many images: from the start of the program to the end of `ls -l`, and memory afterwards."""
    folder, path = image_files.make_many(count), mountpoint("many")
    taken, memory = [], {}
    for _ in range(max(2, scale.starts // 2) + 1):
        with ExitStack() as stack:
            began = time.perf_counter()
            pid = _spawn(stack, [PLAINISO, "mount", "-f", "-q", folder, path], path)
            listed = _until_listed(path, count)
            taken.append((time.perf_counter() - began) * 1e3)
            if listed != count:
                raise Failure(f"ls -l shows {listed} of {count} images")
            memory = _memory(pid)
    # The first one warms up what lies below.
    return {"ls_ms": numbers.median(taken[1:]), "resident": memory["VmRSS"], "anonymous": memory["RssAnon"]}


def _until_listed(path: Path, count: int) -> int:
    while not os.path.ismount(path):
        pass
    return run("ls", "-l", path).count(".iso\n")


def _starts(images: Images, scale: Scale) -> dict[str, float]:
    """Milliseconds from the start of the program to the first byte read through the mount."""
    path = mountpoint("start")
    small = image_files.make_many(scale.many[0]) / "Disc 00000.zso"
    sources = {"small": small, "zso-2k": images.packed("zso-2k"), "isz-zlib-128k": images.packed("isz-zlib-128k")}
    large = image_files.make_large(scale)
    if large:
        sources["large"] = large
    servers = {name: ([PLAINISO, "mount", "-f", "-q", source, path], path / f"{source.stem}.iso")
               for name, source in sources.items()}
    servers["null"] = ([TOOLS / "nullfs", path], path / "null.iso")
    taken = {name: [] for name in servers}
    for number in range(scale.starts + 1):
        for name, (command, shown) in servers.items():
            milliseconds = _start(command, path, shown)
            if number > 0:
                taken[name].append(milliseconds)
    return {name: numbers.median(times) for name, times in taken.items()}


def _start(command: list, path: Path, shown: Path) -> float:
    with ExitStack() as stack:
        began = time.perf_counter()
        _spawn(stack, command, path)
        _first_byte(shown, began)
        return (time.perf_counter() - began) * 1e3


def _first_byte(shown: Path, began: float) -> None:
    """Asks until it is answered, without a pause: sleeping would be measured too."""
    while True:
        try:
            file = os.open(shown, os.O_RDONLY)
        except FileNotFoundError:
            if time.perf_counter() - began > 10:
                raise Failure(f"{shown} does not appear") from None
            continue
        try:
            os.read(file, 1)
            return
        finally:
            os.close(file)


def _spawn(stack: ExitStack, command: list, path: Path) -> int:
    """Starts a server in the cheapest way, because the start itself is measured."""
    words = [str(word) for word in command]
    silent = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=silent)

    def end() -> None:
        unmount(path)
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)

    stack.callback(end)
    return pid
