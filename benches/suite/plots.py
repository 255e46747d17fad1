"""Bar charts as SVG, which look right on a light and on a dark page."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .figures import Figures, Spread
from .tables import number

LABEL_WIDTH, PLOT_WIDTH, VALUE_WIDTH = 230, 480, 110
ROW, TOP, BOTTOM = 22, 50, 34
STYLE = """
text { font: 12px sans-serif; fill: #444 } .title { font-size: 15px; font-weight: bold }
.ours { fill: #2f6db3 } .others { fill: #a8adb5 } .limit { fill: #d9a441 }
.grid { stroke: #8884; stroke-width: 1 } .range { stroke: #555; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } .range { stroke: #ddd } }
"""


@dataclass(frozen=True)
class Row:
    label: str
    kind: str
    """'ours', 'others', or 'limit' for what nothing can pass."""
    value: Spread


class Scale:
    """From values to pixels. Logarithmic where values lie too far apart to be seen otherwise."""

    def __init__(self, rows: list[Row], is_logarithmic: bool):
        highest = max(row.value.high for row in rows)
        self.is_logarithmic = is_logarithmic
        if is_logarithmic:
            lowest = min(row.value.low for row in rows)
            self.low, self.high = math.floor(math.log10(lowest)), math.log10(highest)
        else:
            self.low, self.high = 0.0, highest

    def at(self, value: float) -> float:
        value = math.log10(value) if self.is_logarithmic else value
        share = (value - self.low) / max(self.high - self.low, 1e-9)
        return LABEL_WIDTH + PLOT_WIDTH * min(max(share, 0), 1)

    def ticks(self) -> list[float]:
        if self.is_logarithmic:
            return [10.0**power for power in range(int(self.low), math.floor(self.high) + 1)]
        step = 10 ** math.floor(math.log10(self.high))
        step = next(step * part for part in (1, 0.5, 0.2, 0.1) if self.high / (step * part) >= 4)
        return [i * step for i in range(int(self.high / step) + 1)]


def bar_chart(title: str, unit: str, rows: list[Row], is_logarithmic: bool = False) -> str:
    scale = Scale(rows, is_logarithmic)
    width, end = LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH, TOP + ROW * len(rows)
    parts = [f'<text class="title" x="10" y="24">{escape(title)}</text>']
    for tick in scale.ticks():
        x = scale.at(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{end + 18}" text-anchor="middle">{tick:,g}</text>')
    for i, row in enumerate(rows):
        parts += _bar(row, TOP + ROW * i, scale)
    note = f"{unit}{', logarithmic' if is_logarithmic else ''}"
    parts.append(f'<text x="{width - 10}" y="24" text-anchor="end">{escape(note)}</text>')
    size = f'width="{width}" height="{end + BOTTOM}" viewBox="0 0 {width} {end + BOTTOM}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bar(row: Row, y: int, scale: Scale) -> list[str]:
    start, end, middle = LABEL_WIDTH, scale.at(row.value.median), y + ROW / 2
    low, high = scale.at(row.value.low), scale.at(row.value.high)
    return [
        f'<text x="{start - 8}" y="{middle + 4}" text-anchor="end">{escape(row.label)}</text>',
        f'<rect class="{row.kind}" x="{start}" y="{y + 3}" width="{end - start:.1f}" height="{ROW - 6}"/>',
        f'<line class="range" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
        f'<text x="{max(end, high) + 6:.1f}" y="{middle + 4}">{number(row.value.median)}</text>',
    ]


def draw(f: Figures) -> dict[str, str]:
    """File names and their text."""
    charts = {
        "sequential.svg": ("Reading in order, 1 MiB, cold page cache", "MB/s", "sequential-1m", "mb_per_s", False),
        "random-4k.svg": ("4 KiB at random, cold page cache, one CPU", "us, p50", "random-4k", "p50_us", True),
        "processor.svg": ("CPU time of the server while reading in order", "ns per byte", "sequential-1m",
                          "server_ns_per_byte", False),
    }
    drawn = {}
    for name, (title, unit, test, field, is_logarithmic) in charts.items():
        rows = [Row(label, _kind(system), spread) for system, label in f.results["labels"].items()
                if (spread := f.spread(test, system, field)) and spread.low > 0]
        if rows:
            drawn[name] = bar_chart(title, unit, rows, is_logarithmic)
    return drawn


def _kind(system: str) -> str:
    if system.startswith(("null", "ext4")):
        return "limit"
    return "others" if system.startswith(("kernel", "squashfuse")) else "ours"
