"""The few functions of the wasmtime C API that guests need, through ctypes.

The package's own bindings convert every argument of every call; a guest makes thousands of
calls a second, so imports are raw callbacks here (about 1 us instead of 40). Guests run as
wasmtime *fibers*: a call that must wait suspends the fiber, and the thread runs another board.
A Python callback returns before its fiber switches, so no Python frame spans a suspension.

Everything here is for exactly one version of wasmtime.
"""

from __future__ import annotations

import ctypes
import threading
from ctypes import POINTER, c_bool, c_char_p, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

from wasmtime import _bindings, _ffi

if TYPE_CHECKING:
    from wattest.emulator.guest import GuestVm

WASMTIME_VERSION = "50.0.1"

_library = ctypes.CDLL(_ffi.dll._name)  # noqa: SLF001

RawCallback = ctypes.CFUNCTYPE(c_size_t, c_size_t, c_size_t, POINTER(c_uint32), c_size_t)
"""(environment, caller, arguments and results of 16 bytes each, count) -> trap or 0."""

AsyncCallback = ctypes.CFUNCTYPE(
    None,
    c_size_t,
    c_size_t,
    POINTER(c_uint32),  # arguments
    c_size_t,
    POINTER(c_uint32),  # results
    c_size_t,
    POINTER(c_size_t),  # trap, out
    POINTER(c_size_t),  # continuation (callback, environment, finalizer), out
)
Continuation = ctypes.CFUNCTYPE(c_bool, c_size_t)
"""(environment) -> whether the call can go on; asked at every poll of the fiber."""

RAW_STRIDE = 4
"""A raw argument takes 16 bytes: four 32-bit words."""

VALUE_STRIDE = ctypes.sizeof(_bindings.wasmtime_val_t) // 4
VALUE_OFFSET = _bindings.wasmtime_val_t.of.offset // 4
"""Where the number of a ``wasmtime_val_t`` is, in 32-bit words."""


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library, name)
    function.restype = result
    function.argtypes = list(arguments)
    return function


_define = (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p)
define_raw = _function(
    "wasmtime_linker_define_func_unchecked", c_void_p, *_define, RawCallback, c_void_p, c_void_p
)
define_async = _function(
    "wasmtime_linker_define_async_func", c_void_p, *_define, AsyncCallback, c_void_p, c_void_p
)
linker_instantiate_pre = _function(
    "wasmtime_linker_instantiate_pre", c_void_p, c_void_p, c_void_p, c_void_p
)
instantiate_async = _function(
    "wasmtime_instance_pre_instantiate_async", c_void_p, *(c_void_p,) * 5
)
call_async = _function(
    "wasmtime_func_call_async",
    c_void_p,
    *(c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p),
)
future_poll = _function("wasmtime_call_future_poll", c_bool, c_void_p)
future_delete = _function("wasmtime_call_future_delete", None, c_void_p)
global_get = _function("wasmtime_global_get", None, c_void_p, c_void_p, c_void_p)
global_set = _function("wasmtime_global_set", c_void_p, c_void_p, c_void_p, c_void_p)
memory_size = _function("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)
memory_base = _function("wasmtime_memory_data", c_size_t, c_void_p, c_void_p)
memory_grow = _function(
    "wasmtime_memory_grow", c_void_p, c_void_p, c_void_p, c_uint64, POINTER(c_uint64)
)
export_get = _function(
    "wasmtime_instance_export_get", c_bool, c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
set_async_stack_size = _function("wasmtime_config_async_stack_size_set", None, c_void_p, c_size_t)
set_compiler_flag = _function(
    "wasmtime_config_cranelift_flag_set", None, c_void_p, c_char_p, c_char_p
)
_trap_new = _function("wasmtime_trap_new", c_size_t, c_char_p, c_size_t)
_trap_message = _function("wasm_trap_message", None, c_void_p, c_void_p)
_trap_delete = _function("wasm_trap_delete", None, c_void_p)
_error_message = _function("wasmtime_error_message", None, c_void_p, c_void_p)
_error_delete = _function("wasmtime_error_delete", None, c_void_p)
_bytes_delete = _function("wasm_byte_vec_delete", None, c_void_p)


class _Current(threading.local):
    """The guest that runs in this thread: callbacks are shared by all guests and ask here."""

    vm: GuestVm | None = None


current = _Current()


def address(managed: Any) -> c_void_p:
    """Return the C pointer behind an object of the wasmtime package."""
    return ctypes.cast(managed.ptr(), c_void_p)


def new_trap(text: str) -> int:
    """Make a trap with message ``text``; the callee it is returned to owns it."""
    message = text.encode("utf-8", "replace")
    trap: int = _trap_new(message, len(message))
    return trap


def _take_text(reader: Any, deleter: Any, pointer: c_void_p) -> str:
    text = _bindings.wasm_byte_vec_t()
    reader(pointer, ctypes.byref(text))
    message = ctypes.string_at(text.data, text.size).decode("utf-8", "replace").rstrip("\0")
    _bytes_delete(ctypes.byref(text))
    deleter(pointer)
    return message


def take_trap(trap: c_void_p) -> str:
    """Return the message of ``trap`` and free it."""
    return _take_text(_trap_message, _trap_delete, trap)


def take_error(error: c_void_p) -> str:
    """Return the message of a wasmtime error and free it."""
    return _take_text(_error_message, _error_delete, error)


def check(error: int | None) -> None:
    """Raise `MemoryError` or `RuntimeError` for a C call that returned an error object."""
    if error:
        raise RuntimeError(take_error(c_void_p(error)))
