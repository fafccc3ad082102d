"""Digest of the node's own files: what `cfg` in every record says."""

import os
from hashlib import sha256

from micropython import const

_DIRECTORY = const(0x4000)
_TYPE = const(1)
_CHUNK_BYTES = const(1024)
_CFG_BYTES = const(16)
_JOURNAL = "/journal"


def digest_files(known: dict) -> bytes:
    """First 16 bytes of SHA-256 over path, 00 and content digest of every file, in path order.

    Args:
        known: path to content, for files that are in memory anyway.

    Source:
        docs/formats.md, section 5.
    """
    paths: list = []
    _collect("/", paths)
    paths.sort()
    total = sha256()
    chunk = bytearray(_CHUNK_BYTES)
    for path in paths:
        total.update(path.encode())
        total.update(b"\x00")
        if path in known:
            total.update(sha256(known[path]).digest())
        else:
            total.update(_digest_file(path, chunk))
    return total.digest()[:_CFG_BYTES]


def _collect(folder: str, paths: list) -> None:
    for entry in os.ilistdir(folder):
        path = folder + entry[0]
        if path == _JOURNAL:
            continue
        if entry[_TYPE] == _DIRECTORY:
            _collect(path + "/", paths)
        else:
            paths.append(path)


def _digest_file(path: str, chunk: bytearray) -> bytes:
    digest = sha256()
    view = memoryview(chunk)
    with open(path, "rb") as file:
        size = file.readinto(chunk)
        while size:
            digest.update(view[:size])
            size = file.readinto(chunk)
    return digest.digest()
