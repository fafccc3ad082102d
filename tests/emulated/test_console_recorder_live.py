"""A collector that reads its board through a recorder: nothing is missing, in ledger or log."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_harness import Boards, audit, check_complete, wait_for

from wattest.errors import LinkError
from wattest.operations.console.chunk import ChunkKind
from wattest.operations.console.lease import port_lease
from wattest.operations.console.log_file import read_log
from wattest.operations.console.recorder import Recorder
from wattest.operations.console.search import Query, find
from wattest.operations.control import RunControl
from wattest.operations.events import NodeChanged, RecordLogged, RunEvent, RunFinished
from wattest.operations.live.collect import collect_live
from wattest.wire import Ctx, Frame, FrameScanner
from wattest.wire.frame import encode_frame

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="wattest-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield
    shutil.rmtree(folder)


@pytest.fixture
def boards(tmp_path: Path, runtime: None) -> Iterator[Boards]:
    boards = Boards(tmp_path / "bench")
    boards.start()
    yield boards
    boards.end()


def is_reading(event: RunEvent) -> bool:
    return isinstance(event, RecordLogged) and event.verdict.record.ctx is Ctx.FISCAL


def is_change(state: str):
    return lambda event: isinstance(event, NodeChanged) and event.state == state


def test_collector_goes_on_through_a_recorder_that_lends_the_port(
    boards: Boards, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    address = boards.file.ports[0].address
    control = RunControl()
    with Recorder(address, log):
        events = collect_live(boards.file, out, control=control)
        wait_for(events, is_reading, "reading")
        with port_lease(address, holder="somebody"):
            wait_for(events, is_change("unplugged"), "lent port")
            boards.end()
            boards.start()
        seen = wait_for(events, is_change("connected"), "port again")
        seen += wait_for(events, is_reading, "reading after it")
        control.stopped = True
        *_, finished = wait_for(events, lambda e: isinstance(e, RunFinished), "end")
    assert isinstance(finished, RunFinished)
    assert finished.passed, finished.reasons
    audit(out)
    (records,) = check_complete(out).values()
    assert records >= 4
    for number in range(1, finished.nodes[0].readings + 1):
        assert list(find(read_log(log), Query(reading=number))), f"reading {number} is in the log"
    received = b"".join(c.data for c in read_log(log) if c.kind is ChunkKind.RECEIVED)
    for frame in FrameScanner().feed((out / "frames.bin").read_bytes()):
        if isinstance(frame, Frame):
            assert encode_frame(frame.kind, frame.body) in received
    assert any(c.kind is ChunkKind.SENT for c in read_log(log)), "acknowledgements are kept too"


def test_port_that_is_lent_refuses_a_collector_in_one_line(boards: Boards, tmp_path: Path) -> None:
    address = boards.file.ports[0].address
    with (
        Recorder(address, tmp_path / "log"),
        port_lease(address, holder="wattest flash"),
        pytest.raises(LinkError, match=f"process {os.getpid()}, does not have it: is lent to wat"),
    ):
        next(collect_live(boards.file, tmp_path / "out"))
