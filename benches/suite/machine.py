"""What the figures were measured on."""

import gzip
import os
import platform
import subprocess
from pathlib import Path

from .workspace import TOP

OF_INTEREST = ("CONFIG_SQUASHFS_DECOMP", "CONFIG_SQUASHFS_COMPILE_DECOMP", "CONFIG_SQUASHFS_CHOICE_DECOMP",
               "CONFIG_SQUASHFS_FILE_", "CONFIG_EROFS_FS_PCPU_KTHREAD", "CONFIG_FUSE_PASSTHROUGH",
               "CONFIG_FUSE_IO_URING")


def describe(foreign: list[float], programs: list[str] | None = None) -> dict:
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "kernel": platform.release(),
        "kernel_config": _kernel_config(),
        "programs": _programs() if programs is None else programs,
        "foreign_cpus": sorted(foreign)[len(foreign) // 2] if foreign else 0.0,
        "foreign_cpus_most": max(foreign, default=0.0),
        "commit": _commit(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _kernel_config() -> list[str]:
    for path in (Path("/proc/config.gz"), Path(f"/boot/config-{platform.release()}")):
        try:
            data = path.read_bytes()
        except OSError:
            continue
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        return [line for line in text.splitlines() if line.startswith(OF_INTEREST) and line.endswith(("=y", "=m"))]
    return ["not readable on this machine"]


def _programs() -> list[str]:
    packages = ("squashfuse", "squashfs-tools", "erofs-utils", "fuse3")
    shown = "${Package} ${Version}\n"
    done = subprocess.run(["dpkg-query", "-W", "-f", shown, *packages], capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1]


def _commit() -> str:
    done = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "unknown"
