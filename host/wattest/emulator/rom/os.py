"""``os`` as on an ESP32: listings with sizes, ``statvfs``, ``sync``, ``uname``."""

import sys as _sys

_path = _sys.path[:]
_sys.path.clear()
from os import (
    chdir,
    getcwd,
    mkdir,
    mount,
    remove,
    rename,
    rmdir,
    stat,
    umount,
    unlink,
    urandom,
    ilistdir as _ilistdir,
)

_sys.path.extend(_path)
del _path

from micropython import const

sep = "/"
_STATVFS = const(4)


def ilistdir(path="."):
    prefix = path if path[-1:] == "/" else path + "/"
    for entry in _ilistdir(path):
        name, kind = entry[0], entry[1]
        if len(entry) == 4:  # inside a mounted file system: sizes are there
            yield entry
        elif name != "rom":  # where these shims are mounted; no folder of the board
            yield name, kind, 0, stat(prefix + name)[6] if kind == 0x8000 else 0


def listdir(path="."):
    return [entry[0] for entry in ilistdir(path)]


def statvfs(path):
    import _board

    stat(path)
    blocks = _board.call(_STATVFS)
    free = _board.q[2]
    return (4096, 4096, blocks, free, free, 0, 0, 0, 0, 255)


def sync():
    """Every closed file is on flash already."""


def uname():
    from collections import namedtuple
    from host import call

    fields = ("sysname", "nodename", "release", "version", "machine")
    release = ".".join([str(part) for part in _sys.implementation[1][:3]])
    version = _sys.version.split("; ")[1].split(" ", 1)[1]
    values = _sys.platform, _sys.platform, release, version, call("machine", "")
    return namedtuple("uname", fields)(*values)
