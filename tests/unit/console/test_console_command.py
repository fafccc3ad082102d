"""`wattest console` as people meet it: in a pipe, in a terminal, on a kept log, called wrongly."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from console_bench import GIVE_UP_S, Speaker, events, received, wait_until

from wattest.cli.main import main
from wattest.operations.console.places import log_folder
from wattest.operations.console.recorder import Recorder
from wattest.wire.frame import encode_frame
from wattest.wire.message import encode_taken

TAKEN = encode_frame(4, encode_taken(200))
SAID = b"boot\r\nTraceback (most recent call last):\r\n" + TAKEN + b"boot again\r\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("WATTEST_HOME", str(folder))
    return folder


@contextmanager
def console(*options: str, **streams: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command; it must have ended by itself when the block does."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "wattest.cli.main", "console", *options]
    with subprocess.Popen(command, **{**pipes, **streams}) as process:
        try:
            yield process
            process.wait(GIVE_UP_S)
        finally:
            process.kill()


def kept(board: Speaker, home: Path) -> Path:
    """Let a recorder keep something; return its log."""
    folder = log_folder(home, board.address)
    with Recorder(board.address, folder):
        board.say(SAID)
        wait_until(lambda: received(folder) == SAID, "log")
    return folder


def test_first_console_records_and_shows_lines_and_ends_on_ctrl_c(
    board: Speaker, home: Path
) -> None:
    board.say(SAID)
    with console("--port", board.address) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(6)]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 0
    assert [line[25:].rstrip() for line in lines[2:]] == [
        "text    boot",
        "text    Traceback (most recent call last):",
        "frame   taken: 200 bytes since hello",
        "text    boot again",
    ]
    assert b"the recording ends when you leave" in said
    assert f"nobody records {board.address} any more".encode() in said
    assert received(log_folder(home, board.address)) == SAID


def test_second_console_watches_and_leaves_the_recorder_alone(
    board: Speaker, tmp_path: Path
) -> None:
    with Recorder(board.address, tmp_path / "log") as recorder:
        board.say(SAID)
        with console("--port", board.address, "--json") as process:
            assert process.stdout is not None
            seen: list[dict] = []
            while not seen or seen[-1]["text"] != "boot again":
                seen.append(json.loads(process.stdout.readline()))
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate()
        assert process.returncode == 0
        assert f"process {os.getpid()} records it, and goes on after you".encode() in said
        assert not recorder.wait(0.0)
    frame = seen[-2]["frame"]
    assert (frame["kind"], frame["bytes"]) == ("04 taken", 200)


def test_watcher_is_told_in_one_line_that_its_recorder_has_ended(
    board: Speaker, tmp_path: Path
) -> None:
    with (
        Recorder(board.address, tmp_path / "log") as recorder,
        console("--port", board.address) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline()
        recorder.stop()
        _, said = process.communicate()
    assert process.returncode == 3
    assert said.decode().splitlines()[-1].endswith("has ended")
    assert b"Traceback" not in said


def test_record_only_records(board: Speaker, home: Path) -> None:
    folder = log_folder(home, board.address)
    with console("--port", board.address, "--record") as process:
        board.say(SAID)
        wait_until(lambda: received(folder) == SAID, "log")
        process.send_signal(signal.SIGTERM)
        shown, said = process.communicate()
    assert (process.returncode, shown) == (0, b"")
    assert str(folder).encode() in said


class Person:
    """Somebody at a terminal."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.seen = b""

    def see(self, wanted: bytes) -> None:
        until_s = time.monotonic() + GIVE_UP_S
        while wanted not in self.seen:
            assert time.monotonic() < until_s, f"{wanted!r} is not in {self.seen!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 4096)

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    someone = Person()
    yield someone
    someone.close()


def test_terminal_shows_two_columns_and_every_key_but_one_reaches_the_board(
    board: Speaker, person: Person
) -> None:
    before = termios.tcgetattr(person.slave)
    ends = {"stdin": person.slave, "stdout": person.slave, "stderr": person.slave}
    with console("--port", board.address, **ends):
        person.see(b"Ctrl-] leaves")
        board.say(b"boot\r\n" + TAKEN + b">>> pr")
        person.see(b">>> pr")
        os.write(person.master, b"\x03\x04\r")
        assert board.hear(3) == b"\x03\x04\r"
        board.say(b"int(1)\r\n\x1b]0;title\x07")
        person.see(b">>> print(1)")
        os.write(person.master, b"x\x1d")
        assert board.hear(1) == b"x"
        person.see(b"nobody records")
    rows = [row.split(b"\x1b[K")[-1] for row in person.seen.split(b"\r\n")]
    (text,) = (row for row in rows if row[13:].startswith(b"boot"))
    (frame,) = (row for row in rows if b"taken: 200" in row)
    assert text.index("│".encode()) == frame.index("│".encode())
    assert frame[13:40].strip() == b""
    assert b"\x1b]0;" not in person.seen, "a board does not rename the window"
    assert termios.tcgetattr(person.slave) == before


def test_watch_sends_no_keys_and_ctrl_c_leaves(board: Speaker, person: Person) -> None:
    ends = {"stdin": person.slave, "stdout": person.slave, "stderr": person.slave}
    with console("--port", board.address, "--watch", **ends) as process:
        person.see(b"Ctrl-C leaves")
        board.say(b"boot\r\n")
        person.see(b"boot")
        os.write(person.master, b"x\n")
        process.send_signal(signal.SIGINT)
        person.see(b"nobody records")
    assert process.returncode == 0
    assert not select.select([board.master], [], [], 0)[0]


def test_kept_log_is_searched_without_the_port(
    board: Speaker, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept(board, home)
    address = board.address
    board.close()
    assert main(["console", "--port", address, "--search", "traceback"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("text    Traceback (most recent call last):")
    assert main(["console", "--log", str(folder), "--search", "/^taken/", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frame"]["bytes"] == 200
    assert main(["console", "--log", str(folder), "--since", "1h", "--until", "2100-01-01"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert main(["console", "--log", str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert main(["console", "--log", str(folder), "--reading", "1"]) == 1
    assert "nothing found in" in capsys.readouterr().err
    assert main(["console", "--log", str(folder), "--until", "2020-01-01T00:00:00Z"]) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--port", "/dev/nothing-there"], 3, "/dev/nothing-there: no such port; is the board"),
        (["--port", "/dev/null"], 3, "/dev/null: cannot be opened: not a serial port"),
        (["--port", "PTY", "--reset"], 3, "PTY: has no control lines to reset the board by:"),
        (["--board", "nobody"], 2, "no board 'nobody' is known; known: none; give its port"),
        (["--log", "nothing"], 2, "nothing: no such console log"),
        (["--log", __file__], 2, "is no console log"),
        (["--port", "/dev/x", "--search", "/(/"], 2, "--search /(/: missing ), unterminated"),
        (["--port", "/dev/x", "--since", "noon"], 2, "--since noon: expected a time such as"),
        (["--port", "/dev/x", "--until", "25:00"], 2, "--until 25:00: expected a time such as"),
        (["--port", "/dev/x", "--search", "a"], 2, "no such console log; `wattest console"),
        (["--port", "/dev/x", "--record", "--search", "a"], 2, "--record, --wait and --reset"),
        (["--port", "/dev/x", "--log", "y"], 2, "not allowed with argument"),
        ([], 2, "one of the arguments --port --board --log is required"),
    ],
)
def test_wrong_call_is_one_line(
    board: Speaker, options: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [option.replace("PTY", board.address) for option in options]
    assert main(["console", *options]) == code
    *_, line = capsys.readouterr().err.splitlines()
    assert said.replace("PTY", board.address) in line


def test_second_record_is_refused(
    board: Speaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder(board.address, tmp_path / "log"):
        assert main(["console", "--port", board.address, "--record"]) == 2
    assert f"process {os.getpid()} records {board.address} already" in capsys.readouterr().err


def test_port_of_another_program_is_refused(
    board: Speaker, capsys: pytest.CaptureFixture[str]
) -> None:
    from wattest.link import open_port

    with open_port(board.address):
        assert main(["console", "--port", board.address]) == 3
    assert "is in use" in capsys.readouterr().err


def test_port_is_lent_to_a_command_and_its_exit_code_is_ours(
    board: Speaker, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    opens = "import sys, serial; serial.Serial(sys.argv[1], exclusive=True).close(); sys.exit(7)"
    lend = ["console", "--port", board.address, "--lend", sys.executable, "-c", opens]
    with Recorder(board.address, tmp_path / "log"):
        wait_until(lambda: "opened" in events(tmp_path / "log"), "open port")
        assert main([*lend, board.address]) == 7
        wait_until(lambda: events(tmp_path / "log").count("opened") == 2, "port again")
    assert f"process {os.getpid()} lends {board.address} to" in capfd.readouterr().err
    assert main([*lend, board.address]) == 7, "without a recorder too"
    assert main(["console", "--port", board.address, "--lend"]) == 2
    assert main(["console", "--port", board.address, "--lend", "no-such-tool"]) == 2
    said = capfd.readouterr().err
    assert "--lend needs a command" in said
    assert "no-such-tool: no such file or directory" in said


def test_board_is_found_by_name_or_serial_among_those_that_were_provisioned(
    board: Speaker, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {
        "port": board.address,
        "name": "heat-pump",
        "asset": "heat-pump",
        "serial": "HP-0001",
        "board": "esp32-devkitc",
        "kind": "real",
        "demo": False,
        "cfg": "00" * 16,
        "power_max_milliwatts": 5_000_000,
        "command_key_file": "heat-pump.key",
    }
    kept(board, home)
    (home / "heat-pump.key").write_text("00" * 32)
    (home / "boards.json").write_text(json.dumps({"format": 1, "boards": [known]}))
    for name in ("heat-pump", "HP-0001"):
        assert main(["console", "--board", name, "--search", "boot again"]) == 0
        assert "boot again" in capsys.readouterr().out
    assert main(["console", "--board", "boiler", "--search", "boot"]) == 2
    assert "no board 'boiler' is known; known: heat-pump" in capsys.readouterr().err
