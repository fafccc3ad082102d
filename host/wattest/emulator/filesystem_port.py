"""What the guest's ``open`` and ``os`` reach: the port a file system implements for a guest."""

# ruff: noqa: D102 - `NoFileSystem` does what the port says
from __future__ import annotations

import errno
from typing import Any, NamedTuple, Protocol


class FileStat(NamedTuple):
    """Kind, size and time of change of a path."""

    is_dir: bool
    size_bytes: int
    mtime_ns: int


class OpenMode(NamedTuple):
    """How a file is to be opened, as the guest asked for it."""

    readable: bool
    writable: bool
    create: bool
    truncate: bool
    append: bool
    exclusive: bool


class FileSystem(Protocol):
    """A mounted file system.

    Paths are absolute and normalised (``/a/b``). Failures are `OSError` with the host's errno
    numbers. Any operation may raise `StopGuest` instead, which ends the guest there and then.
    A handle is whatever `open` returned.
    """

    def stat(self, path: str) -> FileStat:
        """Describe ``path``; ``/`` always exists."""

    def open(self, path: str, mode: OpenMode) -> Any:
        """Open a file and return its handle."""

    def read(self, handle: Any, size: int) -> bytes:
        """Read up to ``size`` bytes at the handle's position; empty at the end."""

    def write(self, handle: Any, data: bytes) -> int:
        """Write ``data`` and return how many bytes were taken."""

    def seek(self, handle: Any, offset: int, whence: int) -> int:
        """Move the position (``whence`` as in `os.SEEK_SET`, ...) and return it."""

    def sync(self, handle: Any) -> None:
        """Make what was written to the handle permanent."""

    def close(self, handle: Any) -> None:
        """Make what was written permanent and free the handle."""

    def listdir(self, path: str) -> list[tuple[str, bool]]:
        """Return (name, is a directory) of all entries but ``.`` and ``..``."""

    def mkdir(self, path: str) -> None:
        """Make a directory."""

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""

    def unlink(self, path: str) -> None:
        """Remove a file."""

    def rename(self, old: str, new: str) -> None:
        """Give ``old`` the name ``new``, replacing a file of that name in one step."""


def _missing(path: str) -> OSError:
    return OSError(errno.ENOENT, "no such file", path)


class NoFileSystem:
    """An empty root directory that cannot be written: the board has no flash."""

    def stat(self, path: str) -> FileStat:
        if path != "/":
            raise _missing(path)
        return FileStat(is_dir=True, size_bytes=0, mtime_ns=0)

    def open(self, path: str, mode: OpenMode) -> Any:
        raise OSError(errno.EROFS, "no file system", path) if mode.create else _missing(path)

    def read(self, handle: Any, size: int) -> bytes:
        raise OSError(errno.EBADF, "no file system", handle, size)

    def write(self, handle: Any, data: bytes) -> int:
        raise OSError(errno.EBADF, "no file system", handle, len(data))

    def seek(self, handle: Any, offset: int, whence: int) -> int:
        raise OSError(errno.EBADF, "no file system", handle, offset, whence)

    def sync(self, handle: Any) -> None:
        raise OSError(errno.EBADF, "no file system", handle)

    def close(self, handle: Any) -> None:
        raise OSError(errno.EBADF, "no file system", handle)

    def listdir(self, path: str) -> list[tuple[str, bool]]:
        if path != "/":
            raise _missing(path)
        return []

    def mkdir(self, path: str) -> None:
        raise OSError(errno.EROFS, "no file system", path)

    def rmdir(self, path: str) -> None:
        raise _missing(path)

    def unlink(self, path: str) -> None:
        raise _missing(path)

    def rename(self, old: str, new: str) -> None:
        raise _missing(f"{old} -> {new}")
