"""The power goes at each flash operation of a whole `wattest flash`: no key, no record is lost.

The operations are those that the real esptool made on an emulated board. Each state that a cut
leaves is started, because a person plugs the board in again before flashing it anew: nothing may
run in it that misses the journal, and the next flash must find all of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flash_harness import CHIP_ID, FlashBench, flash_bench, new_board

from wattest.boards.esp_image import PARTITION_TABLE_OFFSET
from wattest.emulator.flash import SECTOR_SIZE_BYTES, NorFlash
from wattest.flashing.filesystem import read_folder
from wattest.operations.commission.carry import Rescue, choose
from wattest.operations.commission.home import Home

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]
SECOND = 1_000_000_000

Operation = tuple[int, bytes | None]
"""Offset and what is programmed there; None: the sector is erased."""


class LoggedFlash(NorFlash):
    """Remembers what was done to it."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.log: list[Operation] = []

    def program(self, offset: int, data: bytes) -> bool:
        self.log.append((offset, bytes(data)))
        return super().program(offset, data)

    def erase(self, offset: int) -> bool:
        self.log.append((offset, None))
        return super().erase(offset)


def apply(flash: NorFlash, operation: Operation) -> None:
    offset, data = operation
    if data is None:
        flash.erase(offset)
    else:
        flash.program(offset, data)


class Recorded:
    """One flash of a board that has a key: the state before, and every operation after."""

    def __init__(self, bench: FlashBench, flash: LoggedFlash) -> None:
        self.kind = bench.kind
        self.kid = bytes.fromhex(bench.flash().flashed.kid)

        def begin() -> NorFlash:
            flash.log.clear()
            return flash.copy()

        self.state = bench.port.call(begin)
        assert not bench.flash(force=True).flashed.new_key
        log = bench.port.call(lambda: list(flash.log))
        # Around these are the firmware's own: it runs before and afterwards.
        table = [i for i, (at, _) in enumerate(log) if at // SECTOR_SIZE_BYTES == TABLE_SECTOR]
        for operation in log[: table[0]]:
            apply(self.state, operation)
        self.operations = log[table[0] : table[-1] + 1]
        self.vfs = self.file_system(self.state)
        self.journal = read_folder(self.vfs, "journal")
        assert self.journal

    def file_system(self, flash: NorFlash) -> bytes:
        return flash.read(self.kind.flash.vfs_offset, self.kind.flash.vfs_bytes)

    def cuts(self) -> Iterator[NorFlash]:
        """Yield what the flash holds after a cut in the middle of each operation.

        Most operations program pages that stay erased: these change nothing and are passed over.
        """
        for operation in self.operations:
            sector = operation[0] // SECTOR_SIZE_BYTES
            before = bytes(self.state.sector(sector))
            torn = self.state.copy()
            apply(self.state, operation)
            if bytes(self.state.sector(sector)) == before:
                continue
            torn.cut_after(1)
            apply(torn, operation)
            torn.restore_power()
            yield torn


TABLE_SECTOR = PARTITION_TABLE_OFFSET // SECTOR_SIZE_BYTES


def record(folder: Path) -> Recorded:
    flash = LoggedFlash(4 << 20)
    with flash_bench(folder, flash=flash) as bench:
        return Recorded(bench, flash)


def start(recorded: Recorded, flash: NorFlash) -> None:
    """Switch a board with this flash on, as it is, and let it run."""
    board = new_board(recorded.kind, flash)
    try:
        board.power_on()
        board.world.run_until(2 * SECOND)
    finally:
        board.close()


def check(recorded: Recorded, flash: NorFlash, home: Home) -> None:
    """The next flash finds key and journal, whatever ran meanwhile."""
    assert recorded.journal is not None
    start(recorded, flash)
    rescue = Rescue(home, CHIP_ID)
    rescue.keep(recorded.vfs)
    chosen = choose(recorded.file_system(flash), rescue)
    assert chosen.head is not None
    assert chosen.head.kid == recorded.kid
    for name, content in recorded.journal.items():
        assert chosen.files[name].startswith(content)


@pytest.mark.long
def test_a_cut_at_any_operation_of_a_flash_loses_neither_key_nor_record(tmp_path: Path) -> None:
    recorded, home = record(tmp_path), Home(tmp_path / "other")
    cuts = 0
    for flash in recorded.cuts():
        check(recorded, flash, home)
        cuts += 1
    assert cuts > 200
