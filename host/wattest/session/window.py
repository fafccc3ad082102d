"""Which records were received, which are committed, and what may be acknowledged.

Acknowledgements are cumulative: the node forgets everything up to the position. So the frontier
moves only over positions whose own bytes the caller has committed, and never over a hole.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from wattest.session.events import RecordReceived
from wattest.wire.message import WINDOW_RECORDS

AHEAD_MAX: Final = 8 * WINDOW_RECORDS
"""Positions this far beyond the frontier are no node's doing; such frames are dropped."""
REMEMBERED_MAX: Final = 256


class Window:
    """The window of one conversation, from the node's first unacknowledged position.

    Args:
        start: first position not acknowledged, as the node says.
    """

    def __init__(self, start: int) -> None:
        self._frontier = start
        """First position not committed."""
        self._expected = start
        """First position not delivered."""
        self._confirmed = start
        """First position the node may still send: it took our acknowledgement of those before."""
        self._early: dict[int, bytes] = {}
        self._digests: dict[int, set[bytes]] = {}
        self._committed: dict[int, bytes] = {}
        self._places: dict[bytes, int] = {}
        self._acknowledged: tuple[int, bytes] | None = None

    def reopened(self, start: int) -> Window:
        """Return a window for records asked for again, or this one if that would skip some."""
        return Window(start) if start < self._frontier else self

    @property
    def has_hole(self) -> bool:
        """Whether records wait for an earlier one."""
        return bool(self._early)

    def receive(self, position: int, data: bytes) -> list[RecordReceived]:
        """Take a record; return what can be delivered in order of position."""
        if position > self._frontier + AHEAD_MAX:
            return []
        if position > self._expected:
            self._early[position] = data
            return []
        delivered = [self._deliver(position, data)]
        if position == self._expected and delivered[0].resent:
            self._expected += 1
            while self._expected in self._early:
                early = self._early.pop(self._expected)
                event = self._deliver(self._expected, early)
                delivered.append(event)
                if not event.resent:
                    break
                self._expected += 1
        return delivered

    def _deliver(self, position: int, data: bytes) -> RecordReceived:
        content = sha256(data[:-64]).digest()
        at_home = self._places.setdefault(content, position) == position
        if len(self._places) > REMEMBERED_MAX:
            del self._places[next(iter(self._places))]
        if at_home and position >= self._frontier:
            self._digests.setdefault(position, set()).add(sha256(data).digest())
        resent = at_home and position >= self._confirmed
        return RecordReceived(position=position, data=data, resent=resent)

    def commit(self, position: int, digest: bytes) -> tuple[int, bytes] | None:
        """Note that the record of this place and digest is in the ledger, durably.

        Returns:
            Position and digest to acknowledge, or None when there is nothing to say: an earlier
            record is still missing, or these bytes do not belong to that place.
        """
        if position < self._frontier:
            return self._acknowledged or (position, digest)
        if digest not in self._digests.get(position, ()):
            return None
        self._committed[position] = digest
        while self._frontier in self._committed:
            self._acknowledged = (self._frontier, self._committed.pop(self._frontier))
            self._digests.pop(self._frontier, None)
            self._frontier += 1
        return self._acknowledged if position < self._frontier else None

    def confirm(self, position: int) -> None:
        """Note that the node took our acknowledgement up to and including ``position``."""
        self._confirmed = max(self._confirmed, position + 1)
