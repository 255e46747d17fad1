"""Puts the results before people: on the terminal, and into docs/PERFORMANCE.md between marks."""

import re

from . import plots, tables, unpacking
from .figures import Figures
from .workspace import TOP, Failure, say

PAGE = TOP / "docs" / "PERFORMANCE.md"
PLOTS = TOP / "docs" / "performance"

QUIET = 0.2
"""CPUs that other programs may use while figures are measured that are meant to be shown."""


def sections(results: dict) -> dict[str, str]:
    if "bars" not in results:
        return {"tools-machine": tables.machine(results), "tools": unpacking.as_table(results)}
    f = Figures(results)
    return {
        "machine": tables.machine(results),
        "bars": tables.bars(results),
        "sequential": tables.sequential(f),
        "latency": tables.latency(f),
        "random": tables.other_random(f),
        "processor": tables.processor(f),
        "work": tables.work(f),
        "start": tables.starting(f),
    }


def as_text(results: dict) -> str:
    shown = sections(results)
    if results["scale"] != "full" and "bars" in shown:
        shown["bars"] = "Everything works. A run this small is too short to hold its figures against the bars."
    return "\n\n".join(["", *shown.values(), ""])


def write(results: dict) -> None:
    """Replaces what stands between the marks; everything else on the page is written by hand and stays."""
    page = PAGE.read_text()
    for name, text in sections(results).items():
        marked = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- bench:end -->)", re.DOTALL)
        page, count = marked.subn(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
        if count != 1:
            raise Failure(f"{PAGE} has no marks for '{name}'")
    PAGE.write_text(page)
    say(f"wrote {PAGE}")
    if "bars" in results:
        PLOTS.mkdir(exist_ok=True)
        for name, text in plots.draw(Figures(results)).items():
            (PLOTS / name).write_text(text)
        say(f"wrote {PLOTS}")
    if results["machine"]["foreign_cpus"] > QUIET:
        say("The machine was busy with other things: measure again when it is quiet, before these figures are shown.")
