"""One running MicroPython machine: a wasm instance on a fiber, with a local clock.

A `GuestVm` is what lies between two resets of a board. It runs only inside `GuestVm.poll`, until
it blocks, ends, or has used its fuel slice, and it knows no time but its own: what it computes
costs fuel, fuel is time, and waiting moves the clock to the deadline. Same seed, same inputs at
the same local times: the same fuel to the unit and the same bytes out.

Nothing a guest does leaves `poll` as an exception: a crash, a wild pointer, an endless loop cut
short or a power cut all become an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wattest.emulator import waits
from wattest.emulator.engine import Engine
from wattest.emulator.entropy import EntropyStream
from wattest.emulator.filesystem_port import FileSystem, NoFileSystem
from wattest.emulator.instance import Instance
from wattest.emulator.layout import Scheduler
from wattest.emulator.outcome import Outcome, StopGuest, outcome_of
from wattest.emulator.process import Process
from wattest.emulator.runtime import current
from wattest.emulator.waits import HandlerRefused, Pending, Wait
from wattest.emulator.wasi_abi import CLOCK_REALTIME
from wattest.emulator.wasi_files import OpenFiles

__all__ = ["GuestVm", "HandlerRefused", "Outcome", "StopGuest", "Wait"]

NS_PER_FUEL = 11
"""Virtual nanoseconds one unit of fuel takes: about the bytecode speed of an ESP32 at 240 MHz."""

SLICE_NS = 1_000_000
"""How long a busy guest runs if nobody says how far it may."""

_BOOT_SLICE_NS = 100_000
_DEFAULT_UNIX_OFFSET_NS = 1_700_000_000_000_000_000

Handler = Callable[["GuestVm", bytes], "bytes | Wait | None"]
"""Serves ``host.call(name, payload)``; the result must be UTF-8."""

DeviceHandler = Callable[["GuestVm", int, int], "int | Wait"]
"""Serves reads of ``/dev/<name>``: (vm, address of the buffer, its size) -> bytes filled."""


class GuestVm:
    """One machine, from power-on to its end.

    Args:
        engine: from `load_engine`.
        arguments: the command line, ``["micropython", "-X", "heapsize=128k", "-c", SCRIPT]``.
        filesystem: mounted at ``/``; an empty one if None.
        handlers: ``host.call`` name -> handler; "sleep" and "wait" are built in.
        devices: name below ``/dev`` -> handler; "wait" is built in.
        on_output: called with (bytes, local ns) at each write to standard output or error.
        seed: of ``/dev/urandom``.
        start_ns: the local clock at power-on.
        ticks_origin_ns: local time at which ``time.ticks_ms()`` is 0; ``start_ns`` if None.
        unix_offset_ns: ``time.time()`` is the local clock plus this.
        result_capacity_bytes: largest ``host.call`` result; taken from the guest's heap.
        stack_limit_bytes: depth at which the guest raises RuntimeError, at most 60 000.

    Attributes:
        outcome: how it ended, or None.
        stdin: console input the guest has not read.
        cause: why its wait is to end early, if it is.
        entropy: what its ``/dev/urandom`` gives.
        clock_is_old: it has computed since its clock was read; for the imports.
        gave_up_turn: no turn began since it handed the thread back; for the imports.

    Raises:
        EmulatorError: there is no memory for another instance.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        arguments: Sequence[str],
        filesystem: FileSystem | None = None,
        handlers: Mapping[bytes, Handler] | None = None,
        devices: Mapping[str, DeviceHandler] | None = None,
        on_output: Callable[[bytes, int], None] | None = None,
        seed: bytes = b"",
        start_ns: int = 0,
        ticks_origin_ns: int | None = None,
        unix_offset_ns: int = _DEFAULT_UNIX_OFFSET_NS,
        result_capacity_bytes: int = 1024,
        stack_limit_bytes: int = 60_000,
    ) -> None:
        self.outcome: Outcome | None = None
        self.stdin = bytearray()
        self.unix_offset_ns = unix_offset_ns
        self.ticks_origin_ns = start_ns if ticks_origin_ns is None else ticks_origin_ns
        self.failure: BaseException | None = None
        self.pending_result: Any = None
        self.pending_trap: Any = None
        self._stdin_closed = False
        self._pending: Pending | None = None
        self._wake_ns: int | None = None
        self.cause = waits.CAUSE_NONE
        self._poked_while_busy = False
        self._running = False
        self._doom: str | None = None
        self._close_wanted = False
        self._base_ns = start_ns
        self._stack_limit_bytes = stack_limit_bytes
        self._on_output = on_output
        self._instance = Instance(engine)
        self.memory = self._instance.memory
        self._scheduler = Scheduler(self.memory)
        self._booted = False
        self.gave_up_turn = True
        self.clock_is_old = False
        self._computed_ns = 0
        self.handlers: dict[bytes, Handler] = {
            b"sleep": waits.sleep_handler,
            b"wait": waits.wait_handler,
        }
        self.handlers.update(handlers or {})
        self.process = Process(self.memory, arguments, result_capacity_bytes)
        self.entropy = EntropyStream(seed)
        self.files = OpenFiles(
            self.memory,
            filesystem or NoFileSystem(),
            {"wait": waits.wait_device, **(devices or {})},
            self.entropy,
            self._write_output,
        )

    @property
    def blocked(self) -> bool:
        """Whether it waits in a blocking call."""
        return self._pending is not None

    @property
    def waits_for_stdin(self) -> bool:
        """Whether console input would end its wait."""
        return self._pending is not None and self._pending.on_stdin

    @property
    def stdin_is_readable(self) -> bool:
        """Whether there is console input, or its end, to be read."""
        return bool(self.stdin) or self._stdin_closed

    @property
    def memory_bytes(self) -> int:
        """Size of its linear memory."""
        return self.memory.measure()

    def fuel_used(self) -> int:
        """Return the fuel used since power-on: its CPU time."""
        return self._instance.fuel_used()

    def now_ns(self) -> int:
        """Return the local clock."""
        if self.clock_is_old:
            self._computed_ns = self._instance.fuel_used() * NS_PER_FUEL
            self.clock_is_old = False
        return self._base_ns + self._computed_ns

    def clock_offset_ns(self, clock: int) -> int:
        """Return what WASI clock ``clock`` shows beyond the local clock."""
        return self.unix_offset_ns if clock == CLOCK_REALTIME else -self.ticks_origin_ns

    def next_ns(self) -> int | None:
        """Return when it wants to run: its clock if busy, its deadline if it waits.

        None if it waits for input only, or has ended.
        """
        if self.outcome is not None:
            return None
        if self._pending is None:
            return self.now_ns()
        due = self._pending.deadline_ns
        if self._wake_ns is not None and (due is None or self._wake_ns < due):
            due = self._wake_ns
        return None if due is None else max(due, self.now_ns())

    def advance(self, duration_ns: int) -> None:
        """Let time pass for the guest without computing: a bus or flash transfer."""
        self._base_ns += duration_ns

    def poll(self, until_ns: int | None = None) -> None:
        """Run from `next_ns` until it blocks, ends, or has computed up to ``until_ns``.

        Args:
            until_ns: local time; None for `SLICE_NS` from now. What it does by itself, as waiting
                for a bus, may take it beyond.

        Raises:
            KeyboardInterrupt: the person at the terminal, seen in one of our callbacks.
        """
        if self._pending is not None:
            due = self.next_ns()
            if due is None:
                return
            self._base_ns += due - self.now_ns()
        if self.outcome is not None:
            return
        outer, current.vm = current.vm, self
        self._running = True
        try:
            ended = self._instance.resume(self._slice_fuel(until_ns))
        finally:
            self._running = False
            self.clock_is_old = True
            current.vm = outer
        if self._doom is not None:
            self._meet_doom()
        elif ended:
            self._finish()
        elif not self._booted:
            self._finish_boot()

    def shorten(self, until_ns: int) -> None:
        """Let it run no further than ``until_ns`` in this `poll`; from inside its callbacks."""
        if self._running and self._booted:
            self._instance.shorten(self._slice_fuel(until_ns))

    def _slice_fuel(self, until_ns: int | None) -> int:
        if not self._booted:
            return _BOOT_SLICE_NS // NS_PER_FUEL
        slice_ns = SLICE_NS if until_ns is None else max(0, until_ns - self.now_ns())
        return slice_ns // NS_PER_FUEL + 1

    def feed(self, data: bytes, at_ns: int) -> None:
        """Give console input at world time ``at_ns``."""
        self.stdin += data
        if self.waits_for_stdin:
            self.notify(at_ns)

    def close_stdin(self, at_ns: int) -> None:
        """End the console input: reads return nothing once the rest is read."""
        self._stdin_closed = True
        if self.waits_for_stdin:
            self.notify(at_ns)

    def notify(self, at_ns: int) -> None:
        """Make a waiting guest look again, at world time ``at_ns``."""
        self._wake_ns = at_ns if self._wake_ns is None else min(at_ns, self._wake_ns)

    def interrupt(self, at_ns: int) -> None:
        """Raise KeyboardInterrupt in the guest, waiting or busy."""
        if self.outcome is None and self._booted:
            self._scheduler.raise_keyboard_interrupt()
            self._break_wait(waits.CAUSE_INTERRUPT, at_ns)

    def schedule_callback(self, object_id: int, argument: int, at_ns: int) -> bool:
        """Queue a callable of the guest, as an interrupt handler does; ends a wait early.

        Args:
            object_id: ``id()`` of a callable that the guest keeps alive.
            argument: small int passed to it.
            at_ns: world time.

        Returns:
            False if the queue of four is full or the guest has ended.
        """
        if self.outcome is not None or not self._booted:
            return False
        queued = self._scheduler.schedule(object_id, argument)
        self._break_wait(waits.CAUSE_CALLBACK, at_ns)
        return queued

    def kill(self, detail: str = "power off") -> None:
        """End it now, wherever it is.

        From inside one of its own callbacks it ends as soon as the callback returns.
        """
        if self._running:
            self._doom = self._doom or detail
            return
        outer, current.vm = current.vm, self
        try:
            self._instance.abandon()
        finally:
            current.vm = outer
        if self.outcome is None:
            self._end(Outcome(kind="killed", detail=detail))

    def close(self) -> None:
        """Free the instance; kills it first, as `kill` does."""
        self.kill("closed")
        if self._running:
            self._close_wanted = True
            return
        self._instance.close()

    def read(self, address: int, size: int) -> bytes:
        """Return a copy of guest memory; raises `WildPointer`, a ValueError."""
        return self.memory.read(address, size)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write guest memory; raises `WildPointer`, a ValueError."""
        self.memory.write(address, data)

    def view(self, address: int, size: int) -> memoryview:
        """Return guest memory in place; drop it before the guest runs again."""
        return self.memory.view(address, size)

    def grow(self, pages: int) -> int:
        """Add pages of 64 KiB to the memory before the first `poll`; return their address."""
        return self.memory.grow(pages)

    def stop_if_doomed(self) -> None:
        """Unwind the guest if a callback has killed it.

        Raises:
            StopGuest: it has.
        """
        if self._doom is not None:
            raise StopGuest(self._doom)

    def take_cause(self) -> int:
        """Return why the wait is to end early, and forget it."""
        cause, self.cause = self.cause, waits.CAUSE_NONE
        return cause

    def has_unseen_poke(self) -> bool:
        """Tell whether a guest about to block was interrupted just before, unseen.

        Without this an interrupt between the guest's last look and its wait would be lost until
        the wait ends. The cause is set, so that the wait ends at once.
        """
        if not self._poked_while_busy:
            return False
        self._poked_while_busy = False
        if self._scheduler.has_exception():
            self.cause = waits.CAUSE_INTERRUPT
        elif self._scheduler.has_callback():
            self.cause = waits.CAUSE_CALLBACK
        return self.cause != waits.CAUSE_NONE

    def begin_pending(self, pending: Pending, result: Any, trap: Any) -> None:
        """Block in ``pending``; its result goes to the C values given."""
        self._pending, self.pending_result, self.pending_trap = pending, result, trap
        self._wake_ns = None

    def finish_pending(self) -> int | None:
        """Ask the blocked call for its result."""
        assert self._pending is not None
        self._wake_ns = None
        return self._pending.finish(self)

    def end_pending(self) -> None:
        """The blocked call has its result."""
        self._pending = self.pending_result = self.pending_trap = None
        self.cause = waits.CAUSE_NONE

    def _write_output(self, data: bytes) -> None:
        if self._on_output is not None:
            self._on_output(data, self.now_ns())

    def _break_wait(self, cause: int, at_ns: int) -> None:
        if self._pending is None:
            self._poked_while_busy = True
            return
        self.cause = max(self.cause, cause)
        self.notify(at_ns)

    def _finish_boot(self) -> None:
        """Watch for the moment the machine has initialised itself.

        It sets a stack limit for a small stack; its frames are fatter here, and there is room.
        """
        if self._scheduler.is_initialised():
            self._booted = True
            self._scheduler.set_stack_limit(self._stack_limit_bytes)

    def _finish(self) -> None:
        message = self._instance.take_failure()
        failure, self.failure = self.failure, None
        self._end(outcome_of(failure, message))
        if failure is not None and not isinstance(failure, Exception):
            raise failure

    def _meet_doom(self) -> None:
        self._instance.abandon()
        self._instance.take_failure()
        failure, self.failure = self.failure, None
        self._end(Outcome(kind="killed", detail=self._doom or ""))
        if self._close_wanted:
            self._instance.close()
        if failure is not None and not isinstance(failure, Exception):
            raise failure

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._pending = self.pending_result = self.pending_trap = None
