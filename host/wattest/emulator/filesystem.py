"""littlefs on a flash partition: what the board's ``vfs`` partition holds.

Geometry is that of MicroPython's ``VfsLfs2`` on an ESP32 (read, program and lookahead 32 bytes,
cache 128 bytes, sector 4096), disk version 2.0, so an image can move between a real and an
emulated board. littlefs-python swallows exceptions raised inside its block-device callbacks and
then retries on every block, so the callbacks never raise: they return an error, and the call that
reached them looks at the flash afterwards. When power went, the guest is stopped there and then.

Nothing is flushed when a mounted file system is dropped: data of a file that was not closed or
synced is lost, as on a board.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from littlefs import lfs
from littlefs.errors import LittleFSError

from wattest.emulator.filesystem_port import FileStat, OpenMode
from wattest.emulator.flash import SECTOR_SIZE_BYTES, Partition
from wattest.emulator.guest import StopGuest
from wattest.errors import EmulatorError

_IO_ERROR = -5  # LFS_ERR_IO
_TYPE_DIR = 2
_ERRNO = {
    -2: errno.ENOENT,
    -9: errno.EBADF,
    -12: errno.ENOMEM,
    -17: errno.EEXIST,
    -20: errno.ENOTDIR,
    -21: errno.EISDIR,
    -22: errno.EINVAL,
    -27: errno.EFBIG,
    -28: errno.ENOSPC,
    -36: errno.ENAMETOOLONG,
    -39: errno.ENOTEMPTY,
    -84: errno.EIO,
}
_DISK_VERSION = 0x00020000
_READ_AHEAD_BYTES = 1024
_LISTING_WORTH = 3

T = TypeVar("T")


class _BlockDevice:
    """The four callbacks littlefs makes; none of them may raise."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._first_sector = partition.offset // SECTOR_SIZE_BYTES
        self._sector = partition.flash.sector

    def read(self, _cfg: object, block: int, offset: int, size: int) -> bytes | bytearray:
        # By far the most frequent callback, so it goes to the cells directly.
        return self._sector(self._first_sector + block)[offset : offset + size]

    def prog(self, _cfg: object, block: int, offset: int, data: bytes) -> int:
        done = self._partition.program(block * SECTOR_SIZE_BYTES + offset, data)
        return 0 if done else _IO_ERROR

    def erase(self, _cfg: object, block: int) -> int:
        return 0 if self._partition.erase(block * SECTOR_SIZE_BYTES) else _IO_ERROR

    def sync(self, _cfg: object) -> int:
        return 0 if self._partition.flash.powered else _IO_ERROR


class _OpenFile:
    """A handle; one that only reads is read ahead, since the guest reads 20 bytes at a time."""

    __slots__ = ("ahead", "at", "handle", "reads_only")

    def __init__(self, handle: object, *, reads_only: bool) -> None:
        self.handle = handle
        self.reads_only = reads_only
        self.ahead = b""
        self.at = 0


class _Listings:
    """Folders as they were read last, so that a search along ``sys.path`` is quick.

    Forgotten whenever something changes. A folder is read whole only when it is asked for again
    and again; reading costs no flash operation, so nobody can tell.
    """

    def __init__(self, read: Callable[[str], list[tuple[str, bool, int]]]) -> None:
        self._read = read
        self._folders: dict[str, dict[str, FileStat] | None] = {}
        self._asked: dict[str, int] = {}

    def forget(self) -> None:
        """Something was or may have been changed."""
        if self._asked:
            self._folders.clear()
            self._asked.clear()

    def find(self, path: str) -> FileStat | None:
        """Return what is at ``path``, or None when that is not known.

        Raises:
            OSError: it is known that nothing is there.
        """
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            asked = self._asked[folder] = self._asked.get(folder, 0) + 1
            if asked < _LISTING_WORTH:
                return None
            self._folders[folder] = self._list(folder or "/")
        listing = self._folders[folder]
        found = None if listing is None else listing.get(name)
        if found is None:
            raise OSError(errno.ENOENT, path)
        return found

    def _list(self, folder: str) -> dict[str, FileStat] | None:
        try:
            entries = self._read(folder)
        except FileNotFoundError:
            return None
        return {name: FileStat(is_dir, size, 0) for name, is_dir, size in entries}


class LittleFs:
    """A mounted littlefs; implements the guest's ``FileSystem`` port.

    Paths are absolute and normalised (``/a/b``). Failures raise :class:`OSError` with the host's
    errno. Every method raises ``StopGuest("power cut")`` when the flash lost power.
    """

    def __init__(self, partition: Partition) -> None:
        self._flash = partition.flash
        self._block_count = partition.sectors
        self._config = lfs.LFSConfig(
            context=_BlockDevice(partition),
            block_size=SECTOR_SIZE_BYTES,
            block_count=partition.sectors,
            read_size=32,
            prog_size=32,
            cache_size=128,
            lookahead_size=32,
            block_cycles=100,
            disk_version=_DISK_VERSION,
        )
        self._fs = lfs.LFSFilesystem()
        self._listings = _Listings(self.entries)

    @classmethod
    def mount(cls, partition: Partition, *, format_if_needed: bool = False) -> LittleFs:
        """Mount what the partition holds.

        Args:
            partition: where the file system is.
            format_if_needed: make a fresh one when there is none, as a board does at first boot.

        Raises:
            EmulatorError: there is no littlefs and ``format_if_needed`` is False.
            StopGuest: power failed while it was being made.
        """
        self = cls(partition)
        try:
            self._call(lfs.mount, self._config)
        except OSError as exc:
            if not format_if_needed:
                raise EmulatorError(
                    f"no littlefs at flash offset 0x{partition.offset:x}",
                    hint="format it, or take an image of a board that has booted once",
                ) from exc
            self._call(lfs.format, self._config)
            self._call(lfs.mount, self._config)
        return self

    # ---- the guest's port ------------------------------------------------------------

    def stat(self, path: str) -> FileStat:
        """Return kind and size of ``path``."""
        if path == "/":
            return FileStat(True, 0, 0)
        known = self._listings.find(path)
        if known is not None:
            return known
        found = self._call(lfs.stat, path)
        if found.type == _TYPE_DIR:
            return FileStat(True, 0, 0)
        return FileStat(False, found.size, 0)

    def open(self, path: str, mode: OpenMode) -> _OpenFile:
        """Open a file; the handle is committed when it is synced or closed."""
        flags = (
            (1 if mode.readable else 0)
            | (2 if mode.writable else 0)
            | (0x100 if mode.create else 0)
            | (0x200 if mode.exclusive else 0)
            | (0x400 if mode.truncate else 0)
            | (0x800 if mode.append else 0)
        )
        if mode.writable:
            self._listings.forget()
        handle = self._call(lfs.file_open, path, lfs.LFSFileFlag(flags))
        return _OpenFile(handle, reads_only=not mode.writable)

    def read(self, handle: _OpenFile, size: int) -> bytes:
        """Read up to ``size`` bytes; fewer only at the end of the file."""
        if not handle.reads_only:
            return bytes(self._call(lfs.file_read, handle.handle, size))
        at, end = handle.at, handle.at + size
        if end > len(handle.ahead):
            rest = handle.ahead[at:]
            wanted = max(size - len(rest), _READ_AHEAD_BYTES)
            handle.ahead = rest + self._call(lfs.file_read, handle.handle, wanted)
            at, end = 0, size
        data = handle.ahead[at:end]
        handle.at = at + len(data)
        return data

    def write(self, handle: _OpenFile, data: bytes) -> int:
        """Write all of ``data``; returns its length."""
        return int(self._call(lfs.file_write, handle.handle, data))

    def seek(self, handle: _OpenFile, offset: int, whence: int) -> int:
        """Move the position; returns the new one."""
        if whence == os.SEEK_CUR:
            offset -= len(handle.ahead) - handle.at
        handle.ahead, handle.at = b"", 0
        return int(self._call(lfs.file_seek, handle.handle, offset, whence))

    def sync(self, handle: _OpenFile) -> None:
        """Commit the file to flash."""
        if not handle.reads_only:
            self._listings.forget()
        self._call(lfs.file_sync, handle.handle)

    def close(self, handle: _OpenFile) -> None:
        """Commit the file to flash and forget the handle."""
        if not handle.reads_only:
            self._listings.forget()
        self._call(lfs.file_close, handle.handle)

    def listdir(self, path: str) -> list[tuple[str, bool]]:
        """Return ``(name, is_dir)`` of each entry."""
        return [(name, is_dir) for name, is_dir, _ in self.entries(path)]

    def mkdir(self, path: str) -> None:
        """Make one directory."""
        self._listings.forget()
        self._call(lfs.mkdir, path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        if not self.stat(path).is_dir:
            raise OSError(errno.ENOTDIR, path)
        self._listings.forget()
        self._call(lfs.remove, path)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        if self.stat(path).is_dir:
            raise OSError(errno.EISDIR, path)
        self._listings.forget()
        self._call(lfs.remove, path)

    def rename(self, old: str, new: str) -> None:
        """Move ``old`` to ``new``, replacing a file that is there; atomic over power loss."""
        self._listings.forget()
        self._call(lfs.rename, old, new)

    # ---- what the guest's port does not ask for ----------------------------------------

    def entries(self, path: str) -> list[tuple[str, bool, int]]:
        """Return ``(name, is_dir, size_bytes)`` of each entry, without ``.`` and ``..``."""
        directory = self._call(lfs.dir_open, path)
        found = []
        while (entry := self._call(lfs.dir_read, directory)) is not None:
            if entry.name not in (".", ".."):
                is_dir = entry.type == _TYPE_DIR
                found.append((entry.name, is_dir, 0 if is_dir else entry.size))
        self._call(lfs.dir_close, directory)
        return found

    def usage(self) -> tuple[int, int]:
        """Return ``(blocks, blocks in use)``; a block is 4096 bytes."""
        return self._block_count, int(self._call(lfs.fs_size))

    def exists(self, path: str) -> bool:
        """Return whether ``path`` is there."""
        try:
            self.stat(path)
        except FileNotFoundError:
            return False
        return True

    def make_dirs(self, path: str) -> None:
        """Make ``path`` and its parents, those that are missing."""
        parts = [part for part in path.split("/") if part]
        for depth in range(1, len(parts) + 1):
            step = "/" + "/".join(parts[:depth])
            if not self.exists(step):
                self.mkdir(step)

    def read_file(self, path: str) -> bytes:
        """Return the whole content of a file."""
        handle = self.open(path, OpenMode(True, False, False, False, False, False))
        data = self.read(handle, self.stat(path).size_bytes)
        self.close(handle)
        return data

    def write_file(self, path: str, data: bytes) -> None:
        """Replace a file by ``data``; its folder must exist."""
        handle = self.open(path, OpenMode(False, True, True, True, False, False))
        self.write(handle, data)
        self.close(handle)

    def install(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files, making the folders they need."""
        for path, data in files:
            absolute = "/" + path.strip("/")
            self.make_dirs(absolute.rpartition("/")[0])
            self.write_file(absolute, data)

    # ---- inside ------------------------------------------------------------

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            result = function(self._fs, *arguments)
        except LittleFSError as exc:
            if not self._flash.powered:
                raise StopGuest("power cut") from None
            number = _ERRNO.get(exc.code, errno.EIO)
            path = arguments[0] if arguments and isinstance(arguments[0], str) else ""
            raise OSError(number, path or "littlefs") from None
        if not self._flash.powered:
            raise StopGuest("power cut")
        return result
