"""Power fails inside any flash operation of a download: the next attempt must succeed.

The loader works on the board's own flash chip, so a torn operation leaves what a real chip is left
with: half-erased sectors, half-programmed pages. What counts is that a second, complete write
gives the right content whatever the first has left, and that nothing outside is touched.
"""

from __future__ import annotations

import hashlib

import pytest
from loader_tool import NoAnswerError, Tool

from wattest.emulator.flash import NorFlash
from wattest.emulator.serial_rom import Leave

IMAGE_AT, VFS_AT, GUARD_AT = 0x1000, 0x20000, 0x12000
SIZE = 0x40000


def content(name: str, size: int) -> bytes:
    """Return bytes that compress to about half."""
    blocks = [hashlib.sha256(f"{name}{n}".encode()).digest() for n in range(size // 64)]
    return b"".join(block + block[:4] * 8 for block in blocks)


IMAGE = content("image", 64 << 10)
FILES = content("files", 128 << 10)
OLD = content("old", 128 << 10)


def used_flash() -> NorFlash:
    """Return a chip that was in use before."""
    flash = NorFlash(SIZE)
    flash.program(IMAGE_AT, OLD[: len(IMAGE)])
    flash.program(GUARD_AT, b"not to be touched")
    flash.program(VFS_AT, OLD)
    flash.operations = 0
    return flash


def write_all(tool: Tool, *, with_stub: bool) -> None:
    if with_stub:
        tool.run_stub()
    tool.write(IMAGE_AT, IMAGE)
    tool.write(VFS_AT, FILES)


def check_cut(start: NorFlash, operation: int, *, with_stub: bool) -> None:
    """Cut the supply inside one operation, then flash again as after power returned."""
    flash = start.copy()
    flash.cut_after(operation, torn_share=(operation % 5, 4))
    tool = Tool("esp32", flash)
    with pytest.raises(NoAnswerError):
        write_all(tool, with_stub=with_stub)
    assert tool.left == [Leave.POWER_FAILED]
    assert tool.send(b"\xc0") == []
    flash.restore_power()
    write_all(Tool("esp32", flash), with_stub=with_stub)
    assert flash.read(IMAGE_AT, len(IMAGE)) == IMAGE
    assert flash.read(VFS_AT, len(FILES)) == FILES
    assert flash.read(GUARD_AT, 17) == b"not to be touched"


def operations(*, with_stub: bool) -> int:
    flash = used_flash()
    write_all(Tool("esp32", flash), with_stub=with_stub)
    return flash.operations


@pytest.mark.parametrize("with_stub", [True, False], ids=["stub", "rom"])
def test_a_download_takes_one_operation_a_page_and_one_a_sector(with_stub: bool) -> None:
    assert operations(with_stub=with_stub) == (64 + 128) * (1024 // 256) + (64 + 128) // 4


@pytest.mark.parametrize("with_stub", [True, False], ids=["stub", "rom"])
def test_power_fails_in_some_operations_of_a_download(with_stub: bool) -> None:
    start = used_flash()
    count = operations(with_stub=with_stub)
    for operation in (1, 2, 16, 17, 18, *range(19, count, 97), count - 1, count):
        check_cut(start, operation, with_stub=with_stub)


@pytest.mark.long
@pytest.mark.parametrize("with_stub", [True, False], ids=["stub", "rom"])
def test_power_fails_in_every_operation_of_a_download(with_stub: bool) -> None:
    start = used_flash()
    for operation in range(1, operations(with_stub=with_stub) + 1):
        check_cut(start, operation, with_stub=with_stub)
