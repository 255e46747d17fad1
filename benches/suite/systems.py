"""What is compared: file systems that all show the same image, mounted side by side."""

import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .images import Images
from .workspace import MOUNTS, PLAINISO, TOOLS, Failure, Scale, run, say


@dataclass(frozen=True)
class System:
    """`source` is the file below, `weight` how many times less is read of it, because it is slow."""

    name: str
    label: str
    file: Path
    source: Path
    pid: int | None = None
    weight: int = 1
    is_plain: bool = False
    """The file itself, in the page cache."""


# name: label, weight. Systems that are compared have the same weight, so that they read the same bytes.
SHOWN = {
    "zso-2k": ("plainiso ZSO 2K", 1),
    "zso-16k": ("plainiso ZSO 16K", 1),
    "cso-2k": ("plainiso CSO 2K", 4),
    "cso-16k": ("plainiso CSO 16K", 4),
    "dax": ("plainiso DAX 8K", 4),
    "isz-zlib-128k": ("plainiso ISZ zlib 128K", 4),
    "isz-zlib-256k": ("plainiso ISZ zlib 256K", 4),
    "isz-bzip2": ("plainiso ISZ bzip2 128K", 16),
    "plain": ("plainiso plain ISO", 1),
}

# Those that are also mounted with direct_io.
DIRECT = ["zso-2k", "cso-2k", "isz-zlib-128k"]

KERNEL = {
    "kernel-squashfs-lz4": ("kernel squashfs lz4 128K", "squashfs", "lz4.squashfs", 1),
    "kernel-squashfs-gzip": ("kernel squashfs gzip 128K", "squashfs", "gzip.squashfs", 4),
    "kernel-erofs-lz4hc": ("kernel erofs lz4hc 4K", "erofs", "lz4hc.erofs", 1),
}

SQUASHFUSE = {
    "squashfuse-lz4": ("squashfuse_ll lz4 128K", "lz4.squashfs", 1),
    "squashfuse-gzip": ("squashfuse_ll gzip 128K", "gzip.squashfs", 4),
}


def mountpoint(name: str) -> Path:
    path = MOUNTS / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def unmount(path: Path) -> None:
    """As root or as a user, lazily where something still reads."""
    for command in (["umount"], ["fusermount3", "-u", "-q"], ["umount", "-l"], ["fusermount3", "-u", "-z", "-q"]):
        if not os.path.ismount(path):
            return
        subprocess.run([*command, path], stderr=subprocess.DEVNULL, check=False)


def sweep() -> None:
    """Takes away what a killed run left mounted."""
    with open("/proc/mounts", encoding="utf-8", errors="replace") as table:
        left = [line.split(" ")[1] for line in table]
    for path in reversed(left):
        if path.startswith(f"{MOUNTS}/"):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL, check=False)


@contextmanager
def served(command: list, path: Path):
    """A server in the foreground, from when its mount answers until it is unmounted; gives its process number."""
    log = path.with_name(path.name + ".log")
    with log.open("w") as out:
        words = [str(word) for word in command]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _wait_for_mount(server, path, log)
        yield server.pid
    finally:
        unmount(path)
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for_mount(server: subprocess.Popen, path: Path, log: Path) -> None:
    deadline = time.monotonic() + 10
    while not os.path.ismount(path):
        if server.poll() is not None or time.monotonic() > deadline:
            raise Failure(f"{server.args[0]} did not mount: {log.read_text().strip()[-300:]}")
        time.sleep(0.005)


@contextmanager
def mounted_by_kernel(kind: str, image: Path, path: Path):
    run("mount", "-t", kind, "-o", "ro,loop", image, path)
    try:
        yield
    finally:
        unmount(path)


def plainiso(source: Path, path: Path, *options: str):
    """Our own server in the foreground."""
    words = [word for option in options for word in ("-o", option)]
    return served([PLAINISO, "mount", "-f", "-q", *words, source, path], path)


def knows_option(word: str) -> bool:
    said = run(PLAINISO, "mount", "--help")
    return f"--{word.replace('_', '-')}" in said or f"--{word}" in said


class Mounts:
    """All systems, mounted on a stack that takes them away; `missing` has a line for each that cannot be had."""

    def __init__(self, stack: ExitStack, images: Images, scale: Scale):
        self.stack, self.images, self.missing = stack, images, []
        self.systems: dict[str, System] = {}
        self._add(System("ext4", "plain file, hot", images.plain, images.plain, is_plain=True))
        self._add_null("null", "empty FUSE", scale)
        self._add_null("null-direct", "empty FUSE, direct_io", scale, "--direct-io")
        self._add_plainiso("", "", list(SHOWN))
        if knows_option("direct_io"):
            self._add_plainiso("-direct", ", direct_io", DIRECT, "direct_io")
        else:
            self._leave_out("direct_io", "this plainiso does not know the option")
        for name in KERNEL:
            self._attempt(self._add_kernel, name)
        for name in SQUASHFUSE:
            self._attempt(self._add_squashfuse, name)

    def _add(self, system: System) -> None:
        self.systems[system.name] = system

    def _leave_out(self, name: str, why: object) -> None:
        self.missing.append(f"{name}: {why}")
        say(f"left out {name}: {why}")

    def _attempt(self, add, name: str) -> None:
        try:
            add(name)
        except (Failure, FileNotFoundError) as why:
            self._leave_out(name, why)

    def _add_null(self, name: str, label: str, scale: Scale, *options: str) -> None:
        path = mountpoint(name)
        command = [TOOLS / "nullfs", path, "--size", scale.iso_bytes, *options]
        pid = self.stack.enter_context(served(command, path))
        self._add(System(name, label, path / "null.iso", self.images.plain, pid))

    def _add_plainiso(self, suffix: str, words: str, names: list[str], *options: str) -> None:
        path = mountpoint(f"plainiso{suffix}")
        pid = self.stack.enter_context(plainiso(self.images.library, path, *options))
        for name in names:
            label, weight = SHOWN[name]
            source = self.images.plain if name == "plain" else self.images.packed(name)
            self._add(System(name + suffix, label + words, path / f"{name}.iso", source, pid, weight))

    def _add_kernel(self, name: str) -> None:
        label, kind, file, weight = KERNEL[name]
        path, image = mountpoint(name), self.images.others / file
        self.stack.enter_context(mounted_by_kernel(kind, image, path))
        self._add(System(name, label, path / "disc.iso", image, weight=weight))

    def _add_squashfuse(self, name: str) -> None:
        label, file, weight = SQUASHFUSE[name]
        path, image = mountpoint(name), self.images.others / file
        pid = self.stack.enter_context(served(["squashfuse_ll", "-f", image, path], path))
        self._add(System(name, label, path / "disc.iso", image, pid, weight))


def verify(systems: dict[str, System], images: Images) -> None:
    """No figure counts unless the bytes are right."""
    for system in systems.values():
        if not system.name.startswith(("null", "ext4")):
            run("cmp", system.file, images.plain)
