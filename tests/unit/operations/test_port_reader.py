"""The thread that reads a port: whatever fails, it says so and looks for the port again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wattest.errors import ConfigError, LinkClosed, LinkError, StoreError, WattestError
from wattest.link import Port
from wattest.operations.live import reader as reader_module
from wattest.operations.live.reader import (
    REPORTS_AT_ONCE,
    Inbox,
    PortLost,
    PortOpened,
    PortRead,
    PortReader,
)

GIVE_UP_S = 20.0


class Line(Port):
    """A port that does a list of things, then says nothing."""

    def __init__(self, *happens: bytes | WattestError) -> None:
        self.address = "PORT"
        self._happens = list(happens)

    def read(self, size: int, deadline_s: float) -> bytes:
        del size, deadline_s
        first = self._happens.pop(0) if self._happens else b""
        if isinstance(first, WattestError):
            raise first
        return first

    def close(self) -> None:
        """Nothing to let go."""


def opener(*finds: Port | WattestError) -> Callable[[], Port]:
    left = list(finds)

    def reopen() -> Port:
        found = left.pop(0)
        if isinstance(found, WattestError):
            raise found
        return found

    return reopen


@pytest.mark.parametrize(
    "lost", [LinkClosed("vanished"), StoreError("the recorder's log cannot be read")], ids=type
)
@pytest.mark.parametrize(
    "away", [LinkError("no such port"), ConfigError("recorded by another user")], ids=type
)
def test_port_is_looked_for_again_whatever_became_of_it(
    lost: WattestError, away: WattestError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "RETRY_S_MIN", 0.0)
    inbox = Inbox()
    reopen = opener(away, Line(b"again"))
    reader = PortReader("node", Line(b"first", lost), reopen=reopen, inbox=inbox)
    reader.start()
    seen = []
    while not seen or seen[-1] != PortRead(lane="node", data=b"again"):
        new = list(inbox.take(GIVE_UP_S))
        assert new, "the reader has given up"
        seen += new
    reader.stop()
    kinds = [type(report) for report in seen]
    assert kinds == [PortOpened, PortRead, PortLost, PortOpened, PortRead]
    assert seen[2] == PortLost(lane="node", error=lost)


def test_flood_of_one_port_leaves_a_turn_to_others_and_loses_nothing() -> None:
    inbox = Inbox()
    sent = [PortRead(lane="node", data=b"%d" % number) for number in range(REPORTS_AT_ONCE + 5)]
    for report in sent:
        inbox.put(report)
    first = list(inbox.take(GIVE_UP_S))
    assert len(first) == REPORTS_AT_ONCE
    assert first + list(inbox.take(GIVE_UP_S)) == sent
    assert list(inbox.take(0.0)) == []
