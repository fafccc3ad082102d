"""The recorder beside an emulated board: its log against what the board really put out."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board_harness import Bench
from flash_harness import flash_bench
from port_harness import GIVE_UP_S, Served, run_tool, serving
from provision_harness import FlashedBoard, provision, up

from wattest.operations.commission.provision_events import Enrolled
from wattest.operations.console.chunk import ChunkKind
from wattest.operations.console.lease import port_lease
from wattest.operations.console.log_file import read_log
from wattest.operations.console.recorder import Recorder

pytestmark = pytest.mark.emulated

pyserial_warns = pytest.mark.filterwarnings(
    "ignore:set(Daemon|Name):DeprecationWarning"  # pyserial 3.5 itself
)
SPEAKS = """
import sys, time
from machine import reset_cause
print("boot, cause", reset_cause())
for number in range(100_000):
    sys.stdout.buffer.write(bytes(range(256)))
    print("line", number)
    time.sleep_ms(20)
"""
QUIET = 'print("quiet now")\n'


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = Path(tempfile.mkdtemp(prefix="wattest-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield
    shutil.rmtree(folder)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def power_on(bench: Bench, program: str) -> None:
    bench.board.install({"main.py": program.encode()})
    bench.board.power_on()


def received(log: Path, *, events: tuple[str, ...] = ()) -> list[bytes]:
    """Return what the log holds of the board, cut where one of the events happened."""
    parts = [b""]
    for chunk in read_log(log):
        if chunk.kind is ChunkKind.RECEIVED:
            parts[-1] += chunk.data
        elif chunk.note.get("event") in events:
            parts.append(b"")
    return parts


def wait_for(log: Path, said: bytes) -> None:
    """Wait until the recorder has read this."""
    until_s = time.monotonic() + GIVE_UP_S
    while said not in received(log)[0]:
        assert time.monotonic() < until_s, f"{said!r} is not in the log"


def wait_for_size(log: Path, size_bytes: int) -> None:
    """Wait until the recorder has read as much since it opened the port last."""
    until_s = time.monotonic() + GIVE_UP_S
    while (got := len(received(log, events=("opened",))[-1])) < size_bytes:
        assert time.monotonic() < until_s, f"{got} bytes in the log, expected {size_bytes}"


def put_out(port: Served, bench: Bench) -> bytes:
    """Return all that the board ever put on its wire."""
    return port.call(lambda: bytes(bench.output))


@pyserial_warns
@pytest.mark.parametrize("link", ["pty", "socket", "rfc2217"])
def test_log_is_what_the_board_put_out_from_its_power_on(
    bench: Bench, tmp_path: Path, link: str
) -> None:
    with serving(bench.board, link) as port, Recorder(port.address, tmp_path):
        port.call(lambda: power_on(bench, SPEAKS))
        wait_for(tmp_path, b"line 60\r\n")
        port.call(bench.board.power_off)
        port.call(lambda: power_on(bench, QUIET))
        wait_for(tmp_path, b">>> ")
        wait_for_size(tmp_path, len(put_out(port, bench)))
        assert received(tmp_path) == [put_out(port, bench)]


def test_what_the_board_said_before_the_recorder_began_is_in_its_log(
    bench: Bench, tmp_path: Path
) -> None:
    with serving(bench.board) as port:
        port.call(lambda: power_on(bench, QUIET))
        port.wait_until(lambda: bench.output.endswith(b">>> "), "prompt")
        with Recorder(port.address, tmp_path):
            wait_for_size(tmp_path, len(put_out(port, bench)))
        assert received(tmp_path) == [put_out(port, bench)]


def test_tool_takes_the_port_over_and_the_log_says_from_when_to_when(
    bench: Bench, tmp_path: Path
) -> None:
    with serving(bench.board) as port, Recorder(port.address, tmp_path):
        port.call(lambda: power_on(bench, SPEAKS))
        wait_for(tmp_path, b"line 5\r\n")
        with port_lease(port.address, holder="mpremote") as lease:
            code, shown = run_tool("mpremote", "connect", port.address, "eval", "6*7")
            assert (code, shown) == (0, "42\n")
            port.call(bench.board.power_off)
            at = len(put_out(port, bench))
            with lease.listen():
                port.call(lambda: power_on(bench, QUIET))
                wait_for(tmp_path, b"quiet now\r\n")
        wait_for(tmp_path, b">>> ")
        whole = put_out(port, bench)
    before, after = received(tmp_path, events=("lent",))
    assert whole.startswith(before)
    assert b"line 5\r\n" in before
    assert after.endswith(whole[at:])
    assert whole[at:].startswith(b"ets ")
    assert whole.endswith(after), "what came after the give-back is all there"


def test_node_that_resets_over_and_over_is_told_once(bench: Bench, tmp_path: Path) -> None:
    bench = Bench()
    resets = 'import machine\nprint("sensor: no answer")\nmachine.reset()\n'
    with serving(bench.board) as port, Recorder(port.address, tmp_path):
        port.call(lambda: power_on(bench, resets))
        port.wait_until(lambda: bench.output.count(b"rst:0x") >= 12, "12 starts")
        port.call(bench.board.power_off)
        wait_for_size(tmp_path, len(put_out(port, bench)))
        assert received(tmp_path) == [put_out(port, bench)]
    notes = [c.note for c in read_log(tmp_path) if c.note.get("event") == "boot-loop"]
    assert [note["starts"] for note in notes] == [5]
    assert notes[0]["before"][-1] == {"cause": "SW_CPU_RESET", "said": "sensor: no answer"}


def test_flashing_takes_the_port_over_and_no_word_of_the_new_firmware_is_missing(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    with flash_bench(tmp_path) as bench, Recorder(bench.port.address, log):
        flashed = bench.flash().flashed
        bench.port.call(bench.board.power_off)
        whole = bench.port.call(lambda: bytes(bench.output))
        wait_for(log, whole[-100:])
    after = received(log, events=("opened",))[-1]
    assert whole.endswith(after)
    assert after.startswith(b"ets "), "from the first byte after the reset on"
    assert f"key {flashed.kid}".encode() in after
    notes = [c.note for c in read_log(log) if c.kind is ChunkKind.NOTE]
    assert [n["event"] for n in notes] == [
        "started",
        "opened",
        "lent",
        "back",
        "opened",
        "stopped",
    ]
    assert notes[2]["holder"].startswith("wattest flash, process")
    assert notes[3]["lent_ms"] > 0


@pyserial_warns
def test_board_is_reset_by_the_recorder_itself_and_no_word_after_it_is_missing(
    bench: Bench, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with serving(bench.board, "rfc2217") as port, Recorder(port.address, log):
        port.call(lambda: power_on(bench, SPEAKS))
        wait_for(log, b"line 5\r\n")
        with port_lease(port.address, holder="mpremote") as lease:
            at = len(put_out(port, bench))
            with lease.listen(reset_board=True) as ear:
                heard = b""
                while b"line 3\r\n" not in heard:
                    heard += ear.read(4096, time.monotonic() + GIVE_UP_S)
        port.call(bench.board.power_off)
        whole = put_out(port, bench)
        booted = whole.index(b"ets ", at)
        wait_for_size(log, len(whole) - booted)
    after = received(log, events=("opened",))[-1]
    assert whole.endswith(after)
    assert whole[booted:] in after
    assert b"rst:0x1 (POWERON_RESET)" in heard
    notes = [c.note["event"] for c in read_log(log) if c.kind is ChunkKind.NOTE]
    assert notes[2:] == ["lent", "back", "opened", "reset", "stopped"]


def test_provisioning_takes_the_port_over_and_its_command_key_is_in_no_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flashed = FlashedBoard(interval_ms=1000)
    with up(flashed) as port, Recorder(port.address, log) as recorder:
        ended, _ = provision(port.address, tmp_path / "home", lambda _candidate: True)
        assert isinstance(ended, Enrolled)
        while recorder.standing()["state"] != "open":  # it opens the port in its own time
            assert not recorder.wait(0.01), "it has ended"
    secret = flashed.nvs("cmdkey")
    assert secret is not None
    whole = b"".join(path.read_bytes() for path in log.iterdir())
    assert secret not in whole
    assert secret.hex().encode() not in whole
    notes = [c.note for c in read_log(log) if c.kind is ChunkKind.NOTE]
    assert [n["event"] for n in notes] == [
        "started",
        "opened",
        "lent",
        "back",
        "opened",
        "stopped",
    ]
    assert notes[2]["holder"].startswith("provisioning, process")
