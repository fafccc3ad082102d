"""How a program named qemu-system-xtensa is found, started, watched and ended.

The program is a stand-in (`qemu_stand_in`): these tests say something of our supervision and of
its error lines, and nothing of an ESP32 or of QEMU.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qemu_stand_in import install, started
from wattest.boards.esp_fuses import esp32_fuses
from wattest.emulator.qemu import Qemu, QemuBoard, find_qemu, listening_port
from wattest.errors import EmulatorError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
GIVE_UP_S = 30.0
MAC = bytes.fromhex("0210203040ff")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.fspath(folder))
    return folder


def board(folder: Path, name: str = "board-1", port: int = 0) -> QemuBoard:
    fuses = folder / f"{name}.efuse"
    fuses.write_bytes(esp32_fuses(MAC))
    return QemuBoard(
        name=name,
        machine="esp32",
        flash=folder / f"{name}.flash",
        fuses=fuses,
        log=folder / f"{name}.log",
        host="127.0.0.1",
        port=port or listening_port("127.0.0.1", 0),
    )


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + GIVE_UP_S
    tick = threading.Event()
    while not condition():
        assert time.monotonic() < until_s, f"no {what}"
        tick.wait(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")  # a zombie that nobody has reaped has ended too
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_without_the_program_one_line_says_where_to_get_it(programs: Path) -> None:
    with pytest.raises(EmulatorError, match="qemu-system-xtensa expected on PATH") as raised:
        find_qemu("esp32")
    assert "idf_tools.py install qemu-xtensa" in raised.value.hint
    assert "\n" not in raised.value.diagnostics()


def test_a_program_without_the_machine_is_told_from_one_with_it(programs: Path) -> None:
    program = install(programs, machines=("lx60", "sim", "esp32s3"))
    with pytest.raises(EmulatorError, match="machine esp32 expected, got 3 others") as raised:
        find_qemu("esp32")
    assert "github.com/espressif/qemu" in raised.value.hint
    install(programs)
    assert find_qemu("esp32") == os.fspath(program)


def test_a_program_that_names_no_machine_is_quoted(programs: Path) -> None:
    program = programs / "qemu-system-xtensa"
    program.write_text("#!/bin/sh\necho 'libslirp.so.0: cannot open' >&2\nexit 127\n")
    program.chmod(0o755)
    with pytest.raises(EmulatorError, match=r"esp32 expected, got libslirp\.so\.0: cannot open"):
        find_qemu("esp32")


def test_a_program_that_cannot_be_run_is_one_line(programs: Path) -> None:
    program = programs / "qemu-system-xtensa"
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)
    with pytest.raises(EmulatorError, match="cannot be run: exec format error"):
        find_qemu("esp32")


def test_options_are_those_that_espressif_documents(tmp_path: Path) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    made = board(folder, port=5555)
    text = " ".join(made.arguments())
    escaped = os.fspath(tmp_path / "a,,b" / "board-1")
    assert text == (
        "-nographic -monitor none -machine esp32 "
        f"-drive file={escaped}.flash,if=mtd,format=raw "
        f"-drive file={escaped}.efuse,if=none,format=raw,id=efuse "
        "-global driver=nvram.esp32.efuse,property=drive,value=efuse "
        "-serial tcp:127.0.0.1:5555,server=on,wait=off"
    )
    assert made.address == "socket://127.0.0.1:5555"


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"cannot listen on 127.0.0.1:{port}: address"):
            listening_port("127.0.0.1", port)
    assert listening_port("127.0.0.1", port) == port


def test_an_interface_that_is_not_here_is_one_line() -> None:
    with pytest.raises(EmulatorError, match=r"cannot listen on 192\.0\.2\.1:0"):
        listening_port("192.0.2.1", 0)


def test_it_runs_until_it_is_closed_and_its_port_answers(tmp_path: Path, programs: Path) -> None:
    install(programs)
    made = board(tmp_path)
    qemu = Qemu(find_qemu("esp32"), made)
    try:
        wait_until(lambda: bool(started(programs)), "start")
        assert started(programs)[0]["arguments"] == made.arguments()

        def answers() -> bool:
            try:
                with socket.create_connection((made.host, made.port), timeout=5) as client:
                    return client.recv(100).startswith(b"MicroPython")
            except ConnectionRefusedError:
                return False

        wait_until(answers, "answer")
        assert qemu.runs
    finally:
        qemu.close()
    assert not qemu.runs
    assert is_gone(int(str(started(programs)[0]["pid"])))
    qemu.close()  # once more does no harm


def test_what_dies_is_told_with_its_last_lines(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "dies")
    install(programs)
    made = board(tmp_path)
    qemu = Qemu(find_qemu("esp32"), made)
    wait_until(lambda: not qemu.runs, "end")
    failure = qemu.failure()
    assert "board-1: qemu-system-xtensa ended with exit code 7" in str(failure)
    assert "warming up | stand-in: no such ROM" in str(failure)
    assert os.fspath(made.log) in failure.hint
    assert failure.exit_code == 3
    qemu.close()


def test_what_a_signal_ends_is_told_too(tmp_path: Path, programs: Path) -> None:
    install(programs)
    qemu = Qemu(find_qemu("esp32"), board(tmp_path))
    wait_until(lambda: bool(started(programs)), "start")
    os.kill(int(str(started(programs)[0]["pid"])), 9)
    wait_until(lambda: not qemu.runs, "end")
    assert "ended with signal 9" in str(qemu.failure())
    qemu.close()


@pytest.mark.long
def test_what_ignores_sigterm_is_killed(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN", "stays")
    install(programs)
    qemu = Qemu(find_qemu("esp32"), board(tmp_path))
    wait_until(lambda: bool(started(programs)), "start")
    qemu.close()
    assert is_gone(int(str(started(programs)[0]["pid"])))


def test_it_does_not_outlive_a_supervisor_that_is_killed(tmp_path: Path, programs: Path) -> None:
    install(programs)
    made = board(tmp_path)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from wattest.emulator.qemu import Qemu, QemuBoard, find_qemu\n"
        "folder, port = Path(sys.argv[1]), int(sys.argv[2])\n"
        "board = QemuBoard(name='b', machine='esp32', flash=folder / 'b.flash',\n"
        "    fuses=folder / 'board-1.efuse', log=folder / 'b.log', host='127.0.0.1', port=port)\n"
        "qemu = Qemu(find_qemu('esp32'), board)\n"
        "print('started', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, os.fspath(tmp_path), str(made.port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"started\n"
        wait_until(lambda: bool(started(programs)), "start")
        supervisor.kill()
        supervisor.wait(GIVE_UP_S)
    pid = int(str(started(programs)[0]["pid"]))
    wait_until(lambda: is_gone(pid), "end of the stand-in")


def test_a_program_that_vanished_after_it_was_found_is_told(
    tmp_path: Path, programs: Path
) -> None:
    program = install(programs)
    found = find_qemu("esp32")
    program.unlink()
    qemu = Qemu(found, board(tmp_path))
    wait_until(lambda: not qemu.runs, "end")
    assert "exit code 127" in str(qemu.failure())
    assert "No such file" in str(qemu.failure())
    qemu.close()
