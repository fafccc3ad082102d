"""Glue between the machine's imports and `GuestVm`: one C callback for each import.

Callbacks are made once per process and shared by all guests; `runtime.current` names the guest
that is running. An exception must not unwind through C: it is kept in the guest and returned as
a trap, which unwinds the guest cleanly.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from wattest.emulator import runtime, waits
from wattest.emulator.artifact import YIELD_IMPORT
from wattest.emulator.runtime import RAW_STRIDE, VALUE_OFFSET, VALUE_STRIDE, current
from wattest.emulator.wasi_abi import Errno, from_os_error

_ASYNC: dict[str, Callable[..., Any]] = {
    "poll_oneoff": waits.poll_oneoff,
    "fd_read": waits.fd_read,
    "host_call": waits.host_call,
}
_PROCESS = frozenset(
    ("args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "host_result_cap")
) | {"proc_exit"}


def define_imports(linker: Any, imports: Any) -> list[Any]:
    """Define every import of the machine in ``linker``.

    Args:
        linker: a `wasmtime.Linker`.
        imports: the module's imports.

    Returns:
        The callback objects; they must outlive the linker.
    """
    callbacks = []
    for item in imports:
        if item.name == YIELD_IMPORT:
            callback = runtime.AsyncCallback(_yield_callback)
            define = runtime.define_async
        elif item.name in _ASYNC:
            callback = runtime.AsyncCallback(_async_callback(_ASYNC[item.name], item.type))
            define = runtime.define_async
        else:
            callback = runtime.RawCallback(_raw_callback(item.name, item.type))
            define = runtime.define_raw
        module, name = item.module.encode(), item.name.encode()
        runtime.check(
            define(
                runtime.address(linker),
                module,
                len(module),
                name,
                len(name),
                runtime.address(item.type),
                callback,
                None,
                None,
            )
        )
        callbacks.append(callback)
    return callbacks


def _fail(error: BaseException) -> int:
    vm = current.vm
    assert vm is not None
    vm.failure = error
    return runtime.new_trap(str(error))


def _reader(kind: Any) -> Callable[[Any], list[int]]:
    """Return a function that takes an import's arguments out of the raw words."""
    words = RAW_STRIDE * len(kind.params)
    if not words:
        return lambda _raw: []  # a ctypes slice with a step is never empty
    wide = [place for place, parameter in enumerate(kind.params) if str(parameter) == "i64"]

    def read(raw: Any) -> list[int]:
        values: list[int] = raw[0:words:RAW_STRIDE]
        for place in wide:
            values[place] |= raw[RAW_STRIDE * place + 1] << 32
        return values

    return read


def _raw_callback(name: str, kind: Any) -> Callable[..., int]:
    if name == "clock_time_get":
        return _clock_callback
    owner = "process" if name in _PROCESS else "files"
    read = _reader(kind)

    def callback(_environment: int, _caller: int, raw: Any, _count: int) -> int:
        try:
            vm = current.vm
            assert vm is not None
            vm.clock_is_old = True
            raw[0] = getattr(getattr(vm, owner), name)(*read(raw))
            vm.stop_if_doomed()
        except OSError as error:
            raw[0] = from_os_error(error)
        except UnicodeError:
            raw[0] = Errno.ILSEQ
        except BaseException as error:  # noqa: BLE001 - must not unwind through C
            return _fail(error)
        return 0

    return callback


def _clock_callback(_environment: int, _caller: int, raw: Any, _count: int) -> int:
    try:
        vm = current.vm
        assert vm is not None
        vm.clock_is_old = True
        time_ns = vm.now_ns() + vm.clock_offset_ns(raw[0])
        vm.memory.write_u64(raw[2 * RAW_STRIDE], time_ns)
        raw[0] = 0
    except BaseException as error:  # noqa: BLE001 - must not unwind through C
        return _fail(error)
    return 0


def _next_turn(_environment: int) -> bool:
    vm = current.vm
    assert vm is not None
    vm.gave_up_turn = not vm.gave_up_turn  # asked at once, and again in the next turn
    return vm.gave_up_turn


def _resume(_environment: int) -> bool:
    vm = current.vm
    assert vm is not None
    try:
        result = vm.finish_pending()
        if result is None:
            return False
        vm.stop_if_doomed()
        vm.pending_result[VALUE_OFFSET] = result & 0xFFFFFFFF
    except BaseException as error:  # noqa: BLE001 - must not unwind through C
        vm.pending_trap[0] = _fail(error)
    vm.end_pending()
    return True


_CONTINUATIONS = tuple(map(runtime.Continuation, (_resume, _next_turn)))
_RESUME, _NEXT_TURN = (ctypes.cast(c, ctypes.c_void_p).value for c in _CONTINUATIONS)
# Most calls can go on at once. Any C function that gives 1 says so, without a way through Python.
_AT_ONCE = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p).value


def _yield_callback(
    _environment: int,
    _caller: int,
    _raw: Any,
    _count: int,
    results: Any,
    _result_count: int,
    _trap: Any,
    continuation: Any,
) -> None:
    results[0] = results[VALUE_OFFSET] = 0
    continuation[0], continuation[1], continuation[2] = _NEXT_TURN, 0, 0


def _async_callback(start: Callable[..., Any], kind: Any) -> Callable[..., None]:
    words = VALUE_STRIDE * len(kind.params)

    def callback(
        _environment: int,
        _caller: int,
        raw: Any,
        _count: int,
        results: Any,
        _result_count: int,
        trap: Any,
        continuation: Any,
    ) -> None:
        vm = current.vm
        assert vm is not None
        vm.clock_is_old = True
        results[0] = 0  # the value's kind: i32
        continuation[0], continuation[1], continuation[2] = _AT_ONCE, 0, 0
        result: Any = 0
        try:
            result = start(vm, *raw[VALUE_OFFSET : words + VALUE_OFFSET : VALUE_STRIDE])
            vm.stop_if_doomed()
            if not isinstance(result, int):
                pending, result = result, result.finish(vm)
                if result is None and vm.has_unseen_poke():
                    result = pending.finish(vm)
                if result is None:
                    vm.begin_pending(pending, results, trap)
                    continuation[0] = _RESUME
                    return
        except OSError as error:
            result = from_os_error(error)
        except BaseException as error:  # noqa: BLE001 - must not unwind through C
            trap[0] = _fail(error)
            result = 0
        results[VALUE_OFFSET] = result & 0xFFFFFFFF

    return callback
