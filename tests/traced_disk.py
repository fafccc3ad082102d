"""What a disk may hold after a power cut, from a trace of what a program asked of it.

`strace` records every write, truncation and flush of a real process with its bytes. A power cut
keeps of each file all that was flushed before the cut; of what came after the file's last flush
any part may be there, in any order, the last sectors torn. Names of files are kept as they were:
the model has no directory that forgets.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")
SECTOR_BYTES = 512
_CALLS = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink"
_CALL = re.compile(rb"^(?:\d+ +)?(\w+)\((?:\d+<([^>]*)>|\"([^\"]*)\")(?:, (.*))?\) = (-?\d+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was asked: write, truncate, flush, unlink; or said: acknowledged."""

    what: str
    file: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0


def trace(command: Sequence[str], folder: Path, env: dict[str, str]) -> list[Asked]:
    """Run a command; return what it asked of files in ``folder``, and each line it printed."""
    assert STRACE is not None
    log = folder.parent / f"{folder.name}.trace"
    options = ["-f", "-y", "-xx", "-s", "1000000", "-e", _CALLS, "-o", str(log)]
    done = subprocess.run(
        [STRACE, *options, *command], env=env, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    asked = [_read(line, folder) for line in log.read_bytes().splitlines()]
    return [item for item in asked if item is not None]


def _read(line: bytes, folder: Path) -> Asked | None:
    match = _CALL.match(line)
    if match is None or int(match[5]) < 0:
        return None
    name, path = match[1].decode(), Path(os.fsdecode(_unquoted(match[2] or match[3])))
    rest = match[4] or b""
    if name == "write":
        text = _unquoted(rest.split(b'"')[1])
        printed = not path.is_absolute() or not path.is_relative_to(folder)
        return Asked("printed", number=int(text)) if printed and text.strip().isdigit() else None
    if path.parent != folder or path.name.endswith("-shm"):
        return None
    match name:
        case "pwrite64":
            _, data, tail = rest.split(b'"')
            offset = int(tail.rsplit(b", ", 1)[1])
            return Asked("write", path.name, offset, _unquoted(data)[: int(match[5])])
        case "ftruncate":
            return Asked("truncate", path.name, int(rest))
        case "unlink":
            return Asked("unlink", path.name)
    return Asked("flush", path.name)


def _unquoted(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\x", b"").decode())


def acknowledged(asked: Sequence[Asked]) -> int:
    """Return the last number that was printed, 0 if none."""
    return max((item.number for item in asked if item.what == "printed"), default=0)


def after_a_cut(asked: Sequence[Asked], chance: random.Random) -> dict[str, bytes]:
    """Return the files as a power cut after these calls may leave them."""
    flushed = {item.file: place for place, item in enumerate(asked) if item.what == "flush"}
    files: dict[str, bytearray] = {}
    for place, item in enumerate(asked):
        if item.what == "unlink":
            files.pop(item.file, None)
        elif item.what in ("write", "truncate"):
            content = files.setdefault(item.file, bytearray())
            if place < flushed.get(item.file, -1):
                _apply(content, item, len(item.data))
            elif chance.randrange(2):
                sectors = chance.randint(0, len(item.data) // SECTOR_BYTES + 1)
                _apply(content, item, min(len(item.data), sectors * SECTOR_BYTES))
    return {name: bytes(content) for name, content in files.items()}


def _apply(content: bytearray, item: Asked, size: int) -> None:
    if item.what == "truncate":
        del content[item.offset :]
        content.extend(bytes(item.offset - len(content)))
        return
    content.extend(bytes(max(0, item.offset + size - len(content))))
    content[item.offset : item.offset + size] = item.data[:size]
