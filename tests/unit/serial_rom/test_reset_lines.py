"""DTR and RTS as flashing tools move them."""

from __future__ import annotations

import pytest

from wattest.emulator.serial_rom import Edge, ResetLines


def moved(*levels: tuple[int, int]) -> list[Edge]:
    """Move the lines of a port that was just opened; return what happened."""
    lines = ResetLines()
    edges = [lines.set(dtr=bool(dtr), rts=bool(rts)) for dtr, rts in levels]
    return [edge for edge in edges if edge is not None]


# (DTR, RTS); a port opens with both on.
CLASSIC = [(0, 1), (0, 1), (1, 1), (1, 0), (0, 0)]
UNIX_TIGHT = [(0, 0), (1, 1), (0, 1), (1, 0), (0, 0)]


@pytest.mark.parametrize("sequence", [CLASSIC, UNIX_TIGHT], ids=["classic", "unix-tight"])
def test_both_ways_into_download_mode_lead_there_once(sequence: list[tuple[int, int]]) -> None:
    assert moved(*sequence) == [Edge.HOLD, Edge.DOWNLOAD]


def test_rts_alone_down_and_up_is_a_reset_into_the_application() -> None:
    assert moved((0, 0), (0, 1), (0, 0)) == [Edge.HOLD, Edge.RUN]


def test_opening_and_closing_a_port_resets_nothing() -> None:
    assert moved((1, 1), (1, 0), (0, 0), (1, 0), (1, 1)) == []


def test_the_chip_stays_in_reset_until_the_lines_decide() -> None:
    lines = ResetLines()
    lines.set(dtr=False, rts=True)
    assert lines.set(dtr=True, rts=True) is None
    assert lines.set(dtr=False, rts=True) is None
    assert lines.set(dtr=False, rts=False) is Edge.RUN
