"""Every command of esptool on every chip and every kind of port: the long way round."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from rom_harness import CHIPS, SAYS, VFS_AT, Rig, file_system, noise, rig

from wattest.emulator.board import Power, SerialOptions

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial 3.5
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
PAYLOAD = noise("matrix", 200_003)
POWER_CUTS = 10


def all_commands(bench: Rig) -> None:
    """Run each command once and look at the flash chip after those that change it."""
    payload = bench.file("payload.bin", PAYLOAD)
    assert "24:0a:c4:00:07:a5" in bench.esptool("read-mac")
    bench.esptool("chip-id")
    assert "Detected flash size: 4MB" in bench.esptool("flash-id")
    bench.esptool("write-flash", "0x30000", payload)
    assert bench.flash(0x30000, len(PAYLOAD)) == PAYLOAD
    bench.esptool("verify-flash", "0x30000", payload)
    back = bench.folder / "back.bin"
    bench.esptool("read-flash", "0x30000", str(len(PAYLOAD)), str(back))
    assert back.read_bytes() == PAYLOAD
    bench.esptool("erase-region", "0x30000", "0x1000")
    assert bench.flash(0x30000, 0x1001) == b"\xff" * 0x1000 + PAYLOAD[0x1000:0x1001]
    bench.esptool("--no-stub", "write-flash", "0x30000", payload)
    assert bench.flash(0x30000, len(PAYLOAD)) == PAYLOAD
    bench.esptool("--baud", "460800", "write-flash", "--no-compress", "0x80000", payload)
    assert bench.flash(0x80000, len(PAYLOAD)) == PAYLOAD
    bench.esptool("--no-stub", "--baud", "460800", "flash-id")
    bench.esptool("read-flash-status", "--bytes", "2")
    assert "0x53 0x46 0x44 0x50" in bench.esptool("read-flash-sfdp", "0", "4")
    if bench.chip == "esp32":
        assert "FF00: Command not implemented" in bench.fails("get-security-info")
    else:
        assert "Secure Boot: Disabled" in bench.esptool("get-security-info")
    bench.esptool("erase-flash")
    assert bench.port.call(lambda: bench.board.flash.used_sectors) == 0
    files = bench.file("vfs.bin", file_system())
    bench.esptool(
        "write-flash", "-e", "--flash-size", "detect", *bench.micropython(), f"{VFS_AT:#x}", files
    )
    bench.wait_for_text(SAYS)
    code, shown = bench.try_tool("espefuse", "--chip", bench.chip, "summary")
    assert code == 0, shown
    bench.output.clear()
    bench.esptool("run")
    bench.wait_for_text(SAYS)


@pytest.mark.parametrize("link", ["pty", "socket"])
@pytest.mark.parametrize("chip", CHIPS)
def test_every_command_on_a_port_without_modem_lines(chip: str, link: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path, link=link) as bench:
        all_commands(bench)


@pytest.mark.parametrize("chip", CHIPS)
def test_modem_lines_lead_into_download_mode_and_out_of_it(chip: str, tmp_path: Path) -> None:
    """No sniffing, no hang-up: only DTR and RTS through RFC 2217 move the chip."""
    options = SerialOptions(sniff_sync=False, reset_on_hang_up=False)
    with rig(chip, tmp_path, link="rfc2217", options=options) as bench:
        bench.esptool("--after", "no-reset-stub", "write-flash", *bench.micropython())
        assert bench.port.call(lambda: bench.board.power) is Power.DOWNLOAD
        bench.esptool("chip-id")
        bench.wait_for_text('Type "help()"')
        assert bench.port.call(lambda: bench.board.power) is Power.RUNNING


def test_power_cuts_at_random_moments_of_a_session_leave_boards_that_can_be_flashed(
    tmp_path: Path,
) -> None:
    """Goal: whatever a cut leaves behind, esptool's next session makes a board that starts."""
    chance = random.Random(20261121)
    # Without the blank end: for a long run of FF esptool waits minutes before it gives up.
    files = file_system().rstrip(b"\xff")
    with rig("esp32c3", tmp_path) as bench:
        arguments = [*bench.micropython(), f"{VFS_AT:#x}", bench.file("vfs.bin", files)]
        bench.esptool("write-flash", *arguments)
        count = bench.port.call(lambda: bench.board.flash.operations)
        for _ in range(POWER_CUTS):
            operation = chance.randrange(1, count + 1)
            bench.port.call(lambda at=operation: bench.board.flash.cut_after(at))
            bench.fails("write-flash", *arguments)
            assert bench.port.call(lambda: bench.board.power) is Power.OFF
            bench.output.clear()
            bench.port.call(bench.board.power_on)
            bench.esptool("write-flash", *arguments)
            bench.wait_for_text(SAYS)
            assert bench.flash(VFS_AT, len(files)) == files
