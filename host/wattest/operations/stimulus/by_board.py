"""Plays a scenario's load through a second board that runs ``firmware/stimulus/``."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from wattest.errors import ConfigError, LinkError, LinkTimeout
from wattest.operations.console.attached import open_or_attach
from wattest.operations.control import RunControl
from wattest.operations.stimulus.common import (
    PlayOptions,
    RealClock,
    choose_node,
    logged,
    play_log,
)
from wattest.operations.stimulus.player import Applied, Began, Clock, Flow, Played, play
from wattest.scenario import LoadProfile, PreparedNode
from wattest.units import NS_PER_S, format_decimal

STARTS = "wattest-stimulus starts"
STEP_NS_MAX = 20 * NS_PER_S
"""A board stops by itself when it hears nothing for a minute."""

_ANSWER_S = 2.0
_TRIES = 3
_READ_BYTES = 4096
_LINE_MAX = 4096
_UW_PER_MILLIWATT = 1000
_SETTLE_NS = NS_PER_S


class Talk(Protocol):
    """What is needed of a port."""

    address: str

    def read(self, size: int, deadline_s: float, /) -> bytes:
        """Return what has arrived, or nothing at a moment of ``time.monotonic()``."""
        ...

    def write(self, data: bytes, /) -> None:
        """Send all of ``data``."""
        ...


class StimulusBoard:
    """A board that plays powers.

    Args:
        port: where it is.

    Attributes:
        identity: role and chip, for people.
        lowest, highest: powers that it can play, mW, import positive.
        resets: how often it has started anew since; what it played until then is kept here.

    Raises:
        LinkError: nothing answers there, or something else does.
    """

    def __init__(self, port: Talk) -> None:
        self._port = port
        self._received = b""
        self._milliwh_before = self._milliwh = self.resets = 0
        words = self._ask("?", "ID ").split()
        self.resets = 0  # it may just have been switched on
        try:
            _, role, chip, lowest, highest = words
            self.lowest, self.highest = int(lowest), int(highest)
        except ValueError:
            raise LinkError(
                f"{port.address}: a stimulus board expected, got {' '.join(words)!r}"
            ) from None
        self.identity = f"stimulus board {chip}, role {role}"

    @property
    def milliwh(self) -> int:
        """Energy that it says it played, mWh, import positive, as of its last answer."""
        return self._milliwh_before + self._milliwh

    def apply(self, power_uw: int) -> Flow | None:
        """Play a level, to the nearest milliwatt; it measures nothing.

        Raises:
            LinkError: it is gone, or refuses.
        """
        # Of one length, so that large powers are not under way longer than small ones.
        answer = self._ask(f"P {round(Fraction(power_uw, _UW_PER_MILLIWATT)):+011d}", "OK ")
        try:
            milliwh = int(answer[len("OK ") :])
        except ValueError:
            raise LinkError(
                f"{self._port.address}: played energy expected, got {answer!r}"
            ) from None
        self._milliwh = milliwh
        return None

    def _ask(self, line: str, wanted: str) -> str:
        """Send a line until it is answered: a board that starts anew loses what it is sent."""
        self._look_for_resets()
        for _ in range(_TRIES):
            self._port.write(f"{line}\n".encode("ascii"))
            deadline_s = time.monotonic() + _ANSWER_S
            while (answer := self._line(deadline_s)) is not None:
                if answer.startswith(wanted):
                    return answer
                if answer.startswith(STARTS):
                    self._note_reset()
                    break
                if answer.startswith("ERR "):
                    raise LinkError(f"{self._port.address}: {line}: {answer[4:]}")
        raise LinkTimeout(
            f"{self._port.address}: an answer to {line} expected of a stimulus board",
            deadline_s=_ANSWER_S,
            received_bytes=len(self._received),
        )

    def _look_for_resets(self) -> None:
        while (line := self._line(time.monotonic())) is not None:
            if line.startswith(STARTS):
                self._note_reset()

    def _note_reset(self) -> None:
        self.resets += 1
        self._milliwh_before += self._milliwh
        self._milliwh = 0

    def _line(self, deadline_s: float) -> str | None:
        while b"\n" not in self._received:
            data = self._port.read(_READ_BYTES, deadline_s)
            if not data:
                return None
            self._received = (self._received + data)[-_LINE_MAX:]
        line, _, self._received = self._received.partition(b"\n")
        return line.decode("ascii", "replace").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPlayOptions(PlayOptions):
    """What to play, and through which board; the step is at most `STEP_NS_MAX`.

    Args:
        port: what `wattest.link.open_port` takes; a port that is recorded is shared.
    """

    port: str


def play_through_board(
    options: BoardPlayOptions, control: RunControl
) -> Generator[Began | Applied | Played]:
    """Play until the end or until ``control`` says stop; nothing is played afterwards.

    Yields:
        `Began`, then `Applied` each level, `Played` last.

    Raises:
        ConfigError: load, step and board do not fit; nothing was played.
        LinkError: the board is not there, is something else, or refuses.
        StoreError: the log cannot be written.
    """
    if options.step_ns > STEP_NS_MAX:
        raise ConfigError("at most 20s expected with a stimulus board", path="--step")
    node = choose_node(options.scenario, options.node)
    with ExitStack() as stack:
        board = StimulusBoard(stack.enter_context(open_or_attach(options.port)))
        check_range(node, board)
        log = stack.enter_context(play_log(options.out))
        duration_ns = options.length_ns
        yield Began(identity=board.identity, load=node.load.label, duration_ns=duration_ns)
        events = play_on_board(
            node.load,
            board,
            RealClock(control),
            duration_ns=duration_ns,
            step_ns=options.step_ns,
            stopped=lambda: control.stopped,
        )
        yield from logged(stack.enter_context(closing(events)), log)


def play_on_board(
    load: LoadProfile,
    board: StimulusBoard,
    clock: Clock,
    *,
    duration_ns: int,
    step_ns: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Applied | Played]:
    """Play, and let the board say in the end what it played; it is at 0 W whatever happens.

    Yields:
        `Applied` each level, `Played` last: what flowed is what the board says.

    Raises:
        LinkError: the board is gone, or refuses.
    """
    began_milliwh = board.milliwh
    ended = None
    try:
        for event in play(
            load, board, clock, duration_ns=duration_ns, step_ns=step_ns, stopped=stopped
        ):
            if isinstance(event, Applied):
                yield event
            else:
                ended = event
        assert ended is not None, "playing ends with Played"
        board.apply(0)
        clock.wait_until(clock.now_ns() + _SETTLE_NS)  # the last pulse ends
        board.apply(0)
    finally:
        with suppress(LinkError):
            board.apply(0)
    flowed = Fraction(board.milliwh - began_milliwh, 1000)
    yield replace(ended, flowed_wh=flowed, resets=board.resets)


def check_range(node: PreparedNode, board: StimulusBoard) -> None:
    """Refuse before anything is played what the board could not play on the way.

    Raises:
        ConfigError: the load goes beyond what the board plays.
    """
    power = node.load.power
    lowest_uw, highest_uw = (limit * _UW_PER_MILLIWATT for limit in (board.lowest, board.highest))
    if lowest_uw <= power.minimum and power.maximum <= highest_uw:
        return
    low, high, minimum, maximum = (
        format_decimal(Fraction(value) / 10**6, 1)
        for value in (lowest_uw, highest_uw, power.minimum, power.maximum)
    )
    raise ConfigError(
        f"{low} to {high} W expected, which this stimulus board plays, "
        f"got {minimum} to {maximum} W",
        path=f"load of {node.spec.name}",
        hint="scale the load in the scenario, or set the board up for another meter constant",
    )
