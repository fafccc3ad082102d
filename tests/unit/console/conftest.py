"""A port and a folder for announcements, one of each a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from console_bench import Speaker, short_runtime, speaker


@pytest.fixture(autouse=True)
def _runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with short_runtime(monkeypatch):
        yield


@pytest.fixture
def board() -> Iterator[Speaker]:
    """Return a port to speak on."""
    with speaker() as found:
        yield found
