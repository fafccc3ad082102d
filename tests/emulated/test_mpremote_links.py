"""The unmodified mpremote on every kind of port, at the speed of a real UART."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import pytest
from port_harness import run_tool, serving

from wattest.emulator.board import BoardWiring, EmulatedBoard
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import NorFlash

pytestmark = [pytest.mark.emulated, pytest.mark.long]

LINKS = [
    pytest.param(
        "pty",
        marks=pytest.mark.skipif(
            sys.platform == "win32", reason="this system has no pseudo terminals"
        ),
    ),
    "socket",
    "rfc2217",
]
GIVE_UP_S = 300.0


@pytest.mark.parametrize("link", LINKS)
def test_everything_an_engineer_does_with_files_works(link: str, tmp_path: Path) -> None:
    content = random.Random(link).randbytes(100_000)
    (tmp_path / "up.bin").write_bytes(content)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "remote_only.py").write_text("print('imported', 6 * 7)")
    (tmp_path / "script.py").write_text("print('ran', 1 + 1)")
    board = EmulatedBoard(load_engine(), flash=NorFlash(4 << 20), wiring=BoardWiring())
    board.install({"main.py": b"import time\nwhile True: time.sleep(0.1)"})
    board.power_on()
    with serving(board, link) as port:

        def shown(*arguments: str) -> str:
            command = ["connect", port.address, *arguments]
            code, text = run_tool("mpremote", *command, give_up_s=GIVE_UP_S)
            assert code == 0, text
            return text

        assert shown("eval", "6*7") == "42\n"
        assert shown("run", f"{tmp_path}/script.py") == "ran 2\n"
        shown("mkdir", "folder")
        shown("fs", "cp", f"{tmp_path}/up.bin", ":folder/up.bin")
        assert "      100000 up.bin" in shown("fs", "ls", ":folder").splitlines()
        digest = hashlib.sha256(content).hexdigest()
        assert digest in shown("fs", "sha256sum", ":folder/up.bin")
        shown("fs", "cp", ":folder/up.bin", f"{tmp_path}/down.bin")
        assert (tmp_path / "down.bin").read_bytes() == content
        shown("rm", "-r", ":folder")
        assert "folder" not in shown("fs", "ls")
        assert shown("df").splitlines()[1].endswith(" /")
        assert shown("mount", f"{tmp_path}/lib", "exec", "import remote_only").endswith(
            "imported 42\n"
        )
        shown("exec", "kept = 1")
        assert shown("resume", "eval", "kept") == "1\n"
        shown("soft-reset")
        shown("reset")
        assert shown("eval", "'still ' + 'there'") == "still there\n"
        assert port.call(lambda: board.uart_dropped) == 0
    board.close()
