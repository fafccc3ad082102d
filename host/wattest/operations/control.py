"""The hand on a running bench: what a person at a face may ask of it, from another thread."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a person may do to a node while it runs."""

    POWER_CUT = "power-cut"
    POWER_ON = "power-on"
    UNPLUG = "unplug"
    PLUG = "plug"
    FLIP_BIT = "flip-bit"
    REPLAY = "replay"
    CLONE = "clone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing asked of one node."""

    action: Action
    node: str


class RunControl:
    """Thread-safe requests to a run; the run looks at it between slices of virtual time.

    Args:
        speed: virtual seconds per real second, or ``None`` for as fast as it goes.
    """

    def __init__(self, *, speed: float | None = None) -> None:
        self.speed = speed
        self.paused = False
        self.stopped = False
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()

    def ask(self, action: Action, node: str) -> None:
        """Ask for ``action`` on ``node``; it happens at the next slice."""
        self._requests.put(Request(action=action, node=node))

    def requests(self) -> list[Request]:
        """Take all requests that are waiting, oldest first."""
        taken = []
        while True:
            try:
                taken.append(self._requests.get_nowait())
            except queue.Empty:
                return taken
