"""`wattest build` and `wattest flash` at the command line: what they print, their exit codes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, flash_bench

from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.cli.main import main
from wattest.data import data_root
from wattest.store import PassportEvent

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="this system has no pseudo terminals"
)
NO_PORT = "/dev/no-such-port"


def fails(capsys: pytest.CaptureFixture[str], code: int, message: str, *arguments: object) -> str:
    """Run a command that must fail with one line; return that line."""
    assert main([str(argument) for argument in arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    line = shown.err.splitlines()[-1]
    assert line.startswith("wattest: ")
    assert message in line
    assert "Traceback" not in shown.err
    return line


def test_a_build_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a" / "b"
    assert main(["build", "--board", "esp32-c6-devkitc-1", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["cfg"] in shown
    assert manifest["image"]["sha256"] in shown
    assert (out / "firmware.img").stat().st_size == manifest["image"]["size_bytes"] == 6 << 20
    assert main(["build", "--board", "esp32-c6-devkitc-1", "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**manifest, "out": str(out)}


def test_wrong_builds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    build = ("build", "--board")
    fails(capsys, 2, "did you mean 'esp32-devkitc'", *build, "esp32-devkit")
    fails(capsys, 2, "is a file, expected a folder", *build, "esp32-devkitc", "-o", a_file)
    fails(capsys, 3, "cannot be made", *build, "esp32-devkitc", "-o", a_file / "below")
    fails(capsys, 2, "got 1500", *build, "esp32-devkitc", "--interval-ms", 1500)
    fails(capsys, 2, "--serial", *build, "esp32-devkitc", "--serial", "x" * 33)


def test_an_image_too_large_for_the_board_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (data_root() / "boards" / "emulated-esp32.toml").read_text()
    small = tmp_path / "small.toml"
    small.write_text(text.replace("0x200000", "0x3F0000").replace("= 524_288", "= 32_768", 1))
    fails(capsys, 2, "expected at most 65536", "build", "--board", small)
    fails(capsys, 2, "expected at most 65536", "flash", "--port", NO_PORT, "--board", small)


def test_wrong_flashes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    flash = ("flash", "--home", home, "--port", NO_PORT, "--board")
    broken = tmp_path / "broken.bin"
    broken.write_bytes(synthetic_micropython("esp32")[:-1])
    real = (*flash, "esp32-devkitc")
    fails(capsys, 2, "--port", "flash", "--board", "esp32-devkitc")
    fails(capsys, 2, "one of", *flash, "toaster")
    fails(capsys, 2, "give --download to fetch it", *real)
    fails(capsys, 2, "no sound MicroPython image", *real, "--micropython", broken)
    fails(capsys, 2, "cannot be read", *real, "--micropython", tmp_path / "absent.bin")
    fails(capsys, 2, "exclude each other", *real, "--micropython", broken, "--download")
    fails(capsys, 2, "expected 9600 to 4000000", *real, "--baud", 300)
    fails(capsys, 3, f"{NO_PORT}: no such port", *flash, "emulated-esp32")
    other = ("flash", "--home", home, "--board", "emulated-esp32", "--port")
    fails(capsys, 3, "/dev/null", *other, "/dev/null")
    fails(capsys, 3, "nobody listens there", *other, "socket://127.0.0.1:9")
    a_file = tmp_path / "file"
    a_file.touch()
    fails(capsys, 3, "cannot be made", *real[:1], "--home", a_file, "--port", NO_PORT,
          "--board", "emulated-esp32")  # fmt: skip


def test_a_port_without_permission_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "port"
    port.touch()
    real = os.open

    def refusing(path: object, *arguments: int, **options: int) -> int:
        if path == str(port):  # whoever runs the tests may be allowed to do all
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    options = ("--home", tmp_path / "home", "--port", port, "--board", "emulated-esp32")
    assert "dialout" in fails(capsys, 3, "permission denied", "flash", *options)


@pytest.mark.emulated
def test_ctrl_c_during_a_write_says_what_state_the_board_is_in(tmp_path: Path) -> None:
    with flash_bench(tmp_path, "emulated-esp32c3") as bench:
        command = [sys.executable, "-m", "wattest.cli.main", "flash"]
        command += ["--home", str(bench.home.path), "--port", bench.port.address]
        command += ["--board", "emulated-esp32c3", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        first = json.loads(done.stdout)
        assert (first["chip_id"], first["cached"], first["bootcount"]) == (CHIP_ID, False, 1)
        assert "found esp32c3, chip 240ac40007a5, 4 MiB of flash" in done.stderr

        with subprocess.Popen(
            [*command, "--force"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("writing"):
                    break
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
            said, rest = process.communicate(timeout=120)
        assert process.returncode == 130
        assert said == ""
        line = rest.splitlines()[-1]
        assert line.startswith("wattest: interrupted: the board is half written")
        assert line.endswith("run the command again")
        assert "Traceback" not in rest
        rescue = bench.home.rescue / f"{CHIP_ID}.img"
        assert f"its journal is kept in {rescue}" in line
        assert rescue.stat().st_mode & 0o077 == 0
        assert bench.passport()[-1].kind == PassportEvent.FLASH_FAILED

        again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        last = json.loads(again.stdout)
        assert (last["kid"], last["new_key"], last["cached"]) == (first["kid"], False, False)
        assert not rescue.exists()
