"""The vendor's tools on an emulated board's pseudo terminal: seconds a person waits."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

MIB = 1 << 20
KB = 1000
_WRITTEN_BYTES = 2 * MIB
_COPIED_BYTES = 100 * KB
_REPEATS = 3
_GIVE_UP_S = 300


def rows() -> Iterator[dict[str, Any]]:
    with TemporaryDirectory() as name, _blank_board(Path(name)) as port:
        folder = Path(name)
        esptool = ("esptool", "--port", port, "--baud", "460800")
        chip_id = min(_seconds(*esptool, "chip-id") for _ in range(_REPEATS))
        yield _row("esptool chip-id on a pty, best of 3", chip_id, "s")
        flash = ("wattest.cli.main", "flash", "--port", port, "--board", "emulated-esp32")
        flash += ("--home", str(folder / "home"))
        yield _row("wattest flash of a blank board", _seconds(*flash), "s")
        forced = _seconds(*flash, "--force")
        yield _row("wattest flash --force, journal kept", forced, "s")
        yield _row("wattest flash of a board that is up to date", _seconds(*flash), "s")
        small = folder / "small.bin"
        small.write_bytes(_like_code(_COPIED_BYTES))
        copied = _seconds("mpremote", "connect", port, "fs", "cp", str(small), ":small.bin")
        yield _row("mpremote fs cp of 100 kB to a board", _COPIED_BYTES / KB / copied, "kB/s")
        image = folder / "image.bin"
        image.write_bytes(_like_code(_WRITTEN_BYTES))
        written = _seconds(*esptool, "write-flash", "0x200000", str(image))
        yield _row("esptool write-flash of 2 MB, half of it compressible", written, "s")


@contextmanager
def _blank_board(folder: Path) -> Iterator[str]:
    """Serve a blank board by a process of its own; yields its port."""
    command = [sys.executable, "-m", "wattest.cli.main", "board", "up", "--blank"]
    with subprocess.Popen(
        [*command, "--out", str(folder / "boards")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def _seconds(module: str, *arguments: str) -> float:
    """Run a program of this environment, which must succeed; return how long it took."""
    begun = monotonic()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=_GIVE_UP_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return monotonic() - begun


def _like_code(size_bytes: int) -> bytes:
    """Return bytes of which half compresses away, as machine code does."""
    blocks = (hashlib.sha256(str(n).encode()).digest() * 2 for n in range(size_bytes // 64 + 1))
    return b"".join(blocks)[:size_bytes]


def _row(what: str, ours: float, unit: str) -> dict[str, Any]:
    return {
        "what": what,
        "ours": ours,
        "unit": unit,
        "reference": None,
        "reference_name": "",
        "ratio": None,
        "bar": "",
    }
