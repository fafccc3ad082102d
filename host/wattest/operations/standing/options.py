"""What to keep up, where it can be reached, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from wattest.emulator.fronts.tcp import LOOPBACK
from wattest.operations.commission.home import Home
from wattest.scenario import Scenario

BoardLink = Literal["pty", "socket", "rfc2217", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardsOptions:
    """Which boards to start, and how.

    Args:
        scenario: nodes, boards, loads and interval; None: ``count`` boards with a household each.
        board: board file, when there is no scenario.
        count: how many, when there is no scenario.
        blank: their flash is erased: no interpreter, no firmware, no key.
        link: a pseudo terminal or a TCP port a board, or a collector in this program.
        host: interface that TCP ports listen on.
        port: TCP port of the first board, counted up from there; 0: any that are free.
        sniff_sync: on links without modem lines, the SYNC of a flashing tool leads into
            download mode.
        reset_on_hang_up: on links without modem lines, closing the port leads out of it.
        seed: of keys and chance; None: the kept one, or a new one.
        speed: seconds of the boards per real second; None: as fast as it goes, in memory only.
        out: folder to keep flash in, so that the boards come back with journal and key; or None.
        duration_s: time of the boards to stop after, or None.
        home: whose passports learn of the wear of kept flash; or None.
    """

    scenario: Scenario | None = None
    board: str = "emulated-esp32"
    count: int = 1
    blank: bool = False
    link: BoardLink = "pty"
    host: str = LOOPBACK
    port: int = 0
    sniff_sync: bool = True
    reset_on_hang_up: bool = True
    seed: int | None = None
    speed: Fraction | None = Fraction(1)
    out: Path | None = None
    duration_s: int | None = None
    home: Home | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardUp:
    """A board is up.

    Args:
        name: of the board on this bench.
        serial: what its node calls itself; ``""``: nothing on it has said so.
        address: what to open.
    """

    name: str
    serial: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardsReady:
    """All boards are up.

    Args:
        count: how many.
        state_file: names them to collectors, if there is anything to collect.
    """

    count: int
    state_file: Path | None
