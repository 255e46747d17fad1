"""Images that other people's tools make, and how the same tools unpack them again."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import discs
from .images import make_iso, whole
from .workspace import MIB, WORK, Failure, run, say

# Where Debian puts the tools of emulators.
os.environ["PATH"] += ":/usr/games"


@dataclass(frozen=True)
class Recipe:
    """`make` and `unpack` are commands with {plain}, {image} and {out} in them."""

    file: str
    label: str
    plain: str
    make: tuple[str, ...]
    unpack: tuple[str, ...]
    is_stream: bool = False
    """The tool writes to its standard output."""

    @property
    def tool(self) -> str:
        return self.unpack[0]


@dataclass(frozen=True)
class Image:
    recipe: Recipe
    path: Path


def recipes() -> list[Recipe]:
    return [*_chd(), *_consoles(), *_streams()]


def _chd() -> list[Recipe]:
    """Each codec alone, and what chdman takes when it is not told, which is several, the best for each hunk."""
    make, unpack = ("createdvd",), "extractdvd"
    if not _chdman_knows("createdvd"):
        make, unpack = ("createraw", "-hs", "4096", "-us", "2048"), "extractraw"
    dvd = [_chdman(f"chd-{codec}.chd", f"CHD, {codec}", "disc.iso", make, (unpack, "-o", "{out}"), codec)
           for codec in ("default", "zlib", "lzma", "huff", "flac", "zstd")]
    unpack = ("extractcd", "-o", "{out}.cue", "-ob", "{out}")
    cd = [_chdman(f"cd-{codec}.chd", f"CHD of a CD, {codec}", "cd.cue", ("createcd",), unpack, codec)
          for codec in ("default", "cdzl", "cdlz", "cdfl", "cdzs")]
    return dvd + cd


def _chdman_knows(command: str) -> bool:
    try:
        done = subprocess.run(["chdman", "help"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return True
    return command in done.stdout + done.stderr


def _chdman(file: str, label: str, plain: str, make: tuple, unpack: tuple, codec: str) -> Recipe:
    codecs = () if codec == "default" else ("-c", codec)
    return Recipe(file, label, plain, ("chdman", *make, "-i", "{plain}", "-o", "{image}", "-f", *codecs),
                  ("chdman", *unpack, "-i", "{image}"))


def _consoles() -> list[Recipe]:
    cube, wii = "gamecube.iso", "wii.iso"
    return [
        _dolphin("cube-zstd.rvz", "GameCube RVZ, zstd 128K", cube, "-f", "rvz", "-c", "zstd", "-l", "5", "-b", "131072"),
        _dolphin("cube.gcz", "GameCube GCZ 128K", cube, "-f", "gcz", "-b", "131072"),
        _dolphin("cube-lzma.wia", "GameCube WIA, lzma 2M", cube, "-f", "wia", "-c", "lzma", "-l", "5", "-b", "2097152"),
        _dolphin("wii-zstd.rvz", "Wii RVZ, zstd 128K", wii, "-f", "rvz", "-c", "zstd", "-l", "5", "-b", "131072"),
        _wit("cube-wit.wia", "GameCube WIA of wit", cube, "--wia"),
        _wit("wii-wit.wia", "Wii WIA of wit", wii, "--wia"),
    ]


def _dolphin(file: str, label: str, plain: str, *options: str) -> Recipe:
    return Recipe(file, label, plain, ("dolphin-tool", "convert", "-i", "{plain}", "-o", "{image}", *options),
                  ("dolphin-tool", "convert", "-f", "iso", "-i", "{image}", "-o", "{out}"))


def _wit(file: str, label: str, plain: str, kind: str) -> Recipe:
    return Recipe(file, label, plain, ("wit", "copy", "--raw", kind, "{plain}", "{image}"),
                  ("wit", "copy", "--raw", "--iso", "{image}", "{out}"))


def _streams() -> list[Recipe]:
    def stream(file, label, make, unpack=()):
        unpack = unpack or (make[0], "-dc")
        return Recipe(file, label, "disc.iso", (*make, "{plain}"), (*unpack, "{image}"), is_stream=True)
    return [
        stream("gzip.iso.gz", "gzip", ("gzip", "-c")),
        stream("bgzip.iso.gz", "gzip of bgzip", ("bgzip", "-c")),
        stream("bzip2.iso.bz2", "bzip2", ("bzip2", "-c")),
        stream("xz.iso.xz", "xz, blocks of 8M", ("xz", "-c", "-T0", "--block-size=8MiB"), ("xz", "-dc", "-T0")),
        stream("xz-whole.iso.xz", "xz, one block", ("xz", "-c", "-T1"), ("xz", "-dc", "-T0")),
        stream("zstd.iso.zst", "zstd", ("zstd", "-qc")),
        stream("lz4.iso.lz4", "lz4", ("lz4", "-qc")),
    ]


def make(size: int) -> tuple[list[Image], list[str]]:
    """The images, and a line for each that cannot be had. They stay for the next run of the same size."""
    folder = WORK / f"tools-{size // MIB}"
    folder.mkdir(parents=True, exist_ok=True)
    plain, made, missing = Plain(folder, size), [], []
    for recipe in recipes():
        try:
            made.append(Image(recipe, _make(recipe, plain, folder)))
        except Failure as why:
            say(f"left out {recipe.label}: {why}")
            missing.append(f"{recipe.label}: {why}")
    return made, missing


class Plain:
    """The plain images, each made when the first recipe wants it."""

    def __init__(self, folder: Path, size: int):
        self.folder, self.size = folder, size

    def file(self, name: str) -> Path:
        iso = self.folder / "disc.iso"
        if not iso.exists():
            say(f"making a plain image of {self.size // MIB} MiB from this machine's files")
            whole(iso, lambda part: make_iso(part, self.size))
        others = {"cd.cue": discs.raw_cd, "gamecube.iso": discs.gamecube, "wii.iso": discs.wii}
        return others[name](iso, self.folder) if name in others else iso


def _make(recipe: Recipe, plain: Plain, folder: Path) -> Path:
    if not shutil.which(recipe.tool):
        raise Failure(f"'{recipe.tool}' is not installed")
    image = folder / recipe.file
    if not image.exists():
        source = plain.file(recipe.plain)
        say(f"making {recipe.file}")
        # Some tools know what to make by the name.
        part = folder / "part" / recipe.file
        part.parent.mkdir(exist_ok=True)
        part.unlink(missing_ok=True)
        call(recipe.make, recipe.is_stream, part, plain=source, image=part)
        part.rename(image)
        flush(image)
    return image


def flush(path: Path) -> None:
    """What waits to be written would disturb what is measured."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def call(command: tuple[str, ...], is_stream: bool, out: Path, **places: Path) -> None:
    """Runs a tool to its end; `out` gets what it writes to its standard output."""
    words = [word.format(out=out, **places) for word in command]
    if not is_stream:
        run(*words)
        return
    with out.open("wb") as file:
        done = subprocess.run(words, stdout=file, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failure(f"{words[0]}: {done.stderr.decode(errors='replace').strip()[-200:]}")


def versions(tools: set[str]) -> list[str]:
    """Of Debian's package where the tool is of one, else what the tool says first."""
    return sorted(_version(tool) for tool in tools)


def _version(tool: str) -> str:
    place = os.path.realpath(shutil.which(tool) or tool)
    # Older packages still name what stands in /bin, which leads to /usr/bin.
    for name in (place, place.removeprefix("/usr")):
        owner = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True, check=False).stdout
        if owner:
            return run("dpkg-query", "-W", "-f", "${Package} ${Version}", owner.split(":")[0])
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
    return f"{tool}: {((said.stdout + said.stderr).strip().splitlines() or ['unknown'])[0].strip()}"
