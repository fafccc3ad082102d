"""The power goes while a board is flashed or boots for the first time: the next flash mends it."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, FlashBench, flash_bench, new_board

from wattest.boards import load_board
from wattest.boards.esp_image import split_combined
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.emulator.board import Power
from wattest.emulator.flash import SECTOR_SIZE_BYTES, NorFlash
from wattest.errors import FlashError
from wattest.flashing import FlashImage, build_image
from wattest.flashing.journal import JournalHead, journal_head
from wattest.operations.commission.carry import Rescue, choose
from wattest.operations.commission.home import Home
from wattest.store import PassportEvent

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
SECOND = 1_000_000_000
SEEDS = range(12)
FEW = 1
FIRST_BOOT_OPERATIONS = 60  # at most; they are not part of the flash
LAST_OPERATIONS = 200


# ---- with the real esptool ---------------------------------------------------------------


def cut_during_a_flash(bench: FlashBench, seed: int) -> None:
    """Flash a node again, cut the power at a place the seed says, and flash once more."""
    chance = random.Random(seed)
    kid = bench.flash().flashed.kid
    before = bench.journal()
    whole = bench.operations() - FIRST_BOOT_OPERATIONS
    # Half of the cuts fall into what comes last: application, bootloader, partition table.
    first = whole - LAST_OPERATIONS if seed % 2 else 1
    after = chance.randrange(first, whole)
    share = (chance.randrange(9), 8)
    bench.port.call(lambda: bench.board.flash.cut_after(after, torn_share=share))
    with pytest.raises(FlashError, match=r"half written|all is written") as caught:
        bench.flash(force=True, boot_wait_s=3.0)
    assert "\n" not in caught.value.diagnostics()
    assert bench.passport()[-1].kind == PassportEvent.FLASH_FAILED

    def restore() -> None:
        bench.board.flash.restore_power()
        bench.board.flash.cancel_cut()
        bench.board.power_off()
        bench.board.power_on()

    bench.port.call(restore)
    # It may boot by itself before anybody flashes it again; half of what it holds must not run.
    until_ns = bench.port.call(lambda: bench.board.world.now_ns) + 2 * SECOND
    bench.port.wait_until(lambda: bench.board.world.now_ns >= until_ns, "time to boot")
    again = bench.flash()
    assert (again.flashed.kid, again.flashed.new_key) == (kid, False)
    assert_goes_on(before, bench.journal())
    assert not (bench.home.rescue / f"{CHIP_ID}.img").exists()


def assert_goes_on(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Every record that was there is there still, in its place."""
    assert before
    for name, content in before.items():
        assert after[name].startswith(content), name


@pytest.mark.parametrize("seed", SEEDS[:FEW])
def test_the_flash_after_a_power_cut_keeps_key_and_journal(tmp_path: Path, seed: int) -> None:
    with flash_bench(tmp_path) as bench:
        cut_during_a_flash(bench, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS[FEW:])
def test_the_flash_after_a_power_cut_keeps_key_and_journal_all_seeds(
    tmp_path: Path, seed: int
) -> None:
    with flash_bench(tmp_path) as bench:
        cut_during_a_flash(bench, seed)


# ---- the first boot, every flash operation, in virtual time ------------------------------


class VirtualBoard:
    """A board in virtual time, and the steps of `wattest flash` on its flash without a port."""

    def __init__(self, home: Home) -> None:
        self.kind = load_board("emulated-esp32")
        self.flash = NorFlash(self.kind.flash.size_bytes)
        self.rescue = Rescue(home, CHIP_ID)

    def write(self, image: FlashImage) -> JournalHead | None:
        """Carry the journal over and write everything, as the operation does; the board is off.

        Returns:
            Where the journal that was carried over ends.
        """
        flash, layout = self.flash, self.kind.flash
        found = flash.read(layout.vfs_offset, layout.vfs_bytes)
        journal = choose(found if found.strip(b"\xff") else None, self.rescue)
        segments = split_combined(
            synthetic_micropython(self.kind.chip), firmware_offset=layout.firmware_offset
        )
        parts = [(layout.vfs_offset, image.with_journal(journal.files))]
        for offset, data in [*parts, *((part.offset, part.data) for part in segments)]:
            self._put(offset, data)
        self.rescue.drop()
        return journal.head

    def boot(self, seconds: float = 3.0) -> bool:
        """Power on and run; whether it still has power at the end."""
        board = new_board(self.kind, self.flash)
        try:
            board.power_on()
            board.world.run_until(int(seconds * SECOND))
            return board.power is not Power.OFF
        finally:
            board.close()

    def head(self) -> JournalHead | None:
        """Where the journal on the flash ends."""
        from wattest.flashing.filesystem import read_folder

        layout = self.kind.flash
        image = self.flash.read(layout.vfs_offset, layout.vfs_bytes)
        return journal_head(read_folder(image, "journal") or {})

    def _put(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), SECTOR_SIZE_BYTES):
            piece = data[at : at + SECTOR_SIZE_BYTES].ljust(SECTOR_SIZE_BYTES, b"\xff")
            if bytes(self.flash.sector((offset + at) // SECTOR_SIZE_BYTES)) == piece:
                continue
            self.flash.erase(offset + at)
            self.flash.program(offset + at, piece)


def first_boot_operations(image: FlashImage, home: Home) -> int:
    """Return how many flash operations a first boot takes."""
    board = VirtualBoard(home)
    board.write(image)
    before = board.flash.operations
    assert board.boot()
    assert board.head() is not None
    return board.flash.operations - before


def cut_the_first_boot(image: FlashImage, home: Home, after: int) -> None:
    """Cut the power in the first boot, flash again, boot again."""
    board = VirtualBoard(home)
    board.write(image)
    board.flash.cut_after(after)
    assert not board.boot()
    had = board.head()
    board.flash.restore_power()
    carried = board.write(image)
    assert carried == had
    assert board.boot()
    now = board.head()
    assert now is not None
    if had is not None:
        assert now.kid == had.kid
        assert now.last_position > had.last_position


def sample(operations: int) -> list[int]:
    """Return a few operations, spread over all."""
    return sorted({1, operations // 3, operations - 2, operations})


def test_a_first_boot_that_was_cut_short_is_mended_by_the_next_flash(tmp_path: Path) -> None:
    image, home = build_image(load_board("emulated-esp32")), Home(tmp_path)
    for after in sample(first_boot_operations(image, home)):
        cut_the_first_boot(image, home, after)


@pytest.mark.long
def test_a_first_boot_cut_short_at_any_flash_operation_is_mended_by_the_next_flash(
    tmp_path: Path,
) -> None:
    image, home = build_image(load_board("emulated-esp32")), Home(tmp_path)
    operations = first_boot_operations(image, home)
    for after in range(1, operations + 1):
        cut_the_first_boot(image, home, after)
