"""Download mode as a state of the board, in virtual time: ways in, ways out, what goes on."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest
from board_harness import SECOND, Bench

from wattest.boards.esp_image import split_combined
from wattest.boards.esp_synthetic import FIRMWARE_OFFSETS, synthetic_micropython
from wattest.emulator.board import BoardWiring, EmulatedBoard, Power, SerialOptions
from wattest.emulator.engine import load_engine
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.serial_rom import SYNC_FRAME, LoaderFaults
from wattest.errors import EmulatorError

pytestmark = pytest.mark.emulated
LOADER = "ets Jul 29 2019 12:21:46\n\n"
COUNTS = "import time\nn = 0\nwhile True:\n    print(n)\n    n += 1\n    time.sleep_ms(100)\n"


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def board_of(chip: str, flash: NorFlash, **wiring: object) -> tuple[EmulatedBoard, bytearray]:
    """Return a board that needs an application, and what it will say."""
    board = EmulatedBoard(
        load_engine(), flash=flash, wiring=BoardWiring(chip=chip, needs_application=True, **wiring)
    )
    output = bytearray()
    board.on_output(lambda _t_ns, data: output.extend(data))
    return board, output


def run(board: EmulatedBoard, output: bytearray, seconds: float) -> str:
    """Let time pass; return what the board output meanwhile, LF only."""
    output.clear()
    board.world.run_until(board.world.now_ns + int(seconds * SECOND))
    return output.decode("utf-8", "replace").replace("\r\n", "\n")


def said(bench: Bench) -> str:
    """Return what the board has said, LF only."""
    return bench.output.decode().replace("\r\n", "\n")


def command(code: int, data: bytes = b"", check: int = 0) -> bytes:
    """Return a command for the ROM, framed."""
    body = struct.pack("<BBHI", 0, code, len(data), check) + data
    return b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def write(offset: int, data: bytes) -> list[bytes]:
    """Return the commands of the ROM that write ``data``."""
    packed = zlib.compress(data)
    assert len(packed) < 0x4000
    checksum = 0xEF
    for byte in packed:
        checksum ^= byte
    return [
        command(0x10, struct.pack("<IIII", len(data), 1, 0x4000, offset)),
        command(0x11, struct.pack("<IIII", len(packed), 0, 0, 0) + packed, checksum),
    ]


# ---- ways in -----------------------------------------------------------------------------------


def test_a_sync_frame_stops_the_program_without_a_boot_log(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.output.clear()
    bench.board.feed(b"noise" + SYNC_FRAME)
    bench.world.run_until(bench.world.now_ns + SECOND // 50)
    answers = bytes(bench.output).partition(b"\xc0")[1:]
    assert b"".join(answers).count(b"\xc0\x01\x08\x04\x00") == 8
    assert bench.board.power is Power.DOWNLOAD
    assert bench.board.vm is None
    assert bench.run(5) == ""


def test_half_a_sync_frame_does_nothing(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.feed(SYNC_FRAME[:40])
    assert "\n" in bench.run(1)
    assert bench.board.power is Power.RUNNING


def test_a_sync_frame_that_comes_byte_by_byte_is_seen(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    for byte in SYNC_FRAME:
        bench.board.feed(bytes((byte,)))
    bench.run(0.1)
    assert bench.board.power is Power.DOWNLOAD


def test_sniffing_can_be_switched_off() -> None:
    flash = NorFlash(4 << 20)
    board = EmulatedBoard(
        load_engine(),
        flash=flash,
        wiring=BoardWiring(serial=SerialOptions(sniff_sync=False, reset_on_hang_up=False)),
    )
    board.power_on()
    board.world.run_until(SECOND)
    board.feed(SYNC_FRAME)
    board.world.run_until(2 * SECOND)
    assert board.power is Power.RUNNING
    board.enter_download()
    board.hang_up()
    assert board.power is Power.DOWNLOAD
    board.close()


def test_a_board_in_deep_sleep_is_reached_too(bench: Bench) -> None:
    bench.start("import machine\nmachine.deepsleep(60_000)\n", seconds=2)
    assert bench.board.power is Power.DEEP_SLEEP
    bench.board.feed(SYNC_FRAME)
    bench.run(1)
    assert bench.board.power is Power.DOWNLOAD
    assert bench.run(120) == ""


def test_the_modem_lines_hold_reset_and_choose(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.set_lines(dtr=False, rts=True)
    assert bench.run(5) == ""
    assert bench.board.power is Power.BOOTING
    bench.output.clear()
    bench.board.set_lines(dtr=True, rts=False)
    assert said(bench) == (
        LOADER + "rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\n"
        "waiting for download\n"
    )
    bench.board.set_lines(dtr=False, rts=False)
    assert bench.board.power is Power.DOWNLOAD
    bench.board.set_lines(dtr=False, rts=True)
    bench.output.clear()
    bench.board.set_lines(dtr=False, rts=False)
    assert said(bench) == LOADER + "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\n"
    assert bench.run(1).startswith("0\n1\n")
    assert bench.board.power is Power.RUNNING


@pytest.mark.parametrize(
    ("chip", "line"),
    [
        ("esp32s3", "rst:0x1 (POWERON),boot:0x0 (DOWNLOAD(USB/UART0))"),
        ("esp32c3", "rst:0x1 (POWERON),boot:0x4 (DOWNLOAD(USB/UART0/1))"),
    ],
)
def test_the_newer_chips_name_download_mode_in_their_way(chip: str, line: str) -> None:
    board, output = board_of(chip, NorFlash(4 << 20))
    board.power_on()
    output.clear()
    board.enter_download()
    lines = output.decode().splitlines()
    assert lines[0].startswith(f"ESP-ROM:{chip}-")
    assert lines[-2:] == [line, "waiting for download"]
    board.close()


def test_nothing_leads_a_board_without_supply_anywhere(bench: Bench) -> None:
    bench.board.enter_download()
    bench.board.hang_up()
    bench.board.set_lines(dtr=False, rts=True)
    bench.board.set_lines(dtr=True, rts=False)
    bench.board.feed(SYNC_FRAME)
    assert bench.run(1) == ""
    assert bench.board.power is Power.OFF


# ---- inside ------------------------------------------------------------------------------------


def test_bytes_sent_to_a_board_without_supply_do_not_reach_its_next_start(bench: Bench) -> None:
    bench.board.feed(bytes(100_000))
    bench.start(COUNTS, seconds=1)
    bench.board.feed(SYNC_FRAME)
    bench.run(0.1)
    assert bench.board.power is Power.DOWNLOAD


def test_the_flash_belongs_to_the_loader_and_the_files_written_are_mounted(bench: Bench) -> None:
    """Goal: the same flash chip, before and after; what the old program kept in RAM is gone."""
    bench.start("open('old.txt', 'w').write('x')\n" + COUNTS, seconds=1)
    fresh = NorFlash(4 << 20)
    partition = FlashLayout().vfs(fresh)
    LittleFs.mount(partition, format_if_needed=True).install(
        [("main.py", b"import os\nprint(sorted(os.listdir('/')))\n")]
    )
    image = partition.read(0, partition.size_bytes).rstrip(b"\xff")
    bench.board.feed(SYNC_FRAME)
    bench.run(0.1)
    with pytest.raises(EmulatorError, match="the flash is in use while the board is on"):
        bench.board.disk()
    for packet in write(FlashLayout().vfs_offset, image):
        bench.board.feed(packet)
    operations = bench.board.flash.operations
    bench.run(10)
    assert bench.board.flash.operations == operations
    bench.board.hang_up()
    shown = bench.run(2)
    assert "['main.py']" in shown or "['main.py', 'rom']" in shown
    assert bench.board.reset_cause == 1


def test_a_power_cut_inside_the_loader_switches_the_board_off(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.enter_download()
    bench.board.flash.cut_after(3)
    for packet in write(0x10000, bytes(8192)):
        bench.board.feed(packet)
    assert bench.board.power is Power.OFF
    bench.output.clear()
    bench.board.power_on()
    assert said(bench).startswith(LOADER)
    assert bench.run(1).startswith("0\n1\n")


def test_what_a_tool_keeps_in_download_mode_stays_there_after_it_hangs_up(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.enter_download()
    stub = b"OHAI".ljust(64, b"\0")
    checksum = 0xEF
    for byte in stub:
        checksum ^= byte
    bench.board.feed(command(0x07, struct.pack("<IIII", 64, 0, 0, 0) + stub, checksum))
    bench.board.feed(command(0x06, struct.pack("<II", 0, 0x40080000)))
    bench.board.feed(command(0x04, struct.pack("<I", 0)))
    bench.board.hang_up()
    assert bench.board.power is Power.DOWNLOAD
    bench.board.feed(SYNC_FRAME)
    bench.board.hang_up()
    assert bench.board.power is Power.BOOTING


@pytest.mark.parametrize("how", ["press_enable", "hard_reset", "brown_out"])
def test_every_reset_leads_out_of_download_mode(bench: Bench, how: str) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.enter_download()
    bench.board.soft_reset()
    assert bench.board.power is Power.DOWNLOAD
    bench.output.clear()
    getattr(bench.board, how)()
    assert "FLASH_BOOT" in said(bench)
    assert bench.run(1).startswith("0\n1\n")
    assert bench.board.power is Power.RUNNING


def test_faults_hold_from_the_next_start_of_download_mode_on(bench: Bench) -> None:
    bench.start(COUNTS, seconds=1)
    bench.board.inject_loader_faults(LoaderFaults(chip="esp32c3"))
    bench.board.enter_download()
    bench.output.clear()
    bench.board.feed(command(0x14))
    assert bytes(bench.output)[1:3] == b"\x01\x14"


# ---- starting from an image --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chip", "first", "again"),
    [
        ("esp32", "rst:0x1 (POWERON_RESET),boot:0x13", "rst:0x10 (RTCWDT_RTC_RESET),boot:0x13"),
        ("esp32s3", "rst:0x1 (POWERON),boot:0x8", "rst:0x7 (TG0WDT_SYS_RST),boot:0x8"),
        ("esp32c3", "rst:0x1 (POWERON),boot:0xc", "rst:0x7 (TG0WDT_SYS_RST),boot:0xc"),
    ],
)
def test_a_blank_board_goes_round_in_the_rom_and_can_be_reached(
    chip: str, first: str, again: str
) -> None:
    board, output = board_of(chip, NorFlash(4 << 20))
    board.power_on()
    output.clear()
    shown = output.decode() + run(board, output, 5.4)
    rounds = shown.split("invalid header: 0xffffffff\n" * 8)
    assert len(rounds) == 6
    assert all(f"{again} (SPI_FAST_FLASH_BOOT)\n" in text for text in rounds[1:5])
    assert first not in "".join(rounds[1:])
    assert board.boots == 0
    board.feed(SYNC_FRAME)
    run(board, output, 0.1)
    assert board.power is Power.DOWNLOAD
    board.close()


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c3"])
def test_a_board_starts_from_an_image_for_its_chip_only(chip: str) -> None:
    for made_for in ("esp32", "esp32s3", "esp32c3"):
        flash = NorFlash(4 << 20)
        image = synthetic_micropython(made_for)
        bootloader, *rest = split_combined(image, firmware_offset=FIRMWARE_OFFSETS[made_for])
        flash.program(FIRMWARE_OFFSETS[chip], bootloader.data)
        for segment in rest:
            flash.program(segment.offset, segment.data)
        board, output = board_of(chip, flash)
        board.power_on()
        shown = run(board, output, 1)
        assert (">>> " in shown) == (chip == made_for)
        assert (f"the image is for {made_for}" in shown) == (chip != made_for)
        board.close()


def test_a_board_without_an_application_is_reset_by_its_bootloader() -> None:
    flash = NorFlash(4 << 20)
    image = synthetic_micropython("esp32")
    for segment in split_combined(image, firmware_offset=0x1000)[:2]:
        flash.program(segment.offset, segment.data)
    board, output = board_of("esp32", flash)
    board.power_on()
    shown = run(board, output, 1)
    assert "image at 0x10000 has invalid magic byte (nothing flashed here?)" in shown
    assert "rst:0x3 (SW_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)" in shown
    board.power_off()
    assert run(board, output, 5) == ""
    board.close()


def test_the_wiring_of_an_unknown_chip_is_refused() -> None:
    with pytest.raises(ValueError, match="no model of chip 'esp32c6'"):
        BoardWiring(chip="esp32c6")
