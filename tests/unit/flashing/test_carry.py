"""The journal between two file systems: what is read, which copy is taken, what is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from journal_samples import KEY_B, segments

from wattest.boards import load_board
from wattest.errors import FlashError, StoreError
from wattest.flashing.esptool import Transferred
from wattest.flashing.filesystem import build_filesystem
from wattest.operations.commission.carry import ReadOut, Rescue, choose
from wattest.operations.commission.home import Home

CHIP_ID = "240ac40007a5"
BOARD = load_board("emulated-esp32")
SIZE = 0x40000


def image_of(journal: dict[str, bytes]) -> bytes:
    files = {"main.py": b"", **{f"journal/{name}": data for name, data in journal.items()}}
    return build_filesystem(files, size_bytes=SIZE)


@pytest.fixture
def rescue(tmp_path: Path) -> Rescue:
    return Rescue(Home(tmp_path / "home"), CHIP_ID)


SHORT, LONG = segments(range(4)), segments(range(4), range(4, 9))


def test_the_journal_on_the_board_is_taken_and_a_copy_kept(rescue):
    journal = choose(image_of(LONG), rescue)
    assert (journal.files, journal.rescued) == (LONG, False)
    assert journal.head is not None
    assert rescue.journal() == LONG
    assert rescue.path.name == "240ac40007a5.img"
    assert rescue.path.stat().st_mode & 0o077 == 0
    rescue.drop()
    assert not rescue.exists
    rescue.drop()


@pytest.mark.parametrize("found", [None, b"\0" * SIZE, image_of({}), image_of(SHORT)])
def test_after_a_cut_the_copy_is_taken_and_stays_as_it_was(rescue, found):
    choose(image_of(LONG), rescue)
    before = rescue.path.read_bytes()
    journal = choose(found, rescue)
    assert (journal.files, journal.rescued) == (LONG, True)
    assert rescue.path.read_bytes() == before


def test_a_board_that_ran_on_since_is_taken_and_copied_anew(rescue):
    choose(image_of(SHORT), rescue)
    journal = choose(image_of(LONG), rescue)
    assert (journal.files, journal.rescued) == (LONG, False)
    assert rescue.journal() == LONG


def test_a_board_with_a_new_key_is_not_given_its_old_journal(rescue):
    choose(image_of(LONG), rescue)
    fresh = segments(range(2), kid=KEY_B)
    assert choose(image_of(fresh), rescue).files == fresh


def test_a_blank_board_has_nothing_to_carry_and_nothing_is_kept(rescue):
    journal = choose(None, rescue)
    assert (journal.files, journal.head, journal.rescued) == ({}, None, False)
    assert not rescue.path.parent.exists()


def test_a_copy_that_cannot_be_read_stops_it_before_anything_is_written(rescue):
    rescue.path.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"240ac40007a5\.img: cannot be read"):
        choose(image_of(LONG), rescue)


class FakeTool:
    """A port whose flash is bytes; counts what was transferred."""

    def __init__(self, content: bytes, *, offset: int) -> None:
        self.content = content
        self.offset = offset
        self.reads: list[tuple[int, int]] = []

    def blank(self, offset: int, size_bytes: int, *, step_bytes: int) -> list[bool]:
        pieces = range(offset - self.offset, offset - self.offset + size_bytes, step_bytes)
        return [not self.content[at : at + step_bytes].strip(b"\xff") for at in pieces]

    def read(self, offset: int, size_bytes: int, target: Path):
        self.reads.append((offset - self.offset, size_bytes))
        at = offset - self.offset
        target.write_bytes(self.content[at : at + size_bytes])
        yield Transferred(done_bytes=size_bytes, total_bytes=size_bytes)


def read_out(content: bytes) -> tuple[FakeTool, ReadOut, list[int]]:
    board = replace(
        BOARD, flash=replace(BOARD.flash, size_bytes=BOARD.flash.vfs_offset + len(content))
    )
    tool = FakeTool(content, offset=board.flash.vfs_offset)
    reading = ReadOut(tool, board)
    return tool, reading, [moved.done_bytes for moved in reading]


def test_erased_pieces_are_not_transferred_and_the_image_is_whole():
    step = 64 * 1024
    content = bytearray(b"\xff" * (20 * step))
    for piece in (0, 1, 3, 9, 19):  # 2 lies between two that are read, 4 to 8 do not
        content[piece * step + 7] = piece
    tool, reading, moved = read_out(bytes(content))
    assert reading.image == bytes(content)
    assert tool.reads == [(0, 4 * step), (9 * step, step), (19 * step, step)]
    assert moved == [4 * step, 5 * step, 6 * step]


def test_a_board_without_a_file_system_is_not_read():
    content = b"\xff" * 65_536 + b"\0" * 65_536
    tool, reading, moved = read_out(content)
    assert (reading.image, tool.reads, moved) == (None, [], [])


def test_a_read_that_fails_is_passed_on():
    tool, reading, _ = read_out(b"\0" * 65_536)

    def fails(*_arguments):
        raise FlashError("p: the chip stopped answering")
        yield

    tool.read = fails
    with pytest.raises(FlashError, match="stopped answering"):
        list(reading)
