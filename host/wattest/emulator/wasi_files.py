"""Files of a guest: descriptors and paths of WASI, on a `FileSystem` port.

Every pointer, length and count comes from the guest and may be nonsense: addresses are checked
by `GuestMemory`, counts are bounded here. `OSError` becomes an error number for the guest;
anything else leaves through the import and ends the guest.
"""

# ruff: noqa: D102 - the methods are WASI functions, or do what `Descriptor` says
from __future__ import annotations

import errno
import posixpath
import struct
from collections.abc import Callable, Mapping
from typing import Any

from wattest.emulator import wasi_abi
from wattest.emulator.entropy import EntropyStream
from wattest.emulator.filesystem_port import FileSystem, OpenMode
from wattest.emulator.guest_memory import GuestMemory
from wattest.emulator.wasi_abi import Errno

ROOT_DESCRIPTOR = 3
_OPEN_FILES_MAX = 64
_VECTORS_MAX = 64
_PATH_BYTES_MAX = 1024
_STAT = struct.Struct("<QQB7xQQQQQ")
_FDSTAT = struct.Struct("<BxHxxxxQQ")
_DIRENT = struct.Struct("<QQIBxxx")
_VECTOR = struct.Struct("<II")
_ALL_RIGHTS = (1 << 64) - 1
_ENTROPY_NAMES = ("urandom", "random")


class Descriptor:
    """An open descriptor; a stream that can do nothing is the base of all."""

    file_type = wasi_abi.FILETYPE_CHARACTER

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        raise OSError(errno.EBADF, "cannot be read", size)

    def write(self, data: bytes) -> int:
        """Take ``data`` and return how much of it."""
        raise OSError(errno.EBADF, "cannot be written", len(data))

    def close(self) -> None:
        """Free what the descriptor holds."""


class InputStream(Descriptor):
    """Standard input; reading it may block, so the guest does it itself."""


class OutputStream(Descriptor):
    """Standard output and error."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink(data)
        return len(data)


class EntropyFile(Descriptor):
    """``/dev/urandom``."""

    def __init__(self, entropy: EntropyStream) -> None:
        self._entropy = entropy

    def read(self, size: int) -> bytes:
        return self._entropy.read(size)


class DeviceFile(Descriptor):
    """A file of ``/dev`` that the bench serves; the guest calls ``handler`` at each read."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler


class DiskFile(Descriptor):
    """A file of the file system."""

    file_type = wasi_abi.FILETYPE_REGULAR

    def __init__(self, filesystem: FileSystem, handle: Any) -> None:
        self.filesystem = filesystem
        self.handle = handle

    def read(self, size: int) -> bytes:
        return self.filesystem.read(self.handle, size)

    def write(self, data: bytes) -> int:
        return self.filesystem.write(self.handle, data)

    def close(self) -> None:
        self.filesystem.close(self.handle)


class Directory(Descriptor):
    """An open directory; its entries are read once, so that a listing is one moment's."""

    file_type = wasi_abi.FILETYPE_DIRECTORY

    def __init__(self, path: str) -> None:
        self.path = path
        self.entries: list[tuple[str, bool]] = []

    def read(self, size: int) -> bytes:
        raise OSError(errno.EISDIR, "is a directory", size)


class OpenFiles:
    """The descriptor table of one guest and the imports that work on it.

    Args:
        memory: the guest's memory.
        filesystem: what is mounted at ``/``.
        devices: name below ``/dev`` -> handler.
        entropy: what ``/dev/urandom`` gives.
        output: called with the bytes of every write to standard output or error.
    """

    def __init__(
        self,
        memory: GuestMemory,
        filesystem: FileSystem,
        devices: Mapping[str, Any],
        entropy: EntropyStream,
        output: Callable[[bytes], None],
    ) -> None:
        self._memory = memory
        self._filesystem = filesystem
        self._devices = devices
        self._entropy = entropy
        stream = OutputStream(output)
        self._table: dict[int, Descriptor] = {
            0: InputStream(),
            1: stream,
            2: stream,
            ROOT_DESCRIPTOR: Directory("/"),
        }

    def get(self, fd: int) -> Descriptor | None:
        """Return the open descriptor ``fd``."""
        return self._table.get(fd)

    def vectors(self, address: int, count: int) -> list[tuple[int, int]]:
        """Return the (address, length) pairs of a scatter list.

        Raises:
            OSError: more of them than any C library passes.
        """
        if count > _VECTORS_MAX:
            raise OSError(errno.EINVAL, "too many vectors", count)
        return list(_VECTOR.iter_unpack(self._memory.view(address, 8 * count)))

    def fd_write(self, fd: int, vectors: int, count: int, written: int) -> int:
        file = self._table.get(fd)
        if file is None:
            return Errno.BADF
        read = self._memory.read
        if count == 1:
            data = read(*_VECTOR.unpack(self._memory.view(vectors, 8)))
        else:
            data = b"".join(read(*vector) for vector in self.vectors(vectors, count))
        self._memory.write_u32(written, file.write(data))
        return Errno.SUCCESS

    def read_file(self, file: Descriptor, vectors: int, count: int, got: int) -> int:
        """Do ``fd_read`` on a descriptor that never blocks."""
        total = 0
        for address, size in self.vectors(vectors, count):
            target = self._memory.view(address, size)
            data = file.read(size) if size else b""
            target[: len(data)] = data
            total += len(data)
            if len(data) < size:
                break
        self._memory.write_u32(got, total)
        return Errno.SUCCESS

    def fd_seek(self, fd: int, offset: int, whence: int, position: int) -> int:
        file = self._table.get(fd)
        if not isinstance(file, DiskFile):
            return Errno.BADF if file is None else Errno.SPIPE
        if offset >= 1 << 63:
            offset -= 1 << 64
        if whence > 2:
            return Errno.INVAL
        self._memory.write_u64(position, self._filesystem.seek(file.handle, offset, whence))
        return Errno.SUCCESS

    def fd_sync(self, fd: int) -> int:
        file = self._table.get(fd)
        if isinstance(file, DiskFile):
            self._filesystem.sync(file.handle)
        return Errno.BADF if file is None else Errno.SUCCESS

    def fd_close(self, fd: int) -> int:
        file = self._table.pop(fd, None)
        if file is None:
            return Errno.BADF
        file.close()
        return Errno.SUCCESS

    def fd_fdstat_get(self, fd: int, out: int) -> int:
        file = self._table.get(fd)
        if file is None:
            return Errno.BADF
        self._memory.write(out, _FDSTAT.pack(file.file_type, 0, _ALL_RIGHTS, _ALL_RIGHTS))
        return Errno.SUCCESS

    def fd_prestat_get(self, fd: int, out: int) -> int:
        if fd != ROOT_DESCRIPTOR:
            return Errno.BADF
        self._memory.write(out, _VECTOR.pack(0, 1))  # a directory whose name has one byte
        return Errno.SUCCESS

    def fd_prestat_dir_name(self, fd: int, name: int, size: int) -> int:
        if fd != ROOT_DESCRIPTOR or size < 1:
            return Errno.BADF
        self._memory.write(name, b"/")
        return Errno.SUCCESS

    def fd_readdir(self, fd: int, buffer: int, size: int, cookie: int, used: int) -> int:
        file = self._table.get(fd)
        if not isinstance(file, Directory):
            return Errno.BADF if file is None else Errno.NOTDIR
        if cookie == 0:
            file.entries = [(".", True), ("..", True), *self._filesystem.listdir(file.path)]
        target = self._memory.view(buffer, size)
        data = bytearray()
        for place in range(cookie, len(file.entries)):
            if len(data) >= size:
                break
            name, is_dir = file.entries[place]
            kind = wasi_abi.FILETYPE_DIRECTORY if is_dir else wasi_abi.FILETYPE_REGULAR
            encoded = name.encode()
            data += _DIRENT.pack(place + 1, place + 100, len(encoded), kind) + encoded
        del data[size:]  # a cut-off entry tells the guest to ask again from its cookie
        target[: len(data)] = data
        self._memory.write_u32(used, len(data))
        return Errno.SUCCESS

    def path_open(  # noqa: PLR0917 - the import's own signature
        self,
        dir_fd: int,
        _lookup: int,
        path_at: int,
        path_size: int,
        how: int,
        rights: int,
        _inheriting: int,
        flags: int,
        out: int,
    ) -> int:
        path = self._path(dir_fd, path_at, path_size)
        fd = next((n for n in range(4, _OPEN_FILES_MAX) if n not in self._table), None)
        if fd is None:
            return Errno.MFILE
        file = self._open(path, how, rights, flags)
        if isinstance(file, int):
            return file
        self._table[fd] = file
        self._memory.write_u32(out, fd)
        return Errno.SUCCESS

    def path_filestat_get(
        self, dir_fd: int, _flags: int, path_at: int, path_size: int, out: int
    ) -> int:
        path = self._path(dir_fd, path_at, path_size)
        if self._device(path) is not None:
            kind, size, mtime = wasi_abi.FILETYPE_CHARACTER, 0, 0
        else:
            stat = self._filesystem.stat(path)
            size, mtime = stat.size_bytes, stat.mtime_ns
            kind = wasi_abi.FILETYPE_DIRECTORY if stat.is_dir else wasi_abi.FILETYPE_REGULAR
        self._memory.write(out, _STAT.pack(1, 1, kind, 1, size, mtime, mtime, mtime))
        return Errno.SUCCESS

    def path_create_directory(self, dir_fd: int, path_at: int, path_size: int) -> int:
        self._filesystem.mkdir(self._path(dir_fd, path_at, path_size))
        return Errno.SUCCESS

    def path_remove_directory(self, dir_fd: int, path_at: int, path_size: int) -> int:
        self._filesystem.rmdir(self._path(dir_fd, path_at, path_size))
        return Errno.SUCCESS

    def path_unlink_file(self, dir_fd: int, path_at: int, path_size: int) -> int:
        self._filesystem.unlink(self._path(dir_fd, path_at, path_size))
        return Errno.SUCCESS

    def path_rename(  # noqa: PLR0917 - the import's own signature
        self, dir_fd: int, old_at: int, old_size: int, new_fd: int, new_at: int, new_size: int
    ) -> int:
        old = self._path(dir_fd, old_at, old_size)
        self._filesystem.rename(old, self._path(new_fd, new_at, new_size))
        return Errno.SUCCESS

    def path_readlink(self, *_arguments: int) -> int:
        return Errno.INVAL  # there are no links

    def _path(self, dir_fd: int, address: int, size: int) -> str:
        if size > _PATH_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, "path too long", size)
        text = self._memory.read(address, size).decode()  # UnicodeDecodeError: EILSEQ
        directory = self._table.get(dir_fd)
        if not isinstance(directory, Directory):
            raise OSError(errno.ENOTDIR, "not a directory", dir_fd)
        path = posixpath.normpath(f"{directory.path}/{text}")
        return path[1:] if path.startswith("//") else path

    def _device(self, path: str) -> Descriptor | None:
        if not path.startswith("/dev/"):
            return None
        name = path[5:]
        if name in self._devices:
            return DeviceFile(self._devices[name])
        return EntropyFile(self._entropy) if name in _ENTROPY_NAMES else None

    def _open(self, path: str, how: int, rights: int, flags: int) -> Descriptor | int:
        device = self._device(path)
        if device is not None:
            return device
        mode = OpenMode(
            readable=bool(rights & wasi_abi.RIGHT_READ),
            writable=bool(rights & wasi_abi.RIGHT_WRITE),
            create=bool(how & wasi_abi.OPEN_CREATE),
            truncate=bool(how & wasi_abi.OPEN_TRUNCATE),
            append=bool(flags & wasi_abi.FLAG_APPEND),
            exclusive=bool(how & wasi_abi.OPEN_EXCLUSIVE),
        )
        try:
            is_dir = self._filesystem.stat(path).is_dir
        except FileNotFoundError:
            if not mode.create:
                raise
        else:
            if is_dir:
                return Errno.ISDIR if mode.create or mode.truncate else Directory(path)
            if how & wasi_abi.OPEN_DIRECTORY:
                return Errno.NOTDIR
            if mode.exclusive and mode.create:
                return Errno.EXIST
        return DiskFile(self._filesystem, self._filesystem.open(path, mode))
