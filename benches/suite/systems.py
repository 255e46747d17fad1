"""What is compared: file systems that all show the same image, mounted side by side."""

import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .images import Images
from .workspace import MOUNTS, PLAINISO, TOOLS, Failure, run, say


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


def mount_all(stack: ExitStack, images: Images, scale) -> tuple[dict[str, System], list[str]]:
    """Everything that this machine can mount, and a line for each thing that it cannot."""
    systems, missing = {}, []

    def add(system: System) -> None:
        systems[system.name] = system

    def attempt(name: str, make) -> None:
        try:
            make()
        except Failure as failure:
            missing.append(f"{name}: {failure}")
            say(f"left out {name}: {failure}")

    add(System("ext4", "plain file, hot", images.plain, images.plain, is_plain=True))
    _add_null(stack, add, images, scale)
    _add_plainiso(stack, add, images, missing)
    for name, (label, kind, file, weight) in KERNEL.items():
        def make_kernel():
            path, image = mountpoint(name), images.others / file
            stack.enter_context(mounted_by_kernel(kind, image, path))
            add(System(name, label, path / "disc.iso", image, weight=weight))
        attempt(name, make_kernel)
    for name, (label, file, weight) in SQUASHFUSE.items():
        def make_squashfuse():
            path, image = mountpoint(name), images.others / file
            pid = stack.enter_context(served(["squashfuse_ll", "-f", image, path], path))
            add(System(name, label, path / "disc.iso", image, pid, weight))
        attempt(name, make_squashfuse)
    return systems, missing


def _add_null(stack: ExitStack, add, images: Images, scale) -> None:
    for name, label, options in (
        ("null", "empty FUSE", []),
        ("null-direct", "empty FUSE, direct_io", ["--direct-io"]),
    ):
        path = mountpoint(name)
        command = [TOOLS / "nullfs", path, "--size", scale.iso_bytes, *options]
        pid = stack.enter_context(served(command, path))
        add(System(name, label, path / "null.iso", images.plain, pid))


def _add_plainiso(stack: ExitStack, add, images: Images, missing: list[str]) -> None:
    variants = [("", "", ())]
    if knows_option("direct_io"):
        variants.append(("-direct", ", direct_io", ("direct_io",)))
    else:
        missing.append("direct_io: this plainiso does not know the option")
    for suffix, words, options in variants:
        path = mountpoint(f"plainiso{suffix}")
        pid = stack.enter_context(plainiso(images.library, path, *options))
        for name, (label, weight) in SHOWN.items():
            source = images.plain if name == "plain" else images.packed(name)
            shown = path / f"{name}.iso"
            add(System(name + suffix, label + words, shown, source, pid, weight))


def verify(systems: dict[str, System], images: Images) -> None:
    """No figure counts unless the bytes are right."""
    for system in systems.values():
        if not system.name.startswith(("null", "ext4")):
            run("cmp", system.file, images.plain)
