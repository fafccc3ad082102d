"""The NOR flash model: what programming and erasing do, and where power can be cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattest.emulator.flash import SECTOR_SIZE_BYTES, FlashLayout, FlashTiming, NorFlash, Partition
from wattest.errors import EmulatorError


def test_programming_only_clears_bits() -> None:
    flash = NorFlash(8192)
    assert flash.program(10, b"\xf0\x3c")
    assert flash.program(10, b"\x3c\xff")
    assert flash.read(9, 4) == b"\xff\x30\x3c\xff"


def test_erasing_sets_one_sector_and_counts_its_wear() -> None:
    flash = NorFlash(3 * SECTOR_SIZE_BYTES)
    flash.program(4090, bytes(12))
    assert flash.erase(4096)
    assert flash.read(4090, 12) == bytes(6) + b"\xff" * 6
    assert flash.wear == {1: 1}


def test_a_range_over_two_sectors_is_one_operation() -> None:
    flash = NorFlash(8192)
    flash.program(4094, b"\x01\x02\x03\x04")
    assert flash.read(4094, 4) == b"\x01\x02\x03\x04"
    assert flash.operations == 1


def test_blank_sectors_take_no_memory() -> None:
    flash = NorFlash(16 << 20)
    flash.program(0, b"\xff" * 4096)
    assert flash.used_sectors == 0
    flash.program(5 << 20, b"\0")
    assert flash.used_sectors == 1
    flash.erase(5 << 20)
    assert flash.used_sectors == 0


@pytest.mark.parametrize(("share", "done"), [((0, 1), 0), ((1, 4), 8), ((1, 2), 16), ((1, 1), 32)])
def test_power_cut_tears_the_operation_it_meets(share: tuple[int, int], done: int) -> None:
    flash = NorFlash(8192)
    flash.cut_after(2, torn_share=share)
    assert flash.program(0, bytes(32))
    assert not flash.program(64, bytes(32))
    assert flash.read(64, 32) == bytes(done) + b"\xff" * (32 - done)
    assert not flash.powered


def test_nothing_works_after_a_power_cut_until_power_returns() -> None:
    flash = NorFlash(8192)
    flash.cut_after(1)
    assert not flash.erase(0)
    assert not flash.program(0, b"\0")
    assert not flash.erase(4096)
    assert flash.operations == 1
    flash.restore_power()
    assert flash.program(0, b"\0")


def test_torn_erase_leaves_the_rest_of_the_sector() -> None:
    flash = NorFlash(4096)
    flash.program(0, bytes(4096))
    flash.cut_after(1)
    assert not flash.erase(0)
    assert flash.read(0, 4096) == b"\xff" * 2048 + bytes(2048)


def test_cut_is_counted_from_now() -> None:
    flash = NorFlash(8192)
    flash.program(0, b"\0")
    flash.cut_after(3)
    assert [flash.program(1, b"\0") for _ in range(3)] == [True, True, False]


def test_cancelled_cut_does_not_fire() -> None:
    flash = NorFlash(8192)
    flash.cut_after(1)
    flash.cancel_cut()
    assert flash.program(0, b"\0")


def test_busy_time_is_reported_as_the_data_sheet_says() -> None:
    flash = NorFlash(8192, timing=FlashTiming(erase_ns=9, first_byte_ns=5, next_byte_ns=2))
    busy: list[int] = []
    flash.on_busy = busy.append
    flash.program(0, bytes(4))
    flash.erase(0)
    assert busy == [11, 9]


def test_image_file_holds_the_whole_chip(tmp_path: Path) -> None:
    flash = NorFlash(16384)
    flash.program(5000, b"meter")
    flash.save(tmp_path / "flash.bin")
    assert (tmp_path / "flash.bin").stat().st_size == 16384
    again = NorFlash.load(tmp_path / "flash.bin")
    assert again.read(5000, 5) == b"meter"
    assert again.used_sectors == 1


def test_copy_is_independent() -> None:
    flash = NorFlash(8192)
    flash.program(0, b"\x0f")
    twin = flash.copy()
    flash.program(0, b"\x00")
    assert twin.read(0, 1) == b"\x0f"


def test_image_of_odd_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"123")
    with pytest.raises(EmulatorError, match="expected whole sectors of 4096 bytes, got 3 bytes"):
        NorFlash.load(tmp_path / "x.bin")


def test_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match=r"cannot read flash image .*gone\.bin"):
        NorFlash.load(tmp_path / "gone.bin")


def test_image_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="cannot write flash image"):
        NorFlash(4096).save(tmp_path)


@pytest.mark.parametrize("size", [0, -4096, 100])
def test_size_must_be_whole_sectors(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4096"):
        NorFlash(size)


def test_access_outside_the_chip_is_refused() -> None:
    flash = NorFlash(4096)
    for action in (lambda: flash.read(4095, 2), lambda: flash.program(-1, b"\0")):
        with pytest.raises(ValueError, match="outside"):
            action()
    with pytest.raises(ValueError, match="sector boundary"):
        NorFlash(8192).erase(1)


def test_cut_needs_an_operation_to_come() -> None:
    with pytest.raises(ValueError, match="operation 1 or later"):
        NorFlash(4096).cut_after(0)
    with pytest.raises(ValueError, match="torn share"):
        NorFlash(4096).cut_after(1, torn_share=(2, 1))


def test_partition_is_a_window() -> None:
    flash = NorFlash(4 * SECTOR_SIZE_BYTES)
    part = Partition(flash, 4096, 8192)
    part.program(0, b"\x01")
    assert flash.read(4096, 1) == b"\x01"
    part.erase(0)
    assert part.read(0, 1) == b"\xff"
    with pytest.raises(ValueError, match="outside"):
        part.read(8190, 3)
    with pytest.raises(ValueError, match="not whole sectors"):
        Partition(flash, 0, 20000)


def test_layout_is_that_of_micropython_on_four_mebibytes() -> None:
    flash = NorFlash(4 << 20)
    layout = FlashLayout()
    nvs, vfs = layout.nvs(flash), layout.vfs(flash)
    assert (nvs.offset, nvs.size_bytes) == (0x9000, 0x6000)
    assert (vfs.offset, vfs.size_bytes) == (0x200000, 0x200000)
    assert layout.application(flash).size_bytes == 0x1F0000
