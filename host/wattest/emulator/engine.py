"""The compiled machine with its imports linked: made once per process, shared by all guests."""

from __future__ import annotations

import platform
from ctypes import byref, c_void_p
from importlib.metadata import version
from pathlib import Path

import wasmtime

from wattest.emulator import artifact, runtime
from wattest.emulator.imports import define_imports
from wattest.errors import EmulatorError

MEMORY_BYTES_MAX = 4 << 20
"""Most linear memory of one guest: its heap, the machine's own data, a ROM image."""

_SETTINGS = {
    "cranelift_nan_canonicalization": True,  # the same float bits on every host
    "parallel_compilation": False,  # no thread pool in any process
    # Address space instead of a bounds check at every access: 15 to 20 % faster guests. Nothing
    # of it is memory until it is touched; a thousand guests reserve 4 of 128 TiB.
    "memory_reservation": 4 << 30,
    "memory_guard_size": 32 << 20,
    "memory_may_move": False,  # callbacks keep the base address
    # MicroPython must notice deep recursion itself, so the engine's limit lies far beyond.
    "max_wasm_stack": 512 << 10,
}
_COMPILER_FLAGS = {
    # Each function on cache lines of its own: else one function's speed hangs on the size of those
    # before it, by a third for the collector.
    "log2_min_function_alignment": "6",
}
_FIBER_STACK_BYTES = 1 << 20  # the rest is for callbacks, which run on the fiber

_loaded: dict[Path, Engine] = {}


def new_wasmtime_engine() -> wasmtime.Engine:
    """Return a wasmtime engine with the settings all guests need."""
    config = wasmtime.Config()
    for name, value in _SETTINGS.items():
        setattr(config, name, value)
    for flag, text in _COMPILER_FLAGS.items():
        runtime.set_compiler_flag(runtime.address(config), flag.encode(), text.encode())
    runtime.set_async_stack_size(runtime.address(config), _FIBER_STACK_BYTES)
    return wasmtime.Engine(config)


class Engine:
    """The machine, ready to be instantiated.

    Attributes:
        wasmtime_engine: for making stores.
        instance_pre: ``wasmtime_instance_pre_t*``.
    """

    def __init__(self, wasmtime_engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self.wasmtime_engine = wasmtime_engine
        self._module = module
        self._linker = wasmtime.Linker(wasmtime_engine)
        self._callbacks = define_imports(self._linker, module.imports)
        self.instance_pre = c_void_p()
        runtime.check(
            runtime.linker_instantiate_pre(
                runtime.address(self._linker), runtime.address(module), byref(self.instance_pre)
            )
        )


def load_engine(*, cache_dir: Path | None = None) -> Engine:
    """Return the machine, compiling it first if the cache does not have it.

    Args:
        cache_dir: cache folder; `artifact.default_cache_dir` if None.

    Raises:
        EmulatorError: unsupported Python or wasmtime, another artifact, an unusable cache.
    """
    artifact.require_supported_python()
    installed = version("wasmtime")
    if installed != runtime.WASMTIME_VERSION:
        raise EmulatorError(
            f"emulated boards need wasmtime {runtime.WASMTIME_VERSION}, found {installed}",
            hint=f"pip install wasmtime=={runtime.WASMTIME_VERSION}",
        )
    cache_dir = cache_dir or artifact.default_cache_dir()
    if cache_dir not in _loaded:
        _loaded[cache_dir] = _load(cache_dir)
    return _loaded[cache_dir]


def engine_settings() -> str:
    """Return everything about wasmtime that a compiled machine depends on, as text."""
    stack = f"fiber_stack={_FIBER_STACK_BYTES}"
    settings = f"{_SETTINGS} {_COMPILER_FLAGS}"
    return f"wasmtime {runtime.WASMTIME_VERSION} {platform.machine()} {settings} {stack}"


def _load(cache_dir: Path) -> Engine:
    artifact.read_artifact()
    engine = new_wasmtime_engine()
    key = artifact.cache_key(engine_settings())
    path = artifact.cached_file(cache_dir, key)
    if path is not None:
        try:
            return Engine(engine, wasmtime.Module.deserialize_file(engine, str(path)))
        except wasmtime.WasmtimeError:  # made on another CPU: build it again for this one
            path.unlink(missing_ok=True)
    path = artifact.build_in_helper(cache_dir, key)
    try:
        module = wasmtime.Module.deserialize_file(engine, str(path))
    except wasmtime.WasmtimeError as error:
        raise EmulatorError(f"cannot load the machine just compiled: {error}") from error
    return Engine(engine, module)
