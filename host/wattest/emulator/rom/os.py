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
    ilistdir as _ilistdir,
)

_sys.path.extend(_path)
del _path

from micropython import const
from uctypes import addressof as _addressof
from _board import call as _call, q as _q

sep = "/"
_STATVFS = const(4)
_RANDOM = const(61)


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
    stat(path)
    if path[:4] == "/rom" and path[4:5] in ("", "/"):
        return (4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255)
    blocks = _call(_STATVFS)
    free = _q[2]
    return (4096, 4096, blocks, free, free, 0, 0, 0, 0, 255)


def urandom(n):
    data = bytearray(n)
    _call(_RANDOM, _addressof(data), n)
    return bytes(data)


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
