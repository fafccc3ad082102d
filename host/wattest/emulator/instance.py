"""One instance of the machine on its fiber: the C side of a guest.

An instance runs only inside `Instance.resume`, for one slice of fuel at most: the unit in which
the machine counts its own work (`spill.clock`). It hands the thread back at the same instruction
every time.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_void_p
from typing import Any

import wasmtime
from wasmtime import _bindings

from wattest.emulator import runtime
from wattest.emulator.engine import MEMORY_BYTES_MAX, Engine
from wattest.emulator.guest_memory import GuestMemory
from wattest.emulator.spill import clock
from wattest.errors import EmulatorError

_I64 = 1  # WASMTIME_I64, the kind of a wasmtime_val_t


class Instance:
    """A fresh machine, about to start.

    Args:
        engine: the compiled machine.

    Attributes:
        memory: its linear memory.

    Raises:
        EmulatorError: no memory for another one.
    """

    __slots__ = (
        "_context",
        "_error",
        "_future",
        "_global",
        "_granted",
        "_left",
        "_left_value",
        "_running",
        "_start",
        "_store",
        "_trap",
        "_used",
        "memory",
    )

    def __init__(self, engine: Engine) -> None:
        store = wasmtime.Store(engine.wasmtime_engine)
        store.set_limits(memory_size=MEMORY_BYTES_MAX)
        self._store: wasmtime.Store | None = store
        self._context = ctypes.cast(store._context(), c_void_p)  # noqa: SLF001
        self._granted = self._used = 0
        self._running = False
        value = _bindings.wasmtime_val_t(kind=_I64)
        self._left, self._left_value = byref(value), value.of
        self._trap, self._error = c_void_p(), c_void_p()
        raw = self._instantiate(engine)
        self._global = byref(self._export(raw, clock.EXPORT.encode()).global_)
        self.memory = GuestMemory(self._context, self._export(raw, b"memory").memory)
        self._start = self._export(raw, b"_start").func
        call = (byref(self._start), None, 0, None, 0, byref(self._trap), byref(self._error))
        self._future: c_void_p | None = c_void_p(runtime.call_async(self._context, *call))

    def fuel_used(self) -> int:
        """Return the fuel used so far."""
        if self._running:
            runtime.global_get(self._context, self._global, self._left)
            self._used = self._granted - self._left_value.i64
        return self._used

    def resume(self, slice_fuel: int) -> bool:
        """Run until the machine blocks, ends, or has used a slice.

        Returns:
            Whether it has ended.
        """
        self._left_value.i64 = slice_fuel
        self._granted = self._used + slice_fuel
        runtime.global_set(self._context, self._global, self._left)
        self._running = True
        try:
            ended: bool = runtime.future_poll(self._future)
            self.fuel_used()
        finally:
            self._running = False
        if ended:
            self.abandon()
        return ended

    def shorten(self, fuel: int) -> None:
        """Leave at most this much of the slice; from inside a callback of the machine."""
        left = self._granted - self.fuel_used()
        if fuel < left:
            self._granted -= left - fuel
            self._left_value.i64 = fuel
            runtime.global_set(self._context, self._global, self._left)

    def abandon(self) -> None:
        """Take the fiber down, wherever it stands."""
        future, self._future = self._future, None
        if future is not None:
            runtime.future_delete(future)

    def take_failure(self) -> str | None:
        """Return the message of the trap or error it ended with, once; None if there is none."""
        if self._trap:
            text = runtime.take_trap(self._trap)
        elif self._error:
            text = runtime.take_error(self._error)
        else:
            return None
        self._trap.value = self._error.value = None
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        first = lines[0] if lines else "trap"
        return next((line for line in lines if "wasm trap:" in line), first)

    def close(self) -> None:
        """Free everything."""
        self.abandon()
        self.memory.release()
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _instantiate(self, engine: Engine) -> Any:
        raw = _bindings.wasmtime_instance_t()
        out = (byref(raw), byref(self._trap), byref(self._error))
        future = runtime.instantiate_async(engine.instance_pre, self._context, *out)
        while not runtime.future_poll(future):
            pass
        runtime.future_delete(future)
        failure = self.take_failure()
        if failure is not None:
            store, self._store = self._store, None
            assert store is not None
            store.close()
            raise EmulatorError(
                f"no memory for another guest: {failure}", hint="run fewer boards at once"
            )
        return raw

    def _export(self, raw: Any, name: bytes) -> Any:
        item = _bindings.wasmtime_extern_t()
        found = runtime.export_get(self._context, byref(raw), name, len(name), byref(item))
        assert found
        return item.of
