"""Images of other people's tools, unpacked by the tool, by `plainiso extract`, and read through a mount."""

import hashlib
import json
import os
import random
import resource
import shutil
import time
from pathlib import Path

from . import foreign, machine, systems
from .figures import Figures, Spread
from .foreign import Image
from .rounds import busy_elsewhere
from .tables import number, spread, table
from .workspace import MIB, PLAINISO, TOOLS, WORK, Failure, Scale, run, say

SECONDS_FOR_ROUNDS = 330
"""No round starts later than this."""
DECODED = 64 * MIB
"""So much of an image one decoder decodes, for comparison."""

OUT = WORK / "unpacked"
CACHE = WORK / "xdg"


def measure(scale: Scale) -> dict:
    made, missing = foreign.make(scale.tools_bytes)
    # What plainiso keeps about an image, so that the next reader has it faster, must not be there.
    os.environ["XDG_CACHE_HOME"] = str(CACHE)
    verify(made)
    say("all bytes are those that the tools give")
    samples, busy = _rounds(made, scale)
    return {
        "scale": scale.name,
        "iso_bytes": scale.tools_bytes,
        "when": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(busy, foreign.versions({image.recipe.tool for image in made})),
        "missing": missing,
        "labels": {image.recipe.file: f"{image.recipe.label} ({image.recipe.tool})" for image in made},
        "stored": {image.recipe.file: image.path.stat().st_size for image in made},
        "samples": samples,
        "probes": {},
    }


def verify(made: list[Image]) -> None:
    """No figure counts unless the bytes are right. This warms up the files and programs as well."""
    for image in made:
        say(f"comparing {image.recipe.file}")
        sums = {way: _prepared(image, take, _sum) for way, take in WAYS.items()}
        if len(set(sums.values())) != 1:
            raise Failure(f"{image.recipe.label}: not the same bytes: {sums}")


def _rounds(made: list[Image], scale: Scale) -> tuple[dict, list[float]]:
    """Every round takes all images in an order by chance, and the ways of each in another."""
    samples = {way: {} for way in (*WAYS, "decoder")}
    busy, chance, deadline = [], random.Random(1), time.monotonic() + SECONDS_FOR_ROUNDS
    for turn in range(scale.tools_rounds):
        if turn > 0 and time.monotonic() > deadline:
            say(f"stopping after {turn} rounds: the time is up")
            break
        say(f"round {turn + 1} of {scale.tools_rounds}")
        busy.append(busy_elsewhere())
        for image in chance.sample(made, len(made)):
            for way in chance.sample(sorted(WAYS), len(WAYS)):
                sample = _prepared(image, WAYS[way])
                samples[way].setdefault(image.recipe.file, []).append(sample)
            samples["decoder"].setdefault(image.recipe.file, []).append(_decode(image))
    return samples, busy


def _prepared(image: Image, take, look=None):
    """Measures one way, from an empty folder; `look` sees what came out."""
    for folder in (OUT, CACHE):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    _load(image.path)
    try:
        return take(image, look)
    finally:
        shutil.rmtree(OUT)


def _load(path: Path) -> None:
    """The work is measured, and not the disk that the image lies on."""
    with path.open("rb", buffering=0) as file:
        while file.read(4 * MIB):
            pass


def _by_tool(image: Image, look) -> object:
    kind = ".bin" if image.recipe.plain.endswith(".cue") else ".iso"
    out = OUT / f"{image.path.stem}{kind}"
    def unpack():
        foreign.call(image.recipe.unpack, image.recipe.is_stream, out, image=image.path)
        foreign.flush(out)  # As `plainiso extract` does with its own.
    sample = _timed(unpack)
    return look(OUT) if look else sample


def _by_extract(image: Image, look) -> object:
    sample = _timed(lambda: run(PLAINISO, "extract", "-o", OUT, image.path))
    return look(OUT) if look else sample


def _by_mount(image: Image, look) -> object:
    """What the server used from its start to its end is counted; the time is that of the reader."""
    path, used = systems.mountpoint("unpacked"), _used()
    with systems.plainiso(image.path, path):
        sample = _timed(lambda: [run("dd", f"if={file}", "of=/dev/null", "bs=1M") for file in _plain_files(path)])
        looked = look(path) if look else None
        size = sum(file.stat().st_size for file in _plain_files(path))
    sample |= {"cpu": _used() - used, "bytes": size}
    return looked if look else sample


WAYS = {"tool": _by_tool, "extract": _by_extract, "mount": _by_mount}


def _decode(image: Image) -> dict | None:
    """By one decoder, of the data track for a CD. A disc for Wii begins with 260 MB that hold next to nothing."""
    if image.recipe.plain == "wii.iso":
        return None
    try:
        return json.loads(run(TOOLS / "library", "decode", image.path, "--span", DECODED))
    except Failure:
        return None


def _timed(action) -> dict:
    used, start = _used(), time.perf_counter()
    action()
    return {"seconds": time.perf_counter() - start, "cpu": _used() - used}


def _used() -> float:
    """Seconds of CPU time of all programs that we started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _plain_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".iso", ".bin"))


def _sum(folder: Path) -> str:
    """Of all tracks in their order: chdman puts them into one file, plainiso into one each."""
    digest = hashlib.sha256()
    for path in _plain_files(folder):
        with path.open("rb") as file:
            while piece := file.read(4 * MIB):
                digest.update(piece)
    return digest.hexdigest()


def as_table(results: dict) -> str:
    f = Figures(results)
    head = ["seconds, and seconds of CPU time", "stored MiB", "tool", "CPU", "extract", "CPU", "x as fast", "mount",
            "CPU", "x as fast", "of all decoders"]
    return table(head, [_line(f, name, label) for name, label in results["labels"].items()])


def _line(f: Figures, name: str, label: str) -> list[str]:
    def median(way, field):
        return number(f.median(way, name, field))
    def faster(way):
        return spread(f.ratio("tool", name, name, "seconds", base_test=way))
    def of_decoders():
        rounds = zip(f.samples["mount"][name], f.samples["decoder"][name], strict=True)
        cpus = f.results["machine"]["cpus"]
        return spread(Spread.of(mount["bytes"] * one["decoder_ns_per_byte"] / 1e9 / mount["seconds"] / cpus
                                for mount, one in rounds if one))
    ways = [[median(way, "seconds"), median(way, "cpu")] for way in WAYS]
    return [label, number(f.results["stored"][name] / MIB), *ways[0], *ways[1], faster("extract"), *ways[2],
            faster("mount"), of_decoders()]
