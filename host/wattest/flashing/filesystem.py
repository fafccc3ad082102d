"""The node's file system as one image: littlefs as MicroPython's ``VfsLfs2`` mounts it.

Disk version 2.0: MicroPython 1.20 refuses 2.1. The same files give the same bytes: nothing
of the clock, of random numbers or of the order of a hash enters an image.
"""

from __future__ import annotations

from collections.abc import Mapping

from littlefs import LittleFS, UserContext
from littlefs.errors import LittleFSError

from wattest.errors import ConfigError

BLOCK_BYTES = 4096
_DISK_VERSION = 0x00020000
_NO_SPACE = -28
_ENTRY_BYTES_MAX = 1 << 20


def build_filesystem(files: Mapping[str, bytes], *, size_bytes: int) -> bytes:
    """Return the image of a file system that holds ``files``.

    Args:
        files: path without the leading slash -> content.
        size_bytes: size of the partition, a multiple of 4096.

    Raises:
        ConfigError: they do not fit.
    """
    disk = _disk(UserContext(size_bytes))
    disk.format()
    disk.mount()
    try:
        for path in sorted(files):
            folder = path.rpartition("/")[0]
            if folder:
                disk.makedirs(folder, exist_ok=True)
            with disk.open(path, "wb") as file:
                file.write(files[path])
    except LittleFSError as exc:
        if exc.code != _NO_SPACE:
            raise
        raise ConfigError(
            f"the files of the node take {sum(map(len, files.values()))} bytes, "
            f"expected at most {size_bytes} with what the file system needs itself",
            hint="a board with larger flash, or a smaller journal, is needed",
        ) from exc
    disk.unmount()
    return bytes(disk.context.buffer)


def read_folder(image: bytes, folder: str) -> dict[str, bytes] | None:
    """Return the files of one folder of an image, or None where there is no sound file system.

    Args:
        image: a whole partition, as it was read from a board; it may be torn.
        folder: without slashes, such as ``journal``.

    A file that cannot be read whole is left out.
    """
    context = UserContext(len(image))
    context.buffer = bytearray(image)
    disk = _disk(context)
    try:
        disk.mount()
        names = disk.listdir("/")
    except LittleFSError:
        return None
    if folder not in names:
        return {}
    files = {}
    try:
        entries = sorted(disk.listdir(folder))
    except (LittleFSError, OSError):
        return {}
    for name in entries:
        try:
            if disk.stat(f"{folder}/{name}").size > _ENTRY_BYTES_MAX:
                continue
            with disk.open(f"{folder}/{name}", "rb") as file:
                files[name] = file.read()
        except (LittleFSError, OSError):
            continue
    return files


def _disk(context: UserContext) -> LittleFS:
    return LittleFS(
        context=context,
        mount=False,
        block_size=BLOCK_BYTES,
        block_count=len(context.buffer) // BLOCK_BYTES,
        read_size=32,
        prog_size=32,
        cache_size=128,
        lookahead_size=32,
        block_cycles=100,
        disk_version=_DISK_VERSION,
    )
