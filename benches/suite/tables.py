"""Results as tables, for people: in Markdown, which a terminal shows as well."""

from .figures import Figures, Spread
from .workspace import MIB


def number(value: float | None) -> str:
    """Three significant digits, and no more than anyone reads."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def spread(value: Spread | None) -> str:
    if value is None:
        return "-"
    if value.low == value.high:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)}-{number(value.high)})"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Columns are padded, so that the text is readable as it is."""
    cells = [head, *lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    def row(line: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([row(head), rule, *map(row, lines)])


def bars(results: dict) -> str:
    lines = []
    for bar in results["bars"]:
        unit = f" {bar['unit']}".rstrip()
        wanted = f"{'>=' if bar['at_least'] else '<='} {number(bar['limit'])}{unit}"
        low_high = Spread(bar["reached"], *bar["spread"]) if bar["spread"] else None
        reached = spread(low_high) if low_high else number(bar["reached"])
        lines.append([str(bar["bar"]), bar["text"], wanted, reached, bar["verdict"], bar["remark"]])
    return table(["#", "bar", "wanted", "reached (lowest-highest round)", "", "remark"], lines)


def _of_tests(f: Figures, head: list[str], columns: list[tuple[str, str]]) -> str:
    lines = []
    for name, label in f.results["labels"].items():
        cells = [spread(f.spread(test, name, field)) for test, field in columns]
        if any(cell != "-" for cell in cells):
            lines.append([label, *cells])
    return table(head, lines)


def sequential(f: Figures) -> str:
    head = ["MB/s, median of the rounds (lowest-highest)", "1 MiB reads", "128 KiB reads", "four readers",
            "second read", "1 MiB, one CPU"]
    tests = ("sequential-1m", "sequential-128k", "sequential-1m-4", "sequential-1m-warm", "sequential-pinned")
    return _of_tests(f, head, [(test, "mb_per_s") for test in tests])


def latency(f: Figures) -> str:
    head = ["us, cold page cache, one CPU", "4 KiB p50", "4 KiB p99", "16 KiB p50", "16 KiB p99", "64 KiB p50",
            "64 KiB p99"]
    tests = ("random-4k", "random-16k", "random-64k")
    return _of_tests(f, head, [(test, field) for test in tests for field in ("p50_us", "p99_us")])


def other_random(f: Figures) -> str:
    head = ["4 KiB at random", "second read, p50 us", "requests then", "cold disk, p50 us", "four readers, reads/s"]
    return _of_tests(f, head, [("random-4k-warm", "p50_us"), ("random-4k-warm", "requests"),
                               ("random-4k-disk", "p50_us"), ("random-4k-4", "reads_per_s")])


def processor(f: Figures) -> str:
    head = ["CPU ns per byte, 1 MiB in order", "server", "reader"]
    return _of_tests(f, head, [("sequential-1m", "server_ns_per_byte"), ("sequential-1m", "reader_ns_per_byte")])


def work(f: Figures) -> str:
    lines = []
    for name, asked in f.probes["allocations"].items():
        streaming = f.probes["streaming"][name]
        lines.append([
            f.results["labels"].get(name, name),
            number(1e3 / nanos) if (nanos := f.median("sequential-1m", name, "decoder_ns_per_byte")) else "-",
            f"{streaming['decodes_per_block']:.3f}",
            number(asked["4096"]),
            number(asked["131072"]),
            _calls(f.probe("system_calls", name)),
            number(streaming["peak_streaming"] / MIB),
            number(streaming["peak"] / MIB),
        ])
    head = ["", "one decoder, MB/s", "decodes per block, streaming", "allocations per 4 KiB read", "per 128 KiB read",
            "system calls per 4 KiB read", "peak MiB, streaming", "peak MiB, then random"]
    return table(head, lines)


def _calls(calls: dict | None) -> str:
    return ", ".join(f"{name} {count:g}" for name, count in calls.items()) if calls else "-"


def starting(f: Figures) -> str:
    lines = [[f"exec to first byte, {name}", f"{ms:.1f} ms"] for name, ms in f.probes["start_ms"].items()]
    for count, many in f.probes["many"].items():
        lines.append([f"{int(count):,} images mounted and listed with ls -l", f"{many['ls_ms']:.0f} ms"])
        lines.append([f"resident memory afterwards, {int(count):,} images",
                      f"{many['resident'] / MIB:.1f} MiB, of it anonymous {many['anonymous'] / MIB:.1f} MiB"])
    return table(["start and memory", ""], lines)


def machine(results: dict) -> str:
    it = results["machine"]
    lines = [
        ["processor", f"{it['cpu']}, {it['cpus']} CPUs"],
        ["memory", f"{it['memory_gib']} GiB"],
        ["kernel", it["kernel"]],
        ["its configuration", ", ".join(word.removeprefix("CONFIG_") for word in it["kernel_config"])],
        ["programs", ", ".join(it["programs"])],
        ["CPUs that other programs used", f"{it['foreign_cpus']:.2f} (at most {it['foreign_cpus_most']:.2f})"],
        ["image", f"{results['iso_bytes'] // MIB} MiB of files of this machine"],
        ["plainiso", f"{it['commit']}, measured {results['when']}"],
    ]
    lines += [["left out", line] for line in results["missing"]]
    return table(["", ""], lines)
