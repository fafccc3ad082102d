"""Boards that `wattest board up` keeps up, on every kind of port, with the real tools."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_harness import Boards, audit, check_complete, lines_of, wait_for
from port_harness import GIVE_UP_S, run_tool

from wattest.boards import board_names
from wattest.cli.main import main
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.operations.control import RunControl
from wattest.operations.events import ConsolePrinted, NodeChanged, RecordLogged, RunEvent
from wattest.operations.live.collect import collect_live

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial 3.5
]

LINKS = ["pty", "socket", pytest.param("rfc2217", marks=pytest.mark.long)]
INTERRUPT = "import node.app; print('firmware at hand')"


def is_reading(event: RunEvent) -> bool:
    return isinstance(event, RecordLogged) and event.verdict.record.event is None


@contextmanager
def boards_up(*arguments: str) -> Iterator[list[list[str]]]:
    """`wattest board up` in a process; yields name, serial and address of each board."""
    command = [sys.executable, "-m", "wattest.cli.main", "board", "up", *arguments]
    count = int(arguments[arguments.index("--count") + 1]) if "--count" in arguments else 1
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            lines = lines_of(process)
            yield [next(lines).decode().split() for _ in range(count)]
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(GIVE_UP_S)
    assert code == 0


def collect_until_three_readings(boards: Boards, out: Path, *, boot: int) -> None:
    control = RunControl()
    events = collect_live(boards.file, out, control=control)
    for _ in range(3):
        seen = wait_for(
            events,
            lambda e: is_reading(e) and e.verdict.record.bootcount >= boot,
            f"reading of boot {boot}",
        )
        assert not any(isinstance(e, NodeChanged) and e.state == "unplugged" for e in seen)
    control.stopped = True
    for _ in events:
        pass


@pytest.mark.parametrize("link", LINKS)
def test_node_that_mpremote_interrupts_and_resets_meters_on(link: str, tmp_path: Path) -> None:
    boards, out = Boards(tmp_path / "boards", link=link), tmp_path / "out"
    boards.start()
    try:
        collect_until_three_readings(boards, out, boot=1)
        mpremote = ["mpremote", "connect", boards.file.ports[0].address]
        assert run_tool(*mpremote, "exec", INTERRUPT) == (0, "firmware at hand\n")
        code, listed = run_tool(*mpremote, "fs", "ls")
        assert code == 0, listed
        assert "node.json" in listed
        assert run_tool(*mpremote, "reset") == (0, "")
        collect_until_three_readings(boards, out, boot=2)
    finally:
        assert boards.end() == 0
    audit(out)
    check_complete(out)


def test_blank_boards_take_an_image_from_esptool_and_keep_it(tmp_path: Path) -> None:
    home, image = tmp_path / "boards", tmp_path / "disk.bin"
    flash = NorFlash(4 << 20)
    disk = LittleFs.mount(FlashLayout().vfs(flash), format_if_needed=True)
    disk.install([("hello.txt", b"written by esptool")])
    image.write_bytes(flash.read(2 << 20, 64 << 10))
    options = ["--blank", "--count", "2", "--out", str(home), "--seed", "1"]
    with boards_up(*options) as boards:
        assert [(name, serial) for name, serial, _ in boards] == [
            ("board-1", "blank"),
            ("board-2", "blank"),
        ]
        code, shown = run_tool(
            "esptool", "--port", boards[1][2], "write-flash", "0x200000", str(image)
        )
        assert code == 0, shown
        assert "Hash of data verified" in shown
        code, shown = run_tool(
            "esptool", "--port", boards[0][2], "read-flash", "0", "4096", str(tmp_path / "read")
        )
        assert code == 0, shown
        assert (tmp_path / "read").read_bytes() == b"\xff" * 4096
    kept = NorFlash.load(home / "board-2.flash")
    assert LittleFs.mount(FlashLayout().vfs(kept)).read_file("/hello.txt") == b"written by esptool"


def test_board_that_was_erased_while_it_was_up_comes_back_erased(tmp_path: Path) -> None:
    home = tmp_path / "boards"
    options = ["--count", "2", "--out", str(home), "--seed", "1"]
    with boards_up(*options) as boards:
        assert [serial for _, serial, _ in boards] == ["DEMO-board-1", "DEMO-board-2"]
        code, shown = run_tool("esptool", "--port", boards[0][2], "erase-flash")
        assert code == 0, shown
    with boards_up(*options) as boards:
        assert [serial for _, serial, _ in boards] == ["blank", "DEMO-board-2"]
        document = json.loads((home / "boards.json").read_text())
        assert [board["name"] for board in document["boards"]] == ["board-2"]
        assert [board["name"] for board in document["blank"]] == ["board-1"]


def test_rfc2217_board_goes_into_download_mode_and_back_by_its_lines() -> None:
    with boards_up("--link", "rfc2217", "--blank") as [(_, _, address)]:
        assert address.startswith("rfc2217://127.0.0.1:")
        code, shown = run_tool("esptool", "--port", address, "--no-stub", "read-mac")
        assert code == 0, shown
        assert "Hard resetting" in shown
        assert "NOT reset" not in shown


def test_sniffing_can_be_switched_off() -> None:
    with boards_up("--blank", "--no-sniff") as [(_, _, address)]:
        esptool = ["esptool", "--port", address, "--connect-attempts", "1", "read-mac"]
        code, shown = run_tool(*esptool)
        assert code == 2
        assert "Failed to connect" in shown


def test_boards_on_sockets_are_announced_with_their_addresses(tmp_path: Path) -> None:
    boards = Boards(tmp_path / "boards", count=2, link="socket")
    boards.start()
    try:
        document = json.loads((boards.home / "boards.json").read_text())
        ports = [board["port"] for board in document["boards"]]
        assert len(set(ports)) == 2
        assert all(port.startswith("socket://127.0.0.1:") for port in ports)
    finally:
        assert boards.end(signal.SIGINT) == 0
    assert not (boards.home / "boards.json").exists()


EMULATED = [name for name in board_names() if name.startswith("emulated-")]
TWINS = {"emulated-esp32s3", "emulated-esp32c3"}


@pytest.mark.parametrize(
    "board", [n if n in TWINS else pytest.param(n, marks=pytest.mark.long) for n in EMULATED]
)
def test_every_emulated_board_comes_up_on_a_port(
    board: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["board", "up", "--board", board, "--for", "1s", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.split()[:2] == ["board-1", "DEMO-board-1"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--listen", "0.0.0.0:4000"], "--listen is for TCP ports, not for --link pty"),
        (["--link", "socket", "--listen", "host:none"], "expected a host, or host:port"),
        (["--link", "socket", "--listen", "127.0.0.1:65535", "--count", "2"], "cannot listen on"),
        (["--board", "esp32-c6-devkitc-1"], "its chip esp32c6 is not emulated, expected one of"),
        (["--link", "memory", "--blank"], "a blank board has nothing to collect"),
        (["--link", "socket", "--listen", "192.0.2.1"], "cannot listen on 192.0.2.1:0"),
    ],
)
def test_wrong_calls_of_board_up_are_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "up", *arguments]) in {2, 3}
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert line in lines[0]


def test_node_that_a_person_stops_in_the_repl_is_started_by_its_watchdog(tmp_path: Path) -> None:
    boards, out = Boards(tmp_path / "boards", speed=60), tmp_path / "out"
    boards.start()
    try:
        mpremote = ["mpremote", "connect", boards.file.ports[0].address]
        assert run_tool(*mpremote, "exec", INTERRUPT) == (0, "firmware at hand\n")
        control = RunControl()
        events = collect_live(boards.file, out, control=control)
        seen = wait_for(
            events,
            lambda e: is_reading(e) and e.verdict.record.bootcount == 2,
            "reading after the watchdog",
        )
        assert any("task_wdt" in e.text for e in seen if isinstance(e, ConsolePrinted))
        control.stopped = True
        for _ in events:
            pass
    finally:
        boards.end()
    audit(out)
