"""Espressif's QEMU as a process of ours: found, started, watched, ended.

It is a program that people install themselves; nothing of it is part of this project. A board
under it is a real interpreter on an emulated processor: its flash and its fuses are files, its
console is a TCP port that takes one client at a time.

Options: Espressif's "QEMU for ESP32" (esp-toolchain-docs, qemu/esp32). The watchdogs of the timer
groups stay on, because with ``wdt_disable`` the node's own never fires either.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattest.errors import EmulatorError

PROGRAM: Final = "qemu-system-xtensa"
_WHERE: Final = (
    "Espressif's build has it: `python $IDF_PATH/tools/idf_tools.py install qemu-xtensa`, or "
    "https://github.com/espressif/qemu/releases; put its bin folder on PATH"
)
_HELP_S: Final = 60.0
_END_S: Final = 10.0
_LINES_TOLD: Final = 4
_TAIL_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuBoard:
    """What one board under QEMU is made of.

    Args:
        name: for messages.
        machine: QEMU's name for the hardware, such as ``esp32``.
        flash: file with the content of the flash chip; written to while the board runs.
        fuses: file with its fuse blocks.
        log: where QEMU's own words go.
        host: interface that the console listens on.
        port: TCP port of the console, 1..65535.
    """

    name: str
    machine: str
    flash: Path
    fuses: Path
    log: Path
    host: str
    port: int

    @property
    def address(self) -> str:
        """What to open."""
        return f"socket://{self.host}:{self.port}"

    def arguments(self) -> list[str]:
        """Return the options of the program."""
        return [
            *("-nographic", "-monitor", "none", "-machine", self.machine),
            *("-drive", f"file={_quoted(self.flash)},if=mtd,format=raw"),
            *("-drive", f"file={_quoted(self.fuses)},if=none,format=raw,id=efuse"),
            *("-global", f"driver=nvram.{self.machine}.efuse,property=drive,value=efuse"),
            *("-serial", f"tcp:{self.host}:{self.port},server=on,wait=off"),
        ]


def find_qemu(machine: str) -> str:
    """Return the path of a QEMU that has a machine.

    Raises:
        EmulatorError: there is none on PATH, or it does not have it; says where to get one.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise EmulatorError(f"{PROGRAM} expected on PATH, got nothing", hint=_WHERE)
    try:
        # The path is what this user's own PATH leads to.
        done = subprocess.run(  # noqa: S603
            [program, "-machine", "help"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_HELP_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else f"no answer in {_HELP_S:g} s"
        raise EmulatorError(f"{program} cannot be run: {(reason or '').lower()}") from exc
    machines = {line.split()[0] for line in done.stdout.splitlines()[1:] if line.strip()}
    if machine not in machines:
        said = _last_lines(done.stderr)
        got = f"{len(machines)} others" if machines else said or f"exit code {done.returncode}"
        raise EmulatorError(f"{program}: machine {machine} expected, got {got}", hint=_WHERE)
    return program


def listening_port(host: str, port: int) -> int:
    """Return a TCP port that can be listened on now.

    Args:
        host: interface.
        port: the port, or 0 for any that is free.

    Raises:
        EmulatorError: it cannot be had.
    """
    try:
        with socket.create_server((host, port)) as server:
            return int(server.getsockname()[1])
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "no such port"
        raise EmulatorError(
            f"cannot listen on {host}:{port}: {(reason or str(exc)).lower()}",
            hint="close the program that has it, or give another with --listen HOST:PORT",
        ) from exc


class Qemu:
    """One board that runs.

    A small keeper stands between us and QEMU: it ends QEMU when this program ends, however that
    happens, SIGKILL included. A Ctrl-C at the terminal reaches neither of them.

    Args:
        program: of `find_qemu`.
        board: what to run.

    Raises:
        EmulatorError: it cannot be started.
    """

    def __init__(self, program: str, board: QemuBoard) -> None:
        self.board = board
        try:
            with board.log.open("wb") as log:
                # The arguments are our own, and so are both programs.
                self._keeper = subprocess.Popen(  # noqa: S603
                    [*_keeper_command(), program, *board.arguments()],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as exc:
            raise EmulatorError(
                f"{board.name} cannot be started: {(exc.strerror or '').lower()}"
            ) from exc

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        return self._keeper.poll() is None

    def failure(self) -> EmulatorError:
        """Return what its end means, in one line."""
        code = self._keeper.wait(_END_S)
        said = _last_lines(_tail(self.board.log))
        how = f"signal {code - 128}" if code > 128 else f"exit code {code}"
        return EmulatorError(
            f"{self.board.name}: {PROGRAM} ended with {how}{': ' if said else ''}{said}",
            hint=f"all it said is in {self.board.log}" if said else "",
        )

    def close(self) -> None:
        """End it; what its flash file holds is what a power cut leaves."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            self._keeper.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait(_END_S)


def _keeper_command() -> Sequence[str]:
    return (sys.executable, "-m", "wattest.emulator.qemu_keeper")


def _quoted(path: Path) -> str:
    """Return a path as a value of QEMU's options, where a comma ends one."""
    return os.fspath(path.absolute()).replace(",", ",,")


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LINES_TOLD:])
