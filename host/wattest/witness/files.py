"""Small files that are there whole or not at all, and belong to one program at a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from wattest.errors import ConfigError, StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def write_durably(path: Path, content: bytes, *, or_the_old: bool = False) -> None:
    """Replace a file, readable by its owner only; when this returns, it survives a power cut.

    Args:
        path: the file.
        content: all of it.
        or_the_old: spare one of two flushes: a power cut may bring back the file as it was before.

    Raises:
        StoreError: it cannot be written; the file is as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.unlink(missing_ok=True)  # left by a program that was killed, or somebody's link
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        if not or_the_old:
            _flush_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"{path}: cannot be written: {reason}") from error


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, and the folders above it.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"{path}: cannot make the folder: {reason}") from error


def read_small(path: Path, limit_bytes: int) -> bytes | None:
    """Return a file, None if there is none.

    Raises:
        StoreError: it cannot be read, or is larger than anything we would have written.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"{path}: cannot be read: {reason}") from error
    if len(content) > limit_bytes:
        raise StoreError(f"{path}: expected at most {limit_bytes} bytes")
    return content


class FileLock:
    """Holds a lock file while open; another process is refused.

    Args:
        path: the lock file; it stays when the lock is let go.
        of: what it guards, for the message.
        what: who else would hold it, for the message.

    Raises:
        ConfigError: another process holds it.
        StoreError: the file cannot be made.
    """

    def __init__(self, path: Path, *, of: Path, what: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreError(f"{path}: cannot be made: {reason}") from error
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise ConfigError(
                f"{what} is at work with it",
                path=str(of),
                hint="stop it, or choose another file",
            ) from error

    def close(self) -> None:
        """Let the lock go."""
        os.close(self._descriptor)


def _flush_folder(folder: Path) -> None:
    """Make a new name in a folder durable; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
