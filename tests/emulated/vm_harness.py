"""What the VM tests share: a file system in memory, and guests run to their end."""

import errno
from dataclasses import dataclass, field

from wattest.emulator.engine import load_engine
from wattest.emulator.filesystem_port import FileStat
from wattest.emulator.guest import GuestVm


class MemoryFiles:
    """A file system of dictionaries: the second implementation of the port, beside littlefs."""

    def __init__(self, files=None):
        self.files = {path: bytearray(data) for path, data in (files or {}).items()}
        self.directories = {"/"}

    def stat(self, path):
        if path in self.directories:
            return FileStat(is_dir=True, size_bytes=0, mtime_ns=0)
        return FileStat(is_dir=False, size_bytes=len(self._file(path)), mtime_ns=0)

    def open(self, path, mode):
        if mode.create:
            self.files.setdefault(path, bytearray())
        data = self._file(path)
        if mode.truncate:
            data.clear()
        return {"data": data, "at": 0, "append": mode.append}

    def read(self, handle, size):
        data = bytes(handle["data"][handle["at"] : handle["at"] + size])
        handle["at"] += len(data)
        return data

    def write(self, handle, data):
        if handle["append"]:
            handle["at"] = len(handle["data"])
        handle["data"][handle["at"] : handle["at"] + len(data)] = data
        handle["at"] += len(data)
        return len(data)

    def seek(self, handle, offset, whence):
        handle["at"] = (0, handle["at"], len(handle["data"]))[whence] + offset
        return handle["at"]

    def sync(self, handle):
        pass

    def close(self, handle):
        handle["data"] = None

    def listdir(self, path):
        prefix = path.rstrip("/") + "/"
        return sorted(
            (name[len(prefix) :], name in self.directories)
            for name in [*self.files, *self.directories]
            if name.startswith(prefix) and name != prefix and "/" not in name[len(prefix) :]
        )

    def mkdir(self, path):
        if path in self.directories or path in self.files:
            raise OSError(errno.EEXIST, "exists", path)
        self.directories.add(path)

    def rmdir(self, path):
        if self.listdir(path):
            raise OSError(errno.ENOTEMPTY, "not empty", path)
        self.directories.remove(path)

    def unlink(self, path):
        self._file(path)
        del self.files[path]

    def rename(self, old, new):
        self.files[new] = self._file(old)
        del self.files[old]

    def _file(self, path):
        if path not in self.files:
            raise OSError(errno.ENOENT, "missing", path)
        return self.files[path]


@dataclass
class Console:
    """Collects what a guest prints, with its times."""

    data: bytearray = field(default_factory=bytearray)
    times_ns: list = field(default_factory=list)

    def __call__(self, data, at_ns):
        self.data += data
        self.times_ns.append(at_ns)

    @property
    def text(self):
        return self.data.decode()

    @property
    def lines(self):
        return self.text.splitlines()


def new_guest(source, *, heap="128k", engine=None, **options):
    """Return a guest that will run ``source``, and its console."""
    console = Console()
    vm = GuestVm(
        engine or load_engine(),
        arguments=["micropython", "-X", f"heapsize={heap}", "-c", source],
        on_output=console,
        **options,
    )
    return vm, console


def run_until_idle(vm, *, polls_max=100_000):
    """Run a guest until it ends or waits for input."""
    for _ in range(polls_max):
        if vm.next_ns() is None:
            return
        vm.poll()
    raise AssertionError(f"still busy after {polls_max} slices")


def run(source, **options):
    """Run ``source`` to its end; return what it printed, its outcome, its fuel."""
    vm, console = new_guest(source, **options)
    run_until_idle(vm)
    outcome, fuel = vm.outcome, vm.fuel_used()
    vm.close()
    return console.text, outcome, fuel
