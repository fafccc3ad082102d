"""The vendor's own esptool against an emulated board on a pseudo terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rom_harness import CHIPS, SAYS, VFS_AT, Rig, file_system, noise, rig

from wattest.emulator.board import Power, SerialOptions
from wattest.emulator.serial_rom import LoaderFaults

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
NAMES = {"esp32": "ESP32-D0WD-V3", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3"}
PAYLOAD = noise("payload", 50_001)


@pytest.mark.parametrize("chip", CHIPS)
def test_esptool_flashes_a_blank_board_and_it_starts_with_the_files_written(
    chip: str, tmp_path: Path
) -> None:
    """Goal: what esptool writes is what the board boots; several images in one session."""
    with rig(chip, tmp_path) as bench:
        bench.wait_for_text("invalid header: 0xffffffff\n" * 8)
        files = file_system()
        shown = bench.esptool(
            "write-flash", *bench.micropython(), f"{VFS_AT:#x}", bench.file("vfs.bin", files)
        )
        assert f"Chip type:          {NAMES[chip]}" in shown
        assert "MAC:                24:0a:c4:00:07:a5" in shown
        assert shown.count("Hash of data verified") == 4
        bench.wait_for_text(SAYS)
        assert bench.flash(VFS_AT, len(files)) == files
        assert bench.port.call(lambda: bench.board.power) is Power.RUNNING


def test_what_is_read_back_is_what_the_flash_holds(tmp_path: Path) -> None:
    with rig("esp32", tmp_path) as bench:
        bench.port.call(lambda: bench.board.flash.program(0x30000, PAYLOAD))
        target = tmp_path / "read.bin"
        bench.esptool("read-flash", "0x30000", str(len(PAYLOAD)), str(target))
        assert target.read_bytes() == PAYLOAD
        slow = tmp_path / "slow.bin"
        bench.esptool("--no-stub", "read-flash", "0x30000", "1000", str(slow))
        assert slow.read_bytes() == PAYLOAD[:1000]


def test_esptool_without_its_stub_and_without_compression(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        file = bench.file("payload.bin", PAYLOAD)
        bench.esptool("--no-stub", "write-flash", "--no-compress", "0x30000", file)
        assert bench.flash(0x30000, len(PAYLOAD)) == PAYLOAD
        bench.esptool("--no-stub", "verify-flash", "0x30000", file)
        bench.port.call(lambda: bench.board.flash.program(0x30010, b"\0\0"))
        assert "Verification failed" in bench.fails("verify-flash", "0x30000", file)


def test_erasing_a_region_and_then_the_chip(tmp_path: Path) -> None:
    with rig("esp32s3", tmp_path) as bench:
        bench.port.call(lambda: bench.board.flash.program(0x30000, PAYLOAD))
        bench.esptool("erase-region", "0x31000", "0x2000")
        assert bench.flash(0x31000, 0x2000) == b"\xff" * 0x2000
        assert bench.flash(0x33000, 100) == PAYLOAD[0x3000 : 0x3000 + 100]
        file = bench.file("payload.bin", PAYLOAD)
        bench.esptool("write-flash", "-e", "0x100000", file)
        assert bench.flash(0x30000, 0x1000) == b"\xff" * 0x1000
        assert bench.flash(0x100000, len(PAYLOAD)) == PAYLOAD
        bench.esptool("erase-flash")
        assert bench.port.call(lambda: bench.board.flash.used_sectors) == 0


def test_security_info_where_the_chip_has_it(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        assert "Chip ID: 5" in bench.esptool("get-security-info")
    with rig("esp32", tmp_path) as bench:
        shown = bench.fails("get-security-info")
        assert "Failed to get security info (result was FF00: Command not implemented)" in shown


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_espefuse_reads_the_fuses(chip: str, tmp_path: Path) -> None:
    with rig(chip, tmp_path) as bench:
        code, shown = bench.try_tool("espefuse", "--chip", chip, "summary")
        assert code == 0, shown
        assert "24:0a:c4:00:07:a5 (" in shown
        assert "MAC" in shown


def test_a_tool_may_leave_the_board_in_download_mode_and_come_back(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        bench.esptool("--after", "no-reset", "flash-id")
        assert bench.port.call(lambda: bench.board.power) is Power.DOWNLOAD
        assert "Detected flash size: 4MB" in bench.esptool("--before", "no-reset", "flash-id")
        bench.wait_for_text("rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)")
        assert bench.port.call(lambda: bench.board.power) is Power.BOOTING


def test_a_reset_by_the_rtc_watchdog(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        bench.esptool("--after", "watchdog-reset", "read-mac")
        bench.wait_for_text("rst:0x10 (RTCWDT_RTC_RST),boot:0xc (SPI_FAST_FLASH_BOOT)")


def test_run_starts_the_application_from_the_rom(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path, needs_application=False) as bench:
        bench.wait_for_text(">>> ")
        bench.output.clear()
        bench.esptool("--no-stub", "--after", "no-reset", "run")
        bench.wait_for_text(">>> ")


# ---- faults -------------------------------------------------------------------------------------


def with_faults(bench: Rig, faults: LoaderFaults) -> None:
    bench.port.call(lambda: bench.board.inject_loader_faults(faults))


def test_corrupted_packets_are_sent_again_and_the_image_is_whole(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        with_faults(bench, LoaderFaults(wrong_checksum_every=4))
        bench.esptool("--no-stub", "write-flash", "0x30000", bench.file("payload.bin", PAYLOAD))
        assert bench.flash(0x30000, len(PAYLOAD)) == PAYLOAD


def test_lost_bytes_cost_packets_that_are_sent_again(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        with_faults(bench, LoaderFaults(lose_byte_every=24_001))
        bench.esptool("write-flash", "0x30000", bench.file("payload.bin", PAYLOAD))
        assert bench.flash(0x30000, len(PAYLOAD)) == PAYLOAD


def test_a_flash_chip_of_another_size_is_noticed_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with rig("esp32c3", tmp_path) as bench:
        with_faults(bench, LoaderFaults(flash_id=0x1440C8))
        shown = bench.fails("write-flash", "0x200000", bench.file("payload.bin", PAYLOAD))
        assert "will not fit in 1048576 bytes of flash" in shown
        assert bench.port.call(lambda: bench.board.flash.operations) == 0


def test_a_wrong_chip_is_noticed_before_anything_is_written(tmp_path: Path) -> None:
    with rig("esp32", tmp_path) as bench:
        with_faults(bench, LoaderFaults(chip="esp32c3"))
        shown = bench.fails("--chip", "esp32", "write-flash", *bench.micropython())
        assert "This chip is ESP32-C3, not ESP32" in shown
        assert bench.port.call(lambda: bench.board.flash.operations) == 0


def test_a_power_cut_during_a_write_leaves_a_board_that_can_be_flashed(tmp_path: Path) -> None:
    with rig("esp32c3", tmp_path) as bench:
        bench.port.call(lambda: bench.board.flash.cut_after(60))
        bench.fails("write-flash", *bench.micropython())
        assert bench.port.call(lambda: bench.board.power) is Power.OFF
        bench.port.call(bench.board.power_on)
        bench.esptool("write-flash", *bench.micropython())
        bench.wait_for_text('Type "help()"')


def test_without_sniffing_a_terminal_leads_nowhere_and_the_program_runs_on(
    tmp_path: Path,
) -> None:
    options = SerialOptions(sniff_sync=False)
    with rig("esp32c3", tmp_path, options=options, needs_application=False) as bench:
        bench.wait_for_text(">>> ")
        shown = bench.fails("--connect-attempts", "1", "chip-id")
        assert "Failed to connect" in shown
        assert bench.port.call(lambda: (bench.board.power, bench.board.boots)) == (
            Power.RUNNING,
            1,
        )
        bench.port.call(bench.board.enter_download)
        assert "4MB" in bench.esptool("--before", "no-reset", "flash-id")
