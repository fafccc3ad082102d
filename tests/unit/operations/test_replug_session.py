"""A node whose port is pulled out in mid-conversation: everything it signed arrives, once."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from talking_node import COMMAND_KEY, TalkingNode

from wattest.errors import LinkError
from wattest.link import SerialPort
from wattest.operations.control import RunControl
from wattest.operations.events import NodeChanged, RecordLogged, RunEvent, RunFinished
from wattest.operations.expected import ExpectedNode
from wattest.operations.live.collect import collect_live
from wattest.operations.live.ports import LivePort, PortsFile
from wattest.verify import EnrolmentKind
from wattest.wire import Ctx

if sys.platform == "win32":
    pytest.skip("this system has no pseudo terminals", allow_module_level=True)

import tty

GIVE_UP_S = 60.0


class Plugged:
    """A node that talks on whatever pseudo terminal it is plugged into, in a thread."""

    def __init__(self) -> None:
        self.node = TalkingNode()
        self.port = SerialPort(address="", description="")
        self._lock = threading.Lock()
        self._ends: tuple[int, int] | None = None
        self._lines = bytearray()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def plug(self) -> None:
        ours, theirs = os.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        with self._lock:
            self._ends = ours, theirs
            self.port = SerialPort(
                address=os.ttyname(theirs),
                description="",
                vid=0x303A,
                pid=0x4001,
                serial="7cdfa1000001",
                location="1-4",
            )

    def pull(self) -> None:
        """Pull the plug: what was under way is gone, in both directions."""
        with self._lock:
            assert self._ends is not None
            for end in self._ends:
                os.close(end)
            self._ends = None
            self._lines.clear()

    def sign(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self.node.seal()

    @contextmanager
    def running(self) -> Iterator[None]:
        self.plug()
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join(GIVE_UP_S)
            if self._ends is not None:
                self.pull()

    def _run(self) -> None:
        while not self._stopped.wait(0.01):
            with self._lock, suppress(OSError):
                if self._ends is not None:
                    self._turn(self._ends[0])

    def _turn(self, ours: int) -> None:
        if select.select([ours], [], [], 0)[0]:
            self._lines += os.read(ours, 4096)
        whole, newline, rest = self._lines.rpartition(b"\n")
        self._lines = bytearray(rest)
        self.node.hear(bytes(whole + newline))
        if data := self.node.speak():
            os.write(ours, data)


def is_change(state: str) -> Callable[[RunEvent], bool]:
    return lambda event: isinstance(event, NodeChanged) and event.state == state


def take(events: Iterator[RunEvent], wanted: Callable[[RunEvent], bool]) -> list[RunEvent]:
    until_s = time.monotonic() + GIVE_UP_S
    seen = []
    for event in events:
        seen.append(event)
        if wanted(event):
            return seen
        assert time.monotonic() < until_s, "what was waited for does not come"
    raise AssertionError("the collection ended before")


def ports_file(address: str) -> PortsFile:
    expected = ExpectedNode(
        name="turbine",
        asset="turbine",
        serial="demo-0001",
        board="emulated-esp32",
        kind=EnrolmentKind.EMULATED,
        cfg=bytes(16),
        demo=True,
        power_max_milliwatts=10**10,
        command_key=COMMAND_KEY,
    )
    return PortsFile(ports=(LivePort(address=address, expected=expected),))


@pytest.mark.parametrize("by", ["its name", "usb:7cdfa1000001"])
def test_board_that_comes_back_by_another_name_goes_on_and_loses_nothing(
    by: str, tmp_path: Path
) -> None:
    board, control = Plugged(), RunControl()
    seqs: list[int] = []

    def logged(event: RunEvent, until: int) -> bool:
        record = event.verdict.record if isinstance(event, RecordLogged) else None
        if record is not None and record.ctx == Ctx.FISCAL:
            seqs.append(record.seq)
        return len(seqs) == until

    with board.running():
        address = board.port.address if by == "its name" else by
        names = [board.port.address]
        events = collect_live(
            ports_file(address), tmp_path / "out", control=control, lister=lambda: [board.port]
        )
        try:
            for life in range(3):
                board.sign(5)
                take(events, lambda event, until=10 * life + 5: logged(event, until))
                board.pull()
                board.sign(5)  # the node goes on signing while nobody hears it
                take(events, is_change("unplugged"))
                board.plug()
                names.append(board.port.address)
                take(events, is_change("running"))
                take(events, lambda event, until=10 * life + 10: logged(event, until))
            control.stopped = True
            ended = take(events, lambda event: isinstance(event, RunFinished))[-1]
        finally:
            events.close()
        assert seqs == list(range(1, 31))
        assert isinstance(ended, RunFinished)
        assert not ended.findings


def test_usb_address_of_nothing_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="nothing with this USB serial number or place"):
        next(collect_live(ports_file("usb:1-9"), tmp_path / "out", lister=list))
    assert not (tmp_path / "out").exists()
