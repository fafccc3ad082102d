"""One instance of the machine on its fiber: the C side of a guest.

An instance runs only inside `Instance.resume`. Its fuel is finite in name only; the yield
interval hands the thread back, at the same instruction every time.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_uint64, c_void_p
from typing import Any

import wasmtime
from wasmtime import _bindings

from wattest.emulator import runtime
from wattest.emulator.engine import MEMORY_BYTES_MAX, Engine
from wattest.emulator.guest_memory import GuestMemory
from wattest.errors import EmulatorError

_FUEL_MAX = 1 << 62


class Instance:
    """A fresh machine, about to start.

    Args:
        engine: the compiled machine.
        slice_fuel: fuel after which `resume` returns at the latest.

    Attributes:
        memory: its linear memory.

    Raises:
        EmulatorError: no memory for another one.
    """

    __slots__ = (
        "_context",
        "_error",
        "_fuel_left",
        "_fuel_pointer",
        "_future",
        "_start",
        "_store",
        "_trap",
        "memory",
    )

    def __init__(self, engine: Engine, *, slice_fuel: int) -> None:
        store = wasmtime.Store(engine.wasmtime_engine)
        store.set_limits(memory_size=MEMORY_BYTES_MAX)
        self._store: wasmtime.Store | None = store
        self._context = ctypes.cast(store._context(), c_void_p)  # noqa: SLF001
        self._fuel_left = c_uint64(_FUEL_MAX)
        self._fuel_pointer = byref(self._fuel_left)
        self._trap, self._error = c_void_p(), c_void_p()
        runtime.check(runtime.set_fuel(self._context, _FUEL_MAX))
        self.set_slice(slice_fuel)
        raw = self._instantiate(engine)
        self.memory = GuestMemory(self._context, self._export(raw, b"memory").memory)
        self._start = self._export(raw, b"_start").func
        call = (byref(self._start), None, 0, None, 0, byref(self._trap), byref(self._error))
        self._future: c_void_p | None = c_void_p(runtime.call_async(self._context, *call))

    def set_slice(self, fuel: int) -> None:
        """Set how much fuel `resume` may use."""
        runtime.check(runtime.set_fuel_yield_interval(self._context, fuel))

    def fuel_used(self) -> int:
        """Return the fuel used so far; the last value once it is closed."""
        if self._store is not None:
            runtime.get_fuel(self._context, self._fuel_pointer)
        return _FUEL_MAX - self._fuel_left.value

    def resume(self) -> bool:
        """Run until the machine blocks, yields or ends; return whether it has ended."""
        ended: bool = runtime.future_poll(self._future)
        if ended:
            self.abandon()
        return ended

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
        self.fuel_used()
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
