"""The machine's own clock and chance: the only place where real time is read or waited for."""

from __future__ import annotations

import os
import time

_NS_PER_S = 1_000_000_000


def monotonic_ns() -> int:
    """Return a clock that never goes back, ns since some moment."""
    return time.monotonic_ns()


def utc_ms() -> int:
    """Return this machine's UTC, ms since 1970."""
    return time.time_ns() // 1_000_000


def wait_ns(duration_ns: int) -> None:
    """Let ``duration_ns`` of real time pass."""
    time.sleep(max(duration_ns, 0) / _NS_PER_S)


def entropy(size_bytes: int) -> bytes:
    """Return random bytes from the operating system, fit for keys."""
    return os.urandom(size_bytes)
