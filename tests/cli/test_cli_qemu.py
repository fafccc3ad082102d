"""`wattest board up --board esp32-qemu`: files, lines, errors, and how it ends.

A stand-in takes the place of qemu-system-xtensa (`qemu_stand_in`): what is tested is the command
and what it makes, and nothing of an ESP32. The real thing is in tests/emulated/test_qemu_way.py.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qemu_stand_in import install, started
from wattest.boards.esp_fuses import esp32_fuses
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.cli import main
from wattest.operations.live.ports import read_ports
from wattest.operations.standing import qemu_up
from wattest.operations.standing.home import BenchState, announcement_paths, write_bench

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
GIVE_UP_S = 60.0
UP = ["board", "up", "--board", "esp32-qemu"]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in is, on PATH; all that a person has is in the test's folder."""
    folder = tmp_path / "bin"
    install(folder)
    monkeypatch.setenv("PATH", os.pathsep.join((os.fspath(folder), os.environ["PATH"])))
    monkeypatch.setenv("WATTEST_HOME", os.fspath(tmp_path / "home"))
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(runtime))
    return folder


@pytest.fixture
def image(tmp_path: Path, programs: Path) -> Path:
    """A file that is valid as a MicroPython image; nobody here runs it."""
    path = tmp_path / "micropython.bin"
    path.write_bytes(synthetic_micropython("esp32"))
    return path


def refused(capsys: pytest.CaptureFixture[str], code: int, *options: str) -> str:
    """Run the command; return its one line of error."""
    assert main.main([*UP, *options]) == code
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


@contextmanager
def boards_up(*options: str, count: int = 1) -> Iterator[list[list[str]]]:
    """Keep boards up in a process; yields name, serial and address of each."""
    command = [sys.executable, "-m", "wattest.cli.main", *UP, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().split() for _ in range(count)]
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(GIVE_UP_S)
    assert code == 0


def test_board_comes_up_and_returns_as_it_was(tmp_path: Path, programs: Path, image: Path) -> None:
    out = tmp_path / "out"
    with boards_up("--micropython", str(image), "--out", str(out)) as [first]:
        name, serial, address = first
        assert (name, serial[:5]) == ("board-1", "WT-02")
        (announced,) = read_ports(out / "boards.json").blank
        assert (announced.address, announced.board) == (address, "esp32-qemu")
        assert f"WT-{announced.chip_id.upper()}" == serial
    (one,) = started(programs)
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(one["pid"])), 0)
    assert not (out / "boards.json").exists()
    assert (out / "board-1.efuse").read_bytes() == esp32_fuses(bytes.fromhex(serial[3:]))
    flash = out / "board-1.flash"
    assert flash.stat().st_mode & 0o777 == 0o600, "the node's key will be in it"
    cells = bytearray(flash.read_bytes())
    cells[0x9000] = 0  # what a node would have written
    flash.write_bytes(cells)
    with boards_up("--out", str(out)) as [again]:
        assert again == first
        assert flash.read_bytes() == cells


def test_boards_have_chips_and_ports_of_their_own(programs: Path, image: Path) -> None:
    with boards_up("--micropython", str(image), "--count", "2", count=2) as boards:
        assert [name for name, _, _ in boards] == ["board-1", "board-2"]
        assert len({serial for _, serial, _ in boards}) == 2
        assert len({address for _, _, address in boards}) == 2
        assert any(path.exists() for path in announcement_paths())
        drives = [str(each["arguments"]) for each in started(programs)]
        folder = Path(drives[0].partition("file=")[2].partition("/board-1.flash")[0])
        assert (folder / "board-2.flash").exists()
    assert not folder.exists(), "without --out nothing stays"
    assert not any(path.exists() for path in announcement_paths())


def test_image_in_the_home_is_found_and_where_to_get_it_is_said(
    tmp_path: Path, programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, 2)
    assert "no MicroPython for esp32-qemu" in said
    assert "https://micropython.org/resources/firmware/ESP32_GENERIC" in said
    folder = tmp_path / "home" / "micropython"
    folder.mkdir(parents=True)
    known = "ESP32_GENERIC-20260406-v1.28.0.bin"
    (folder / known).write_bytes(image.read_bytes())
    assert "SHA-256 cd7820d0" in refused(capsys, 2), "a file under the release's own name"
    assert not started(programs)


def test_it_ends_after_the_time_that_was_given(
    programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main([*UP, "--micropython", str(image), "--for", "1s"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("board-1  WT-02")
    assert "wattest provision --port ADDRESS" in printed.err
    assert printed.err.endswith("boards are off\n")


def test_without_qemu_nothing_is_made(
    tmp_path: Path,
    programs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert "qemu-system-xtensa expected on PATH" in refused(
        capsys, 3, "--out", str(tmp_path / "out")
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("dies", "ended with exit code 7: warming up | stand-in: no such ROM"),
        ("dies-later", "ended with exit code 3: stand-in: out of memory"),
        ("other", "expected to say hello, got WT-000000000000; does this QEMU read"),
        ("mute", "did not say who it is; its console ends: 'MicroPython starts | boot.py'"),
    ],
)
def test_board_that_does_not_come_up_is_told_in_one_line(
    mode: str,
    expected: str,
    image: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAND_IN", mode)
    if mode == "mute":
        monkeypatch.setattr(qemu_up, "BOOT_NS", 1_000_000_000)
    assert main.main([*UP, "--micropython", str(image)]) == 3
    assert expected in capsys.readouterr().err.splitlines()[-1]
    (one,) = started(image.parent / "bin")
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(one["pid"])), 0)


def test_port_in_use_is_told_and_nothing_is_made(
    tmp_path: Path, programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--micropython", str(image), "--listen", where, "--out", str(out))
        said = refused(capsys, 3, *options)
    assert f"cannot listen on {where}" in said
    assert "--listen HOST:PORT" in said
    assert not list(out.iterdir())
    assert not started(programs)


def damage_state(out: Path) -> None:
    (out / "qemu.json").write_text("{")


def lose_flash(out: Path) -> None:
    (out / "board-1.flash").unlink()


def cut_fuses(out: Path) -> None:
    (out / "board-1.efuse").write_bytes(b"")


def change_firmware(out: Path) -> None:
    state = json.loads((out / "qemu.json").read_text())
    (out / "qemu.json").write_text(json.dumps({**state, "cfg": "00" * 16}))


def take_port_away(out: Path) -> None:
    state = json.loads((out / "qemu.json").read_text())
    state["boards"][0]["port"] = 0
    (out / "qemu.json").write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (damage_state, "qemu.json: cannot be read"),
        (lose_flash, "board-1.flash: 4194304 bytes expected, got nothing"),
        (cut_fuses, "board-1.efuse: 124 bytes expected, got 0 bytes"),
        (change_firmware, "holds boards with other firmware or configuration"),
        (take_port_away, "boards with a MAC and a port expected"),
    ],
)
def test_folder_that_is_not_what_it_was_is_refused(
    change: Callable[[Path], None],
    expected: str,
    tmp_path: Path,
    image: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    keep = ["--out", str(out)]
    assert main.main([*UP, "--micropython", str(image), *keep, "--for", "1s"]) == 0
    capsys.readouterr()
    change(out)
    assert expected in refused(capsys, 2, *keep)
    assert len(started(image.parent / "bin")) == 1


def test_kept_boards_are_not_given_another_interpreter_or_number(
    tmp_path: Path, programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = ["--out", str(tmp_path / "out")]
    assert main.main([*UP, "--micropython", str(image), *keep, "--for", "1s"]) == 0
    capsys.readouterr()
    other = tmp_path / "other.bin"
    other.write_bytes(synthetic_micropython("esp32", version="v1.20.0"))
    said = refused(capsys, 2, *keep, "--micropython", str(other))
    assert "holds boards with MicroPython" in said
    assert "holds 1 boards, got --count 2" in refused(capsys, 2, *keep, "--count", "2")


def test_folder_of_the_other_emulator_is_refused(
    tmp_path: Path, programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_bench(out, BenchState(seed=1, starts=1, cfg={}))
    said = refused(capsys, 2, "--micropython", str(image), "--out", str(out))
    assert "holds boards of the project's own emulator" in said
    assert "is a file, expected a folder" in refused(
        capsys, 2, "--micropython", str(image), "--out", str(image)
    )


def test_image_that_is_none_is_refused(
    tmp_path: Path, programs: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(image.read_bytes())
    data[-100] ^= 1
    broken = tmp_path / "broken.bin"
    broken.write_bytes(data)
    assert "no sound MicroPython image" in refused(capsys, 2, "--micropython", str(broken))
    other = tmp_path / "c3.bin"
    other.write_bytes(synthetic_micropython("esp32c3"))
    assert "is for esp32c3, not for esp32" in refused(capsys, 2, "--micropython", str(other))
    assert "cannot be read" in refused(capsys, 2, "--micropython", str(tmp_path / "none.bin"))
    assert not started(programs)


@pytest.mark.parametrize(
    "option",
    [
        ["--blank"],
        ["--link", "pty"],
        ["--link", "memory"],
        ["--speed", "2"],
        ["--speed", "max"],
        ["--seed", "1"],
        ["--no-sniff"],
        ["--no-hang-up"],
        ["--scenario", "x.toml"],
    ],
    ids=" ".join,
)
def test_what_qemu_does_not_do_is_refused(
    option: list[str], programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, 2, *option)
    assert f"{option[0]}" in said
    assert "is not for esp32-qemu" in said
    assert not started(programs)


def test_the_option_of_qemu_is_not_for_other_boards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["board", "up", "--micropython", "x.bin"]) == 2
    assert "--micropython is for boards under QEMU" in capsys.readouterr().err


def test_the_board_is_not_flashed_and_not_run_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["flash", "--port", "socket://127.0.0.1:1", "--board", "esp32-qemu"]) == 2
    assert "`wattest board up --board esp32-qemu`" in capsys.readouterr().err
    scenario = tmp_path / "x.toml"
    scenario.write_text(
        'name = "x"\nseed = 1\nepoch = 2026-06-15T00:00:00Z\nduration = "1min"\n'
        '[[node]]\nname = "a"\nboard = "esp32-qemu"\nload = { kind = "steps", '
        'steps = [["0s", 100]] }\n'
    )
    assert main.main(["run", str(scenario), "--headless"]) == 2
    assert "esp32-qemu: runs under QEMU, not in this emulator" in capsys.readouterr().err
