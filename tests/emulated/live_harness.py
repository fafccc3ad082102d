"""Boards that are up in a process of their own, and what a test looks at around them."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.errors import LinkError
from wattest.ledger import EntryKind, LedgerView
from wattest.link import open_port
from wattest.operations.events import RunEvent
from wattest.operations.kept.audit import AuditReport, audit_run
from wattest.operations.kept.ledger_view import open_view
from wattest.operations.live.ports import PortsFile, read_ports
from wattest.wire import parse_enrolment, parse_record

GIVE_UP_S = 60.0
SCENARIO = """
name = "live"
seed = 1
epoch = 2026-06-15T12:00:00Z
duration = "10m"
interval = "1s"

[[node]]
name = "feeder"
count = {count}
load = {{ kind = "steps", steps = [["0s", 3000], ["3s", -1500], ["6s", 4000]] }}
"""


def lines_of(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what a process says on stdout, line by line, as it comes; give up after a while."""
    assert process.stdout is not None
    until_s = time.monotonic() + GIVE_UP_S
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until_s - time.monotonic())):
            data = os.read(process.stdout.fileno(), 4096)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
    raise AssertionError(f"process {process.args!r} says nothing")


class Boards:
    """`wattest board up` with kept boards that record every second.

    Args:
        home: folder of the boards.
        count: how many.
        speed: their seconds per real second.
        link: kind of port.
    """

    def __init__(self, home: Path, *, count: int = 1, speed: int = 10, link: str = "pty") -> None:
        self.home = home
        self._count = count
        self._speed = speed
        self._link = link
        home.mkdir(exist_ok=True)
        self._scenario = home / "live.toml"
        self._scenario.write_text(SCENARIO.format(count=count))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start them and wait until all have said who they are."""
        options = ["--scenario", str(self._scenario), "--speed", str(self._speed)]
        options += ["--link", self._link]
        command = ["board", "up", "--out", str(self.home), *options]
        said = self.home / "stderr.txt"
        with said.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wattest.cli.main", *command],
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
        lines = lines_of(self._process)
        up = [next(lines, b"") for _ in range(self._count)]
        if not all(line.endswith(b".tty") or b"://" in line for line in up):
            self.end(signal.SIGKILL)
            raise AssertionError(said.read_text())

    @property
    def file(self) -> PortsFile:
        """What they announce."""
        return read_ports(self.home / "boards.json")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal and wait until the process is gone; return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with process:
            process.send_signal(number)
            process.wait(GIVE_UP_S)
        return process.returncode

    def journal(self, name: str) -> list[int]:
        """Return the first position of every segment in a node's journal; boards are off."""
        flash = NorFlash.load(self.home / f"{name}.flash")
        disk = LittleFs.mount(FlashLayout().vfs(flash))
        names = [entry for entry, _, _ in disk.entries("/journal")]
        return sorted(int(entry, 16) for entry in names if len(entry) == 8)


def wait_for(
    events: Iterator[RunEvent], wanted: Callable[[RunEvent], bool], what: str
) -> list[RunEvent]:
    """Take events up to the one that is wanted; return them all."""
    until_s = time.monotonic() + GIVE_UP_S
    seen = []
    for event in events:
        seen.append(event)
        if wanted(event):
            return seen
        assert time.monotonic() < until_s, f"no {what}"
    raise AssertionError(f"the collection ended without {what}")


def audit(out: Path) -> AuditReport:
    """Audit a collection as `wattest verify` does."""
    *_, report = audit_run(out)
    assert isinstance(report, AuditReport)
    assert report.passed, report.problems
    return report


def numbers(out: Path) -> dict[str, dict[int, list[int]]]:
    """Return the logged numbers of every node's streams, by serial and ctx, in ledger order."""
    found: dict[str, dict[int, list[int]]] = {}
    serials = {}
    with open_view(out) as view:
        for entry in _entries(view):
            if entry.kind == EntryKind.ENROLMENT:
                enrolment = parse_enrolment(entry.body)
                serials[enrolment.kid] = enrolment.serial
            elif entry.kind in (EntryKind.READING, EntryKind.EVENT):
                record = parse_record(entry.body)
                streams = found.setdefault(serials[record.kid], {})
                streams.setdefault(int(record.ctx), []).append(record.seq)
    return found


def _entries(view: LedgerView) -> Iterator:
    yield from view.entries()


def check_complete(out: Path) -> dict[str, int]:
    """Assert that no number is missing or doubled; return how many records each node has."""
    streams = numbers(out)
    for serial, by_ctx in streams.items():
        for ctx, seqs in by_ctx.items():
            assert seqs == list(range(1, len(seqs) + 1)), f"{serial} ctx {ctx}: {seqs}"
    return {serial: sum(map(len, by_ctx.values())) for serial, by_ctx in streams.items()}


def say_at_console(address: str, text: bytes) -> None:
    """Type at a board's console as a person beside a running collector does."""
    terminal = os.open(address, os.O_WRONLY | os.O_NOCTTY)
    with contextlib.closing(os.fdopen(terminal, "wb", buffering=0)) as console:
        console.write(text)


def is_free(address: str) -> bool:
    """Tell whether a port can be opened."""
    try:
        open_port(address).close()
    except LinkError:
        return False
    return True
