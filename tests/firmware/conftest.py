"""Makes the node's modules importable under CPython, and time on a node settable."""

import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRMWARE = HERE.parent.parent / "firmware"

for folder in (HERE, HERE / "fakes", FIRMWARE):
    sys.path.insert(0, str(folder))


from node_ticks import Ticks, ticks_add, ticks_diff  # noqa: E402


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
