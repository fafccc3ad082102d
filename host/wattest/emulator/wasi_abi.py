"""Numbers of WASI preview 1: error numbers, file types, flags.

The guest sees WASI's error numbers (ENOENT is 44), not the host's: its ``errno`` module and its
error names are built from them.

Source:
    WASI snapshot preview 1, ``wasi_snapshot_preview1.witx``.
"""

from __future__ import annotations

import errno
from enum import IntEnum


class Errno(IntEnum):
    """Error numbers of WASI preview 1 that the layer returns."""

    SUCCESS = 0
    ACCES = 2
    AGAIN = 6
    BADF = 8
    BUSY = 10
    EXIST = 20
    FBIG = 22
    ILSEQ = 25
    INTR = 27
    INVAL = 28
    IO = 29
    ISDIR = 31
    MFILE = 33
    NAMETOOLONG = 37
    NODEV = 43
    NOENT = 44
    NOMEM = 48
    NOSPC = 51
    NOSYS = 52
    NOTDIR = 54
    NOTEMPTY = 55
    PERM = 63
    PIPE = 64
    ROFS = 69
    SPIPE = 70
    TIMEDOUT = 73


FROM_HOST: dict[int, int] = {
    getattr(errno, f"E{name.name}"): int(name) for name in Errno if name is not Errno.SUCCESS
}
"""The host's number -> WASI's; what is missing becomes EIO."""

FILETYPE_CHARACTER, FILETYPE_DIRECTORY, FILETYPE_REGULAR = 2, 3, 4

OPEN_CREATE, OPEN_DIRECTORY, OPEN_EXCLUSIVE, OPEN_TRUNCATE = 1, 2, 4, 8
FLAG_APPEND = 1
RIGHT_READ, RIGHT_WRITE = 1 << 1, 1 << 6

CLOCK_REALTIME = 0
EVENT_CLOCK, EVENT_READ, EVENT_WRITE = 0, 1, 2
SUBSCRIPTION_ABSOLUTE = 1


def from_os_error(error: OSError) -> int:
    """Return WASI's number for a host error."""
    return FROM_HOST.get(error.errno or 0, int(Errno.IO))
