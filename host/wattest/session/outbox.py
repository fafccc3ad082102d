"""What waits to be sent, and how much of it the node has room for.

A node reads its port into a ring of 260 bytes and drops what does not fit, so the host keeps at
most 200 bytes unanswered: it counts what it sent since hello minus what the node says it took.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wattest.wire.message import CREDIT_BYTES

LineMaker = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A command that waits: its counter, and how to make its line at the time it leaves (ms)."""

    counter: int
    make: LineMaker


class Outbox:
    """Lines to the node under the credit rule; one acknowledgement slot, the newest wins."""

    def __init__(self) -> None:
        self._commands: deque[Waiting] = deque()
        self._acknowledgement: tuple[int, bytes] | None = None
        self._sent_bytes = 0
        self._taken_bytes = 0
        self._acknowledged_at: deque[tuple[int, int]] = deque()

    @property
    def unanswered_bytes(self) -> int:
        """Bytes sent since hello that the node has not said it took."""
        return self._sent_bytes - self._taken_bytes

    def restart(self) -> None:
        """Begin to count anew with a hello; commands not yet sent stay, acknowledgements go."""
        self._acknowledgement = None
        self._sent_bytes = self._taken_bytes = 0
        self._acknowledged_at.clear()

    def add_command(self, waiting: Waiting) -> None:
        """Queue a command."""
        self._commands.append(waiting)

    def set_acknowledgement(self, position: int, line: bytes) -> None:
        """Queue an acknowledgement in the place of an older one that has not left."""
        self._acknowledgement = (position, line)

    def taken(self, total_bytes: int) -> int | None:
        """Note how much the node took since hello.

        Returns:
            The highest position whose acknowledgement the node has taken with it, or None.
        """
        if total_bytes < self._taken_bytes:
            return None  # counted before the node came to our last hello
        # A person at the console sends bytes that we do not know of.
        self._taken_bytes = min(total_bytes, self._sent_bytes)
        position = None
        while self._acknowledged_at and self._acknowledged_at[0][1] <= total_bytes:
            position = self._acknowledged_at.popleft()[0]
        return position

    def draw(self, now_ms: int) -> tuple[bytes, list[int]]:
        """Take out what may leave now.

        Returns:
            Whole lines, and the counters of the commands among them.
        """
        lines: list[bytes] = []
        counters: list[int] = []
        if self._acknowledgement is not None:
            position, line = self._acknowledgement
            if self._fits(line):
                self._acknowledgement = None
                lines.append(line)
                self._acknowledged_at.append((position, self._sent_bytes))
        while self._commands and self._acknowledgement is None:
            line = self._commands[0].make(now_ms)
            if not self._fits(line):
                break
            lines.append(line)
            counters.append(self._commands.popleft().counter)
        return b"".join(lines), counters

    def _fits(self, line: bytes) -> bool:
        if self.unanswered_bytes + len(line) > CREDIT_BYTES:
            return False
        self._sent_bytes += len(line)
        return True
