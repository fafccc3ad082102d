"""The hand on a running bench: what a person at a face may ask of it, from another thread."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from wattest.scenario import FRAME_LOST, RECOVERED, Fault, FaultKind
from wattest.units import NS_PER_S
from wattest.verify import FindingCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One fault asked for, on one node."""

    kind: FaultKind
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a fault looks like when a person asks for it: how long, which verdict, what beside."""

    expect: str
    for_ns: int | None = None
    also: tuple[FindingCode, ...] = ()


_AFTER_CLONE = (
    FindingCode.CHAIN_BREAK,
    FindingCode.GAP,
    FindingCode.LATE,
    FindingCode.REPLAY,
    FindingCode.REGISTER_BACKWARDS,
    FindingCode.REGISTERS_CHANGED,
    FindingCode.CLOCK_BACKWARDS,
    FindingCode.IMPLAUSIBLE,
)
_ASKABLE = {
    FaultKind.POWER_CUT: _Shape(expect=RECOVERED, for_ns=60 * NS_PER_S),
    FaultKind.UNPLUG: _Shape(expect=RECOVERED, for_ns=120 * NS_PER_S),
    FaultKind.FLIP_BIT: _Shape(expect=FRAME_LOST),
    FaultKind.FORGE: _Shape(expect=FindingCode.BAD_SIGNATURE.value),
    FaultKind.REPLAY: _Shape(expect=FindingCode.REPLAY.value),
    FaultKind.CLONE: _Shape(
        expect=FindingCode.FORK.value, for_ns=240 * NS_PER_S, also=_AFTER_CLONE
    ),
}
ASKABLE = tuple(_ASKABLE)
"""Faults a person may ask for at any time; each ends by itself and is judged like any other."""

_REPLAY_BACK = 3
_FORGED_BIT = 3


def asked_fault(request: Request, *, at_ns: int) -> Fault:
    """Return the fault behind a request, as a plan would state it.

    Args:
        request: its kind is one of `ASKABLE`.
        at_ns: when, since the run began.
    """
    shape = _ASKABLE[request.kind]
    return Fault(
        kind=request.kind,
        node=request.node,
        at_ns=at_ns,
        for_ns=shape.for_ns,
        expect=(shape.expect,),
        also=tuple(code.value for code in shape.also),
        back=_REPLAY_BACK if request.kind is FaultKind.REPLAY else 0,
        bit=_FORGED_BIT,
    )


class RunControl:
    """Thread-safe requests to a run; the run looks at it between slices of virtual time.

    Args:
        speed: virtual seconds per real second, or ``None`` for as fast as it goes.

    Attributes:
        speed: may be changed at any time.
        paused: while true, virtual time stands.
        stopped: once true, the run ends early, everything of it durable.
    """

    def __init__(self, *, speed: float | None = None) -> None:
        self.speed = speed
        self.paused = False
        self.stopped = False
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()

    def ask(self, kind: FaultKind, node: str) -> None:
        """Ask for a fault on ``node``; it happens at the next slice."""
        self._requests.put(Request(kind=kind, node=node))

    def requests(self) -> list[Request]:
        """Take all requests that are waiting, oldest first."""
        taken = []
        while True:
            try:
                taken.append(self._requests.get_nowait())
            except queue.Empty:
                return taken
