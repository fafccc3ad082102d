"""What the guest sees as its file system: littlefs, and one file the console streams."""

from __future__ import annotations

import errno
import io
from typing import Any

from wattest.emulator.console import STREAM_PATH
from wattest.emulator.filesystem import LittleFs
from wattest.emulator.filesystem_port import FileStat, OpenMode


class BoardFiles:
    """The guest's ``FileSystem``: ``/<stdin>`` holds the source the console is running.

    A board compiles raw-REPL input straight from the line, without a copy of the source on its
    heap; a file that is read as it is compiled does the same.

    Args:
        disk: the mounted littlefs.

    Attributes:
        stream: source of the job that runs.
    """

    def __init__(self, disk: LittleFs) -> None:
        self.disk = disk
        self.stream = b""

    def stat(self, path: str) -> FileStat:
        """Describe ``path``."""
        if path == STREAM_PATH:
            return FileStat(is_dir=False, size_bytes=len(self.stream), mtime_ns=0)
        return self.disk.stat(path)

    def open(self, path: str, mode: OpenMode) -> Any:
        """Open a file."""
        if path == STREAM_PATH:
            if mode.writable:
                raise OSError(errno.EACCES, path)
            return io.BytesIO(self.stream)
        return self.disk.open(path, mode)

    def read(self, handle: Any, size: int) -> bytes:
        """Read up to ``size`` bytes."""
        if isinstance(handle, io.BytesIO):
            return handle.read(size)
        return self.disk.read(handle, size)

    def write(self, handle: Any, data: bytes) -> int:
        """Write all of ``data``."""
        if isinstance(handle, io.BytesIO):
            raise OSError(errno.EBADF, STREAM_PATH)
        return self.disk.write(handle, data)

    def seek(self, handle: Any, offset: int, whence: int) -> int:
        """Move the position."""
        if isinstance(handle, io.BytesIO):
            return handle.seek(offset, whence)
        return self.disk.seek(handle, offset, whence)

    def sync(self, handle: Any) -> None:
        """Commit a file."""
        if not isinstance(handle, io.BytesIO):
            self.disk.sync(handle)

    def close(self, handle: Any) -> None:
        """Commit and close a file."""
        if not isinstance(handle, io.BytesIO):
            self.disk.close(handle)

    def listdir(self, path: str) -> list[tuple[str, bool]]:
        """List a folder."""
        return self.disk.listdir(path)

    def mkdir(self, path: str) -> None:
        """Make a folder."""
        self.disk.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self.disk.rmdir(path)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self.disk.unlink(path)

    def rename(self, old: str, new: str) -> None:
        """Rename, replacing a file that is there."""
        self.disk.rename(old, new)
