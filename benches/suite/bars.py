"""The bars: what plainiso must reach, each with what a run reached."""

from dataclasses import dataclass, replace

from .figures import Figures, Spread
from .workspace import MIB

SPEED, HALF, TAIL = "mb_per_s", "p50_us", "p99_us"
SERVER, DECODER = "server_ns_per_byte", "decoder_ns_per_byte"
COMPRESSED = ("kernel-squashfs-lz4", "kernel-squashfs-gzip", "kernel-erofs-lz4hc")


@dataclass(frozen=True)
class Bar:
    number: int
    text: str
    reached: float | None
    limit: float
    at_least: bool
    unit: str = "x"
    spread: Spread | None = None
    remark: str = ""

    @property
    def verdict(self) -> str:
        if self.reached is None:
            return "not measured"
        holds = self.reached >= self.limit if self.at_least else self.reached <= self.limit
        return "pass" if holds else "FAIL"

    def as_dict(self) -> dict:
        spread = [self.spread.low, self.spread.high] if self.spread else None
        return {"bar": self.number, "text": self.text, "reached": self.reached, "limit": self.limit,
                "at_least": self.at_least, "unit": self.unit, "spread": spread, "verdict": self.verdict,
                "remark": self.remark}


def evaluate(figures: Figures) -> list[Bar]:
    parts = (_zso_sequential, _cso_sequential, _server_cpu, _random, _random_against_others, _read_again,
             _large_blocks, _bzip2, _cold_disk, _passthrough, _memory, _start, _together)
    return [bar for part in parts for bar in part(figures)]


def _of_ratio(number: int, text: str, ratio: Spread | None, limit: float, at_least: bool, remark: str = "") -> Bar:
    return Bar(number, text, ratio.median if ratio else None, limit, at_least, "x", ratio, remark)


def _of_empty(f: Figures, test: str, base: str, field: str) -> str:
    """What the transport alone reaches on this machine: plainiso cannot be better."""
    ratio = f.ratio(test, "null", base, field)
    return f"empty FUSE itself: {ratio.median:.2f}" if ratio and base != "null" else ""


def _zso_sequential(f: Figures):
    def against(base, limit, words, test="sequential-1m", system="zso-2k"):
        is_buffered = system == "zso-2k"
        remark = _of_empty(f, test, base, SPEED) if is_buffered else ""
        return _of_ratio(1, f"ZSO 2K, 1 MiB in order, {words}", f.ratio(test, system, base, SPEED), limit, True, remark)
    yield against("null", 0.70, "against empty FUSE")
    yield against("null", 0.45, "against empty FUSE, all on one CPU", "sequential-pinned")
    yield against("kernel-squashfs-lz4", 1.3, "against kernel squashfs lz4")
    yield against("squashfuse-lz4", 1.5, "against squashfuse_ll lz4")
    yield against("kernel-erofs-lz4hc", 0.95, "against kernel erofs lz4hc")
    direct = against("kernel-squashfs-lz4", 1.9, "with direct_io, against kernel squashfs lz4", system="zso-2k-direct")
    has_direct = "zso-2k-direct" in f.results["labels"]
    yield direct if has_direct else replace(direct, remark="this plainiso has no direct_io")


def _cso_sequential(f: Figures):
    ratio = f.ratio("sequential-1m", "cso-2k", "kernel-squashfs-gzip", SPEED)
    yield _of_ratio(2, "CSO 2K, 1 MiB in order, against kernel squashfs gzip", ratio, 3.0, True)
    ratio = f.ratio("sequential-1m", "cso-2k", "cso-2k", SPEED, base_test="sequential-apart")
    yield _of_ratio(2, "CSO 2K, two CPUs for the server against one", ratio, 1.85, True)


def _server_cpu(f: Figures):
    null = f.median("sequential-1m", "null", SERVER)
    for name, label, fixed in (("zso-2k", "ZSO 2K", 0.58), ("cso-2k", "CSO 2K", 2.4)):
        decoder = f.median("sequential-1m", name, DECODER)
        limit = max(fixed, 1.15 * (null + decoder)) if null and decoder else fixed
        used = f.spread("sequential-1m", name, SERVER)
        text = f"{label}, server CPU per byte ({fixed}, or empty FUSE + decoder + 15 %)"
        remark = f"empty FUSE {null:.2f} + decoder {decoder:.2f}" if null and decoder else ""
        yield Bar(3, text, used.median if used else None, limit, False, "ns", used, remark)


def _random(f: Figures):
    def against_null(test, system, limit, text):
        return _of_ratio(4, f"{text}, p50 against empty FUSE", f.ratio(test, system, "null", HALF), limit, False)
    yield against_null("random-4k", "zso-2k", 1.5, "ZSO 2K, 4 KiB at random")
    tail = _tail(f, "zso-2k")
    remark = f"empty FUSE itself: {_tail(f, 'null').median:.2f}" if tail else ""
    yield _of_ratio(4, "ZSO 2K, 4 KiB at random, p99 against its own p50", tail, 1.5, False, remark)
    yield against_null("random-4k", "cso-2k", 3.0, "CSO 2K, 4 KiB at random")
    yield against_null("random-64k", "zso-2k", 2.2, "ZSO 2K, 64 KiB at random")


def _tail(f: Figures, system: str) -> Spread | None:
    halves, tails = f.rounds("random-4k", system, HALF), f.rounds("random-4k", system, TAIL)
    return Spread.of(tail / half for half, tail in zip(halves, tails, strict=True) if half and tail)


def _random_against_others(f: Figures):
    for base, limit in (("squashfuse-lz4", 0.12), *((name, 0.6) for name in COMPRESSED)):
        words = base.replace("-", " ").replace("squashfuse", "squashfuse_ll")
        yield _of_ratio(5, f"ZSO 2K, 4 KiB at random, p50 against {words}", f.ratio("random-4k", "zso-2k", base, HALF),
                        limit, False, _of_empty(f, "random-4k", base, HALF))


def _read_again(f: Figures):
    ratio = f.ratio("random-4k-warm", "zso-2k", "ext4", HALF)
    yield _of_ratio(6, "ZSO 2K, 4 KiB read a second time, p50 against the hot plain file", ratio, 1.3, False)
    requests = f.spread("random-4k-warm", "zso-2k", "requests")
    most = requests.high if requests else None
    yield Bar(6, "requests that reach plainiso in the second reading", most, 0, False, "")


def _large_blocks(f: Figures):
    ratio = f.ratio("local-4k", "isz-zlib-256k", "null", HALF)
    yield _of_ratio(7, "blocks of 256 KiB, 4 KiB within 4 MiB, p50 against empty FUSE", ratio, 1.2, False)
    yield _of_decoders(f, 7, "blocks of 256 KiB, 1 MiB in order", "isz-zlib-256k", 0.95)


def _bzip2(f: Figures):
    yield _of_decoders(f, 8, "bzip2 ISZ, 1 MiB in order", "isz-bzip2", 0.85)


def _of_decoders(f: Figures, number: int, text: str, name: str, limit: float) -> Bar:
    """Against one decoder alone on one CPU with the same bytes, times the CPUs."""
    cpus = f.results["machine"]["cpus"]
    speeds, nanos = f.rounds("sequential-1m", name, SPEED), f.rounds("sequential-1m", name, DECODER)
    ratio = Spread.of(speed * each / 1e3 / cpus for speed, each in zip(speeds, nanos, strict=True) if speed and each)
    return _of_ratio(number, f"{text}, against {cpus} x one decoder", ratio, limit, True)


def _cold_disk(f: Figures):
    ratio = f.ratio("random-4k-disk", "zso-2k", "ext4", HALF)
    plain = f.ratio("random-4k-disk", "plain", "ext4", HALF)
    yield _of_ratio(9, "ZSO 2K, 4 KiB at random from a cold disk, p50 against the plain file", ratio, 1.25, False,
                    f"plain ISO through the mount: {plain.median:.2f}" if plain else "")


def _passthrough(f: Figures):
    ratio = f.ratio("sequential-1m", "plain", "ext4", SPEED)
    yield _of_ratio(10, "plain ISO through the mount, 1 MiB in order, against the file itself", ratio, 0.95, True)


def _memory(f: Figures):
    idle = f.probe("many", "1000", "resident")
    yield Bar(11, "memory with 1,000 images, idle", idle and idle / MIB, 8, False, "MiB")
    runs = f.probe("streaming") or {}
    cache = f.results["cache_bytes"] / MIB
    streaming = max((run["peak_streaming"] for run in runs.values()), default=None)
    yield Bar(11, f"memory while streaming, with a cache of {cache:.0f} MiB", streaming and streaming / MIB,
              12 + cache, False, "MiB")
    peak = max((run["peak"] for run in runs.values()), default=None)
    yield Bar(11, "memory at its peak, streaming and random, at most the budget + 10 %", peak and peak / MIB,
              1.1 * (12 + cache), False, "MiB")


def _start(f: Figures):
    starts = f.probe("start_ms") or {}
    slowest = max((name for name in starts if name != "null"), key=lambda name: starts[name], default=None)
    remark = f"{slowest}; empty FUSE: {starts['null']:.1f} ms" if slowest else ""
    yield Bar(12, "from the start of the program to the first byte, slowest image", starts.get(slowest), 5, False,
              "ms", remark=remark)
    yield Bar(12, "1,000 images mounted and listed with ls -l", f.probe("many", "1000", "ls_ms"), 100, False, "ms")


def _together(f: Figures):
    decodes = f.probe("four_together", "decodes_per_block")
    yield Bar(13, "decodes per chunk when four readers stream one ISZ", decodes, 1.0005, False, "")
