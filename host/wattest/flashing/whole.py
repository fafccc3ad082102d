"""The content of a whole flash chip, for an emulator that takes a file in its place."""

from __future__ import annotations

from wattest.boards.esp_image import Segment
from wattest.flashing.image import FlashImage
from wattest.flashing.micropython import MicroPython


def whole_flash(micropython: MicroPython, image: FlashImage) -> bytes:
    """Return a chip as it is after the first `wattest flash` of a blank board.

    Args:
        micropython: what runs; checked for the board of ``image``.
        image: the node's file system.

    Returns:
        As many bytes as the board's flash has; what nobody wrote, NVS too, is FF.
    """
    flash = image.board.flash
    cells = bytearray(b"\xff" * flash.size_bytes)
    files = Segment(offset=flash.vfs_offset, data=image.data)
    for part in (*micropython.segments, files):
        cells[part.offset : part.offset + len(part.data)] = part.data
    return bytes(cells)
