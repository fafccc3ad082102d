"""A board's flash chip in a file, always as new as what the board has said.

A board may only rely on what its flash holds, so nothing that it says may leave before the file
holds it too: whoever kills this program does to its boards what a power cut does. Changed sectors
go to a side file first, which is renamed when it is whole; so each step is there or is not.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from wattest.emulator.flash import NorFlash
from wattest.errors import EmulatorError

_SECTOR_BYTES = 4096
_BLANK = b"\xff" * _SECTOR_BYTES
_HEAD = struct.Struct("<II")
_PLACE = struct.Struct("<I")


class KeptFlash:
    """Keeps a chip's content in ``path``, an image of the whole chip as esptool would read it.

    Args:
        path: the image file.
        flash: the chip; its content is replaced by the image's if there is one.

    Raises:
        EmulatorError: the file cannot be read or written, or is of another chip.
    """

    def __init__(self, path: Path, flash: NorFlash) -> None:
        self._path = path
        self._side = path.with_name(path.name + ".next")
        self._flash = flash
        self._sectors = flash.size_bytes // _SECTOR_BYTES
        self._kept: dict[int, bytes] = {}
        self.existed = path.exists()
        try:
            if self.existed:
                self._finish()
                self._load()
            else:
                self._create()
        except OSError as exc:
            raise EmulatorError(f"flash image {path}: {exc.strerror}") from exc
        self._operations = flash.operations

    def sync(self) -> None:
        """Bring the file up to the chip, in one step.

        Raises:
            EmulatorError: the file cannot be written; it holds what it held before.
        """
        if self._flash.operations == self._operations:
            return
        changed = self._changed()
        try:
            if changed:
                self._stage(changed)
                self._apply(changed)
        except OSError as exc:
            raise EmulatorError(f"flash image {self._path}: {exc.strerror}") from exc
        self._operations = self._flash.operations

    def _changed(self) -> dict[int, bytes]:
        changed = {}
        for index in range(self._sectors):
            cells = self._flash.sector(index)
            if cells != self._kept.get(index, _BLANK):
                changed[index] = bytes(cells)
        return changed

    def _create(self) -> None:
        self._flash.save(self._side)
        self._side.chmod(0o600)  # the node's private key is in it
        self._side.replace(self._path)
        self._kept = self._changed()

    def _load(self) -> None:
        image = NorFlash.load(self._path)
        if image.size_bytes != self._flash.size_bytes:
            raise EmulatorError(
                f"flash image {self._path}: expected {self._flash.size_bytes} bytes, "
                f"got {image.size_bytes}",
                hint="it belongs to another kind of board",
            )
        for index in range(self._sectors):
            cells = bytes(image.sector(index))
            if cells != self._flash.sector(index):
                self._flash.erase(index * _SECTOR_BYTES)
                self._flash.program(index * _SECTOR_BYTES, cells)
            if cells != _BLANK:
                self._kept[index] = cells

    def _stage(self, changed: dict[int, bytes]) -> None:
        body = b"".join(_PLACE.pack(index) + cells for index, cells in changed.items())
        partial = self._side.with_name(self._side.name + ".partial")
        partial.write_bytes(_HEAD.pack(len(changed), zlib.crc32(body)) + body)
        partial.replace(self._side)

    def _apply(self, changed: dict[int, bytes]) -> None:
        with self._path.open("r+b") as image:
            for index, cells in changed.items():
                image.seek(index * _SECTOR_BYTES)
                image.write(cells)
        self._side.unlink()
        self._kept.update(changed)

    def _finish(self) -> None:
        """Carry out a step that an earlier program began and did not end."""
        if not self._side.exists():
            return
        data = self._side.read_bytes()
        count, check = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (0, 1)
        body = data[_HEAD.size :]
        size = _PLACE.size + _SECTOR_BYTES
        if len(body) != count * size or zlib.crc32(body) != check:
            raise EmulatorError(
                f"flash image {self._side}: damaged", hint="delete the folder and start anew"
            )
        pieces = (body[start : start + size] for start in range(0, len(body), size))
        self._apply({_PLACE.unpack_from(p)[0]: p[_PLACE.size :] for p in pieces})
