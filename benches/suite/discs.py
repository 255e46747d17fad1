"""Plain images of other kinds, made of the plain image of a run: a CD, and discs for GameCube and Wii.

The two are shaped as the tools want them (header, boot code, table of files) and hold the plain image as their only
file; nothing on them was ever sold.
"""

import shutil
import struct
from pathlib import Path

from .images import whole
from .workspace import TOOLS, run

GAMECUBE, WII = (0x1C, 0xC2339F3D), (0x18, 0x5D1C9EA3)
"""Where the mark of a console stands in a disc's header, and what it is."""
CODE, TABLE, FILE = 0x3000, 0x4000, 0x10000
SOUND_OF_DATA = 1 / 4


def raw_cd(iso: Path, folder: Path) -> Path:
    """A CD as dumpers keep it, whole sectors with their correction, and sound behind the data; gives its sheet."""
    data = iso.stat().st_size // 2048
    sound = int(data * SOUND_OF_DATA)
    binary, sheet = folder / "cd.bin", folder / "cd.cue"
    if not binary.exists():
        whole(binary, lambda part: run(TOOLS / "sectors", iso, part, "--sound", sound))
    minutes, rest = divmod(data, 75 * 60)
    sheet.write_text(f'FILE "{binary.name}" BINARY\n  TRACK 01 MODE1/2352\n    INDEX 01 00:00:00\n'
                     f"  TRACK 02 AUDIO\n    INDEX 01 {minutes:02}:{rest // 75:02}:{rest % 75:02}\n")
    return sheet


def gamecube(iso: Path, folder: Path) -> Path:
    disc = folder / "gamecube.iso"
    if not disc.exists():
        whole(disc, lambda part: _put_gamecube(iso, part))
    return disc


def wii(iso: Path, folder: Path) -> Path:
    """An encrypted disc with its tree of hashes; wit puts it together."""
    disc = folder / "wii.iso"
    if not disc.exists():
        whole(disc, lambda part: _put_wii(iso, part))
    return disc


def _header(identity: bytes, mark: tuple[int, int]) -> bytearray:
    header = bytearray(0x440)
    header[:6] = identity
    struct.pack_into(">I", header, *mark)
    header[0x20:0x2E] = b"made of a file"
    return header


def _apploader() -> bytes:
    return struct.pack(">16sIII", b"2004/02/01", 0x81200000, 0x100, 0).ljust(0x120, b"\0")


def _code() -> bytes:
    """A DOL of one section of 256 bytes, which does nothing."""
    code = bytearray(0x200)
    for at, value in ((0, 0x100), (0x48, 0x80003100), (0x90, 0x100), (0xE0, 0x80003100)):
        struct.pack_into(">I", code, at, value)
    return bytes(code)


def _put_gamecube(iso: Path, disc: Path) -> None:
    start = _header(b"GBNE01", GAMECUBE)
    struct.pack_into(">IIIIII", start, 0x420, CODE, TABLE, 0x40, 0x40, 0, FILE)
    table = struct.pack(">IIIIII", 0x01000000, 0, 2, 0, FILE, iso.stat().st_size) + b"disc.iso\0"
    head = bytearray(FILE)
    for at, piece in ((0, start), (0x2440, _apploader()), (CODE, _code()), (TABLE, table)):
        head[at:at + len(piece)] = piece
    with disc.open("wb") as out, iso.open("rb") as plain:
        out.write(head)
        shutil.copyfileobj(plain, out, 1 << 20)


def _put_wii(iso: Path, disc: Path) -> None:
    parts = disc.with_name("wii")
    shutil.rmtree(parts, ignore_errors=True)
    (parts / "sys").mkdir(parents=True)
    (parts / "files").mkdir()
    (parts / "files" / "disc.iso").hardlink_to(iso)
    for name, piece in (("boot.bin", _header(b"RBNE01", WII)), ("bi2.bin", bytes(0x2000)),
                        ("apploader.img", _apploader()), ("main.dol", _code())):
        (parts / "sys" / name).write_bytes(piece)
    for what in ("ticket", "tmd"):
        run("wit", "create", what, parts / f"{what}.bin", "--id", "RBNE01")
    run("wit", "copy", "--trunc", "--iso", parts, disc)
    shutil.rmtree(parts)
