"""The vendor's tools and our own against an emulated board on a pseudo terminal.

Wall time, because tools and board wait for each other: start of a Python program included.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

BOARD = "emulated-esp32"
IMAGE_BYTES = 2 << 20
FILE_BYTES = 100_000
_LINE_BYTES_S = 921_600 / 10
_CONSOLE_BYTES_S = 115_200 / 10
_REPEATS = 3


def rows() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, board_up(Path(folder)) as port:
        work = Path(folder)
        image = work / "image.bin"
        image.write_bytes(random.Random(1).randbytes(IMAGE_BYTES))  # does not compress
        start_s = best(lambda: esptool("version"))
        chip_s = best(lambda: esptool("--port", port, "chip-id"))
        yield row("esptool chip-id", chip_s, "s", start_s, "esptool version")
        written_s = best(
            lambda: esptool("--port", port, "write-flash", "0x200000", str(image)), repeats=1
        )
        line_s = IMAGE_BYTES / _LINE_BYTES_S
        yield row("esptool write-flash, 2 MiB of chance", written_s, "s", line_s, "921,600 baud")
        flash_s = best(lambda: wattest(work, "flash", "--port", port, "--board", BOARD), repeats=1)
        again = ("flash", "--port", port, "--board", BOARD, "--force")
        yield row("wattest flash, blank board to signed boot record", flash_s, "s", None, "")
        force_s = best(lambda: wattest(work, *again), repeats=1)
        yield row("  again, journal read out and kept", force_s, "s", None, "")
        cached_s = best(lambda: wattest(work, *again[:-1]), repeats=1)
        yield row("  again, nothing to write", cached_s, "s", None, "")
        file = work / "file.bin"
        file.write_bytes(random.Random(2).randbytes(FILE_BYTES))
        copy_s = best(lambda: mpremote(port, "fs", "cp", str(file), ":file.bin"), repeats=1)
        rate = FILE_BYTES / copy_s / 1024
        line_rate = _CONSOLE_BYTES_S / 1024
        yield row("mpremote fs cp to the board, 100 kB", rate, "KiB/s", line_rate, "115,200 baud")
        copy_s = best(lambda: mpremote(port, "fs", "cp", ":file.bin", str(file)), repeats=1)
        rate = FILE_BYTES / copy_s / 1024
        yield row("  from the board", rate, "KiB/s", line_rate, "115,200 baud")


def row(
    what: str, ours: float, unit: str, reference: float | None, reference_name: str
) -> dict[str, Any]:
    return {
        "what": what,
        "ours": ours,
        "unit": unit,
        "reference": reference,
        "reference_name": reference_name,
        "ratio": None if reference is None else ours / reference,
        "bar": "",
    }


@contextmanager
def board_up(folder: Path) -> Iterator[str]:
    """Keep a blank board up; yields its port."""
    command = [sys.executable, "-m", "wattest.cli.main", "board", "up", "--blank"]
    with subprocess.Popen(
        [*command, "--board", BOARD, "--out", str(folder / "up")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(folder),
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "WATTEST_HOME": str(folder / "home")}


def run(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=None if folder is None else environment(folder),
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])}: {done.stdout[-500:]}{done.stderr[-500:]}")


def esptool(*arguments: str) -> None:
    run([sys.executable, "-m", "esptool", *arguments])


def mpremote(port: str, *arguments: str) -> None:
    run([sys.executable, "-m", "mpremote", "connect", port, *arguments])


def wattest(folder: Path, *arguments: str) -> None:
    run([sys.executable, "-m", "wattest.cli.main", *arguments], folder)


def best(action: Any, *, repeats: int = _REPEATS) -> float:
    """Return the shortest of some runs, s."""
    times = []
    for _ in range(repeats):
        begun_s = perf_counter()
        action()
        times.append(perf_counter() - begun_s)
    return min(times)
