"""Makes the one plain image of a run, and all that the systems read it from."""

import json
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from .workspace import MIB, TOOLS, WORK, Failure, Scale, run, say

# What every Debian machine has, and what discs hold: programs, libraries, texts, data.
FOLDERS = ("/usr/bin", "/usr/lib", "/usr/share", "/usr/sbin", "/usr/include")
LARGEST_FILE = 16 * MIB

PACKED = {
    "zso-2k.zso": ("--format", "zso", "--block", "2K"),
    "zso-16k.zso": ("--format", "zso", "--block", "16K"),
    "cso-2k.cso": ("--format", "cso", "--block", "2K"),
    "cso-16k.cso": ("--format", "cso", "--block", "16K"),
    "dax.dax": ("--format", "dax"),
    "isz-zlib-128k.isz": ("--format", "isz", "--block", "128K"),
    "isz-zlib-256k.isz": ("--format", "isz", "--block", "256K"),
    "isz-bzip2.isz": ("--format", "isz", "--block", "128K", "--bzip2"),
}

SQUASHFS = ("-noappend", "-quiet", "-no-progress", "-no-fragments", "-b", "131072")
OTHERS = {
    "lz4.squashfs": ("mksquashfs", "{folder}", "{image}", *SQUASHFS, "-comp", "lz4", "-Xhc"),
    "gzip.squashfs": ("mksquashfs", "{folder}", "{image}", *SQUASHFS, "-comp", "gzip"),
    "lz4hc.erofs": ("mkfs.erofs", "-zlz4hc,9", "{image}", "{folder}"),
}


@dataclass(frozen=True)
class Images:
    """`library` is what plainiso mounts; the plain image lies in it as plain.iso."""

    library: Path
    others: Path
    stored: dict[str, int]
    """Bytes of all blocks of an image, without its header and tables."""

    @property
    def plain(self) -> Path:
        return self.library / "plain.iso"

    def packed(self, name: str) -> Path:
        return next(self.library / file for file in PACKED if Path(file).stem == name)


def make(scale: Scale) -> Images:
    """Makes what is missing. Images stay for the next run of the same scale."""
    data = WORK / f"data-{scale.iso_bytes // MIB}"
    images = Images(data / "library", data / "others", {})
    images.library.mkdir(parents=True, exist_ok=True)
    images.others.mkdir(exist_ok=True)
    if not images.plain.exists():
        say(f"making a plain image of {scale.iso_bytes // MIB} MiB from this machine's files")
        whole(images.plain, lambda part: _make_cut_iso(part, scale.iso_bytes))
    for name, options in PACKED.items():
        images.stored[Path(name).stem] = _pack(images.plain, images.library / name, options)
    for name, command in OTHERS.items():
        if not (images.others / name).exists() and shutil.which(command[0]):
            say(f"making {name}")
            whole(images.others / name, lambda part: _make_other(command, images.plain, part))
    os.sync()
    return images


def make_many(count: int) -> Path:
    """A folder of `count` small images, all different files."""
    folder = WORK / f"many-{count}"
    if not (folder / f"Disc {count - 1:05}.zso").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        sample = WORK / "small.iso"
        sample.write_bytes(bytes(i * i % 251 for i in range(8192)))
        first = folder / "Disc 00000.zso"
        run(TOOLS / "pack", sample, first, "--format", "zso")
        for i in range(1, count):
            shutil.copyfile(first, folder / f"Disc {i:05}.zso")
        os.sync()
    return folder


def make_large(scale: Scale) -> Path | None:
    """An image with an index of several megabytes."""
    image = WORK / "large" / "large.zso"
    if scale.large_bytes == 0:
        return None
    if not image.exists():
        say("making a large image of zeroes")
        image.parent.mkdir(parents=True, exist_ok=True)
        plain = WORK / "large.iso"
        with plain.open("wb") as file:
            file.truncate(scale.large_bytes)
        whole(image, lambda part: run(TOOLS / "pack", plain, part, "--format", "zso"))
        plain.unlink()
    return image


def whole(path: Path, make_it) -> None:
    """A file that is there is complete: it is made under another name first."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    make_it(part)
    part.rename(path)


def _pack(plain: Path, image: Path, options: tuple[str, ...]) -> int:
    facts = image.parent.parent / (image.name + ".json")
    if not (image.exists() and facts.exists()):
        say(f"making {image.name}")
        said = []
        whole(image, lambda part: said.append(run(TOOLS / "pack", plain, part, *options)))
        facts.write_text(said[0])
    return json.loads(facts.read_text())["stored"]


def _make_other(command: tuple[str, ...], plain: Path, image: Path) -> None:
    """The other file systems hold the plain image as their only file, disc.iso."""
    folder = image.parent / "content"
    folder.mkdir(exist_ok=True)
    (folder / "disc.iso").unlink(missing_ok=True)
    os.link(plain, folder / "disc.iso")
    run(*(word.format(folder=folder, image=image) for word in command))
    shutil.rmtree(folder)


def _make_cut_iso(image: Path, size: int) -> None:
    make_iso(image, size)
    os.truncate(image, size)


def make_iso(image: Path, size: int) -> None:
    """A whole image of at least `size` bytes."""
    grafts = image.with_name("grafts")
    grafts.write_text("".join(f"{path}={path}\n" for path in _choose(size)))
    run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-joliet-long", "-iso-level", "3", "-graft-points",
        "-path-list", grafts, "-o", image)
    grafts.unlink()
    if image.stat().st_size < size:
        raise Failure(f"this machine has too few files under {', '.join(FOLDERS)} for an image of {size} bytes")


def _choose(size: int) -> list[str]:
    """Files of somewhat more than `size` bytes, in an order by chance that is the same at every run."""
    found = []
    for top in FOLDERS:
        for folder, _, names in os.walk(top):
            paths = (os.path.join(folder, name) for name in names)
            found += [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    found = sorted(path for path in found if path.isascii() and not set(path) & set("=\\\n"))
    random.Random(1).shuffle(found)
    chosen, total = [], 0
    for path in found:
        length = os.path.getsize(path)
        if 0 < length <= LARGEST_FILE:
            chosen.append(path)
            total += length
        if total > size:
            break
    return chosen
