"""Makes the node's modules importable under CPython, and time on a node settable."""

import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TICKS_PERIOD = 1 << 30
FIRMWARE = HERE.parent.parent / "firmware"

for folder in (HERE, HERE / "fakes", FIRMWARE):
    sys.path.insert(0, str(folder))


def ticks_diff(left: int, right: int) -> int:
    half = TICKS_PERIOD // 2
    return (left - right + half) % TICKS_PERIOD - half


def ticks_add(ticks: int, delta: int) -> int:
    return (ticks + delta) % TICKS_PERIOD


class Ticks:
    """The node's tick counter, moved by the test."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms % TICKS_PERIOD


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    counter = Ticks()
    monkeypatch.setattr(time, "ticks_ms", counter, raising=False)
    monkeypatch.setattr(time, "ticks_diff", ticks_diff, raising=False)
    monkeypatch.setattr(time, "ticks_add", ticks_add, raising=False)
    return counter


@pytest.fixture(scope="session")
def table() -> bytes:
    """The comb table the host builds, 32 KB."""
    from wattest.flashing import p256_table

    return p256_table(32_768)
