"""Which programs have a port open: looked up in /proc, without asking any other program.

Linux only. A process of another user hides what it has open; then the answer says so.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_NAME_CHARS_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has the port open; the name is its program, of a script the script."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """What could be found out about who has a port open.

    Args:
        found: by process number, without this process.
        hidden: how many processes could not be looked into.
        can_tell: False where the system does not say at all.
    """

    found: tuple[Holder, ...] = ()
    hidden: int = 0
    can_tell: bool = True


def holders(address: str, *, proc: Path = _PROC) -> Holders:
    """Return who has a port open, by whatever name they opened it.

    Args:
        address: path of a serial port or pseudo terminal.
        proc: where the system shows its processes.
    """
    return holders_of([address], proc=proc)[address]


def holders_of(addresses: list[str], *, proc: Path = _PROC) -> dict[str, Holders]:
    """Return who has which port open, in one walk over all processes."""
    if not (proc / "self" / "fd").is_dir():
        return dict.fromkeys(addresses, Holders(can_tell=False))
    nodes = {address: node for address in addresses if (node := _device(address)) is not None}
    found: dict[int, set[int]] = {node: set() for node in nodes.values()}
    hidden = 0
    own = os.getpid()
    for entry in proc.iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            opened = _opened(entry)
        except PermissionError:
            hidden += 1
            continue
        for node in opened & found.keys():
            found[node].add(int(entry.name))
    return {
        address: Holders(
            found=tuple(
                Holder(pid=pid, name=_name(proc / str(pid)))
                for pid in sorted(found[nodes[address]])
            )
            if address in nodes
            else (),
            hidden=hidden,
        )
        for address in addresses
    }


def _opened(process: Path) -> set[int]:
    """Return the character devices a process has open.

    Raises:
        PermissionError: it is somebody else's process.
    """
    try:
        descriptors = list((process / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return set()
    nodes = (_device(str(each)) for each in descriptors)
    return {node for node in nodes if node is not None}


def _device(path: str) -> int | None:
    """Return the number of the character device behind a path, or None."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_rdev if stat.S_ISCHR(status.st_mode) else None


def _name(process: Path) -> str:
    """Return what people call the program of a process."""
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        short = (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "has ended"
    name = short
    if words and Path(words[0]).name.startswith("python"):
        module = words.index("-m") + 1 if "-m" in words else len(words)
        script = next((word for word in words[1:] if word == "-c" or word[:1] != "-"), "-c")
        typed = short if script == "-c" else Path(script).name
        name = words[module] if module < len(words) else typed
    clean = "".join(char for char in name if char.isprintable())
    return clean[:_NAME_CHARS_MAX] or short
