"""Who opens and closes a pseudo terminal, told by the kernel (Linux).

The other end of a pseudo terminal only shows whether somebody has it open now. When one tool
closes it and the next opens it at once, nothing is seen. inotify tells each opening and closing,
in order.

Source: Linux man-pages, inotify(7): ``struct inotify_event``, ``IN_OPEN`` and ``IN_CLOSE``.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from enum import Enum, auto

_OPENED = 0x20
_CLOSED = 0x08 | 0x10  # after writing, after reading only
_HEAD = struct.Struct("=iIII")
_READ_BYTES = 4096


class Opening(Enum):
    """Something that happened to a terminal."""

    OPENED = auto()
    CLOSED = auto()


class Openings:
    """Tells who opens and closes one file.

    Args:
        path: the file, which is there.

    Raises:
        OSError: this system does not tell.
    """

    def __init__(self, path: str) -> None:
        if sys.platform != "linux":
            raise OSError("this system does not tell who opens a file")
        library = ctypes.CDLL(None, use_errno=True)
        self._fd: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no more watches")
        if library.inotify_add_watch(self._fd, os.fsencode(path), _OPENED | _CLOSED) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, os.strerror(number))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when something happened."""
        return self._fd

    def take(self) -> list[Opening]:
        """Return what happened since the last call, oldest first.

        The kernel tells two equal things in a row only once if nobody asked between them.
        """
        seen: list[Opening] = []
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return seen
            at = 0
            while at < len(data):
                _watch, mask, _cookie, name_bytes = _HEAD.unpack_from(data, at)
                at += _HEAD.size + name_bytes
                if mask & _OPENED:
                    seen.append(Opening.OPENED)
                elif mask & _CLOSED:
                    seen.append(Opening.CLOSED)

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)
