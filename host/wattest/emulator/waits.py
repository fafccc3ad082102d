"""Calls of a guest that may block: sleeping, polling, reading the console, waiting for the host.

A blocking import returns a `Pending` object instead of a number. The guest's fiber is suspended;
each time the guest is woken, `Pending.finish` says what the import returns, or None to go on
waiting. Nothing here waits itself: time passes only in the world.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from wattest.emulator import wasi_abi
from wattest.emulator.wasi_abi import Errno
from wattest.emulator.wasi_files import DeviceFile, InputStream

if TYPE_CHECKING:
    from wattest.emulator.guest import GuestVm

_SUBSCRIPTION_BYTES = 48
_SUBSCRIPTIONS_MAX = 64
_EVENT = struct.Struct("<8sHB5xQH6x")
_CLOCK = struct.Struct("<8sB7xI4xQQH6x")
_FD_USERDATA = struct.Struct("<8sB7xI28x")
_VECTOR = struct.Struct("<II")
_NO_LIMIT_US = 0xFFFFFFFF

CAUSE_NONE, CAUSE_CALLBACK, CAUSE_INTERRUPT = 0, 1, 2
"""Why a wait ended early: not at all, for a scheduled callback, for the interrupt character."""


class HandlerRefused(Exception):
    """Raised by a ``host.call`` handler: the guest sees RuntimeError."""


class Pending(Protocol):
    """A blocked import.

    Attributes:
        deadline_ns: local time at which it ends by itself, or None.
        on_stdin: whether console input may end it.
    """

    deadline_ns: int | None
    on_stdin: bool

    def finish(self, vm: GuestVm) -> int | None:
        """Return what the import returns, or None to go on waiting."""


class Wait:
    """Returned by a handler to block the guest.

    Args:
        deadline_ns: local time at which to go on, or None for no limit.
        on_stdin: go on when console input is unread.
        ready: asked at each wake; what it returns, if not None, is the result.
        early: result when the wait ends for any other reason: bytes for ``host.call``, a byte
            count for a device file. A device file with ``b""`` calls its handler again after a
            callback or an interrupt.
    """

    __slots__ = ("deadline_ns", "early", "on_stdin", "ready")

    def __init__(
        self,
        *,
        deadline_ns: int | None = None,
        on_stdin: bool = False,
        ready: Callable[[], bytes | int | None] | None = None,
        early: bytes | int = b"",
    ) -> None:
        self.deadline_ns = deadline_ns
        self.on_stdin = on_stdin
        self.ready = ready
        self.early = early

    def result(self, vm: GuestVm) -> bytes | int | None:
        """Return the handler's result if the wait is over."""
        if self.ready is not None:
            value = self.ready()
            if value is not None:
                return value
        if (
            (self.on_stdin and vm.stdin_is_readable)
            or (self.deadline_ns is not None and vm.now_ns() >= self.deadline_ns)
            or vm.take_cause()
        ):
            return self.early
        return None


class _HostWait:
    """A ``host.call`` whose handler blocks."""

    __slots__ = ("_capacity", "_target", "_wait", "deadline_ns", "on_stdin")

    def __init__(self, wait: Wait, target: int, capacity: int) -> None:
        self._wait = wait
        self._target = target
        self._capacity = capacity
        self.deadline_ns = wait.deadline_ns
        self.on_stdin = wait.on_stdin

    def finish(self, vm: GuestVm) -> int | None:
        value = self._wait.result(vm)
        if value is None:
            return None
        if not isinstance(value, bytes):
            raise TypeError(f"a host.call wait must give bytes, got {value!r}")
        return _host_result(vm, value, self._target, self._capacity)


class _DeviceWait:
    """A read of a device file whose handler blocks."""

    __slots__ = ("_got", "_wait", "deadline_ns", "on_stdin")

    def __init__(self, wait: Wait, got: int) -> None:
        self._wait = wait
        self._got = got
        self.deadline_ns = wait.deadline_ns
        self.on_stdin = wait.on_stdin

    def finish(self, vm: GuestVm) -> int | None:
        if vm.cause == CAUSE_INTERRUPT:
            return Errno.INTR  # KeyboardInterrupt is raised inside the read
        value = self._wait.result(vm)
        if value is None:
            return None
        if value == b"":
            return Errno.INTR  # the guest runs what is pending, then reads again
        vm.memory.write_u32(self._got, int(value))
        return Errno.SUCCESS


class _StdinRead:
    """``fd_read`` on the console."""

    __slots__ = ("_got", "_vectors", "deadline_ns", "on_stdin")

    def __init__(self, vectors: list[tuple[int, int]], got: int) -> None:
        self._vectors = vectors
        self._got = got
        self.deadline_ns: int | None = None
        self.on_stdin = True

    def finish(self, vm: GuestVm) -> int | None:
        if vm.take_cause():
            return Errno.INTR  # the guest runs what is pending, then reads again
        if not vm.stdin_is_readable:
            return None
        total = 0
        for address, size in self._vectors:
            data = vm.stdin[:size]
            vm.memory.write(address, data)
            del vm.stdin[:size]
            total += len(data)
        vm.memory.write_u32(self._got, total)
        return Errno.SUCCESS


class _Poll:
    """``poll_oneoff``: clocks and descriptors."""

    __slots__ = ("_clocks", "_count_at", "_events_at", "_files", "deadline_ns", "on_stdin")

    def __init__(self, vm: GuestVm, subscriptions: int, events_at: int, count: int) -> None:
        self._events_at = events_at
        self._count_at = 0
        self._clocks: list[tuple[bytes, int]] = []
        self._files: list[tuple[bytes, int, int]] = []
        self.on_stdin = False
        raw = vm.memory.read(subscriptions, _SUBSCRIPTION_BYTES * count)
        for offset in range(0, len(raw), _SUBSCRIPTION_BYTES):
            self._subscribe(vm, raw, offset)
        self.deadline_ns = min((due for _, due in self._clocks), default=None)

    def _subscribe(self, vm: GuestVm, raw: bytes, offset: int) -> None:
        if raw[offset + 8] == wasi_abi.EVENT_CLOCK:
            userdata, _, clock, timeout, _, flags = _CLOCK.unpack_from(raw, offset)
            if flags & wasi_abi.SUBSCRIPTION_ABSOLUTE:
                due = timeout - vm.clock_offset_ns(clock)
            else:
                due = timeout + vm.now_ns()
            self._clocks.append((userdata, due))
            return
        userdata, kind, fd = _FD_USERDATA.unpack_from(raw, offset)
        self._files.append((userdata, kind, fd))
        if kind == wasi_abi.EVENT_READ and isinstance(vm.files.get(fd), InputStream):
            self.on_stdin = True

    def counted_at(self, address: int) -> _Poll:
        """Write the number of events to ``address``."""
        self._count_at = address
        return self

    def finish(self, vm: GuestVm) -> int | None:
        cause = vm.take_cause()
        if cause == CAUSE_INTERRUPT:
            return Errno.INTR
        now = vm.now_ns()
        events = [
            _EVENT.pack(userdata, 0, wasi_abi.EVENT_CLOCK, 0, 0)
            for userdata, due in self._clocks
            # A callback ends the wait with success, not EINTR: the C library would restart
            # the full timeout after EINTR.
            if due <= now or cause
        ]
        for userdata, kind, fd in self._files:
            file = vm.files.get(fd)
            if file is None:
                events.append(_EVENT.pack(userdata, Errno.BADF, kind, 0, 0))
            elif kind == wasi_abi.EVENT_WRITE or not isinstance(file, InputStream):
                events.append(_EVENT.pack(userdata, 0, kind, 1, 0))
            elif vm.stdin_is_readable:
                events.append(_EVENT.pack(userdata, 0, kind, len(vm.stdin), 0))
        if not events:
            return Errno.INTR if cause else None
        vm.memory.write(self._events_at, b"".join(events))
        vm.memory.write_u32(self._count_at, len(events))
        return Errno.SUCCESS


def poll_oneoff(
    vm: GuestVm, subscriptions: int, events: int, count: int, event_count: int
) -> int | Pending:
    """Wait for the first of ``count`` clocks and descriptors."""
    if not 0 < count <= _SUBSCRIPTIONS_MAX:
        return Errno.INVAL
    return _Poll(vm, subscriptions, events, count).counted_at(event_count)


def fd_read(vm: GuestVm, fd: int, vectors: int, count: int, got: int) -> int | Pending:
    """Read a file, the console, or a device file."""
    file = vm.files.get(fd)
    if file is None:
        return Errno.BADF
    if isinstance(file, DeviceFile):
        memory = vm.memory
        address, size = memory.unpack(_VECTOR, vectors) if count else (0, 0)
        memory.require(address, size)
        result = file.handler(vm, address, size)
        if isinstance(result, Wait):
            return _DeviceWait(result, got)
        memory.write_u32(got, result)
        return Errno.SUCCESS
    if isinstance(file, InputStream):
        return _StdinRead(vm.files.vectors(vectors, count), got)
    return vm.files.read_file(file, vectors, count, got)


def host_call(  # noqa: PLR0917 - the import's own signature
    vm: GuestVm,
    name_at: int,
    name_size: int,
    payload_at: int,
    payload_size: int,
    target: int,
    capacity: int,
) -> int | Pending:
    """Serve ``host.call(name, payload)``; a negative result raises RuntimeError in the guest."""
    handler = vm.handlers.get(vm.memory.read(name_at, name_size))
    if handler is None:
        return -1
    try:
        result = handler(vm, vm.memory.read(payload_at, payload_size))
    except (HandlerRefused, OSError):
        return -1
    if isinstance(result, Wait):
        return _HostWait(result, target, capacity)
    return _host_result(vm, result, target, capacity) if result else 0


def _host_result(vm: GuestVm, value: bytes, target: int, capacity: int) -> int:
    if len(value) <= capacity:  # else the guest raises ValueError: result too large
        vm.memory.write(target, value)
    return len(value)


def _limit_ns(vm: GuestVm, wait_us: int) -> int | None:
    return None if wait_us in (-1, _NO_LIMIT_US) else vm.now_ns() + wait_us * 1000


def sleep_handler(vm: GuestVm, payload: bytes) -> Wait:
    """``host.call("sleep", "<us>")``: "" after that time, or earlier for a callback."""
    return Wait(deadline_ns=_limit_ns(vm, _decimal(payload)))


def wait_handler(vm: GuestVm, payload: bytes) -> bytes | Wait:
    """``host.call("wait", "<us>")``: "1" as soon as console input is unread, else ""."""

    def readable() -> bytes | None:
        return b"1" if vm.stdin_is_readable else None

    return Wait(deadline_ns=_limit_ns(vm, _decimal(payload)), on_stdin=True, ready=readable)


def wait_device(vm: GuestVm, address: int, size: int) -> int | Wait:
    """``/dev/wait``: as "wait", without allocating in the guest.

    The buffer holds the microseconds as a little-endian word, all ones for no limit; its first
    byte becomes 1 if console input is unread, else 0.
    """
    limit = _limit_ns(vm, vm.memory.read_u32(address)) if size >= 4 else vm.now_ns()

    def readable() -> int | None:
        flag = vm.stdin_is_readable
        vm.memory.write(address, b"\1" if flag else b"\0")
        return size if flag else None

    return Wait(deadline_ns=limit, on_stdin=True, ready=readable, early=size)


def _decimal(payload: bytes) -> int:
    try:
        return max(int(payload), -1)
    except ValueError:
        raise HandlerRefused from None
