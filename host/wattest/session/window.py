"""Which records were received, which are committed, and what may be acknowledged.

Acknowledgements are cumulative: the node forgets everything up to the position. So the frontier
moves only over positions whose own bytes the caller has committed, never over a hole, and only
along the chain: a record names the one before it. Somebody who signs with a copied key can put
another record into a place of the window; what the node itself has there is not forgotten then.
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
        self._start = start
        self._frontier = start
        """First position not committed."""
        self._expected = start
        """First position not delivered."""
        self._confirmed = start
        """First position the node may still send: it took our acknowledgement of those before."""
        self._early: dict[int, bytes] = {}
        self._digests: dict[int, set[bytes]] = {}
        self._committed: dict[int, dict[bytes, bytes | None]] = {}
        """Digests by position, each with the digest of the record before it."""
        self._heads: set[bytes] = set()
        """Digests committed right before the frontier; none known at the start."""
        self._contradicted = False
        """The node has something else in places whose chain was committed: ask it where it is."""
        self._places: dict[bytes, int] = {}
        self._acknowledged: tuple[int, bytes] | None = None

    def reopened(self, start: int) -> Window:
        """Return a window for records asked for again, or this one if that would skip some."""
        return Window(start) if start < self._frontier else self

    @property
    def has_hole(self) -> bool:
        """Whether records wait for an earlier one, received or committed."""
        return bool(self._early) or self._contradicted or self._frontier in self._committed

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
        if self._start <= position < self._frontier - 1 and content not in self._places:
            self._contradicted = True
        at_home = self._places.setdefault(content, position) == position
        if len(self._places) > REMEMBERED_MAX:
            del self._places[next(iter(self._places))]
        if at_home and position >= self._frontier - 1:
            self._digests.setdefault(position, set()).add(sha256(data).digest())
        # Where two contents are durable, the node may not have known the one we acknowledged.
        contested = position == self._frontier - 1 and len(self._heads) > 1
        resent = at_home and (position >= self._confirmed or contested)
        return RecordReceived(position=position, data=data, resent=resent)

    def commit(
        self, position: int, digest: bytes, prev: bytes | None = None
    ) -> tuple[int, bytes] | None:
        """Note that the record of this place and digest is in the ledger, durably.

        Args:
            position: place of the record.
            digest: SHA-256 of its bytes.
            prev: digest of the record before it, as it states; None or zeros: any.

        Returns:
            Position and digest to acknowledge, or None when there is nothing to say: an earlier
            record is still missing, or these bytes do not belong to that place.
        """
        known = digest in self._digests.get(position, ())
        if position < self._frontier - 1 or (position < self._frontier and not known):
            return self._acknowledged or (position, digest)
        if not known:
            return None
        if position < self._frontier:
            self._heads.add(digest)
            self._acknowledged = (position, digest)
        else:
            self._committed.setdefault(position, {})[digest] = prev if prev and any(prev) else None
        self._advance()
        return self._acknowledged if position < self._frontier else None

    def _advance(self) -> None:
        """Move the frontier as far as committed records follow one another."""
        while (found := self._committed.get(self._frontier)) is not None:
            linked = [
                digest
                for digest, prev in found.items()
                if prev is None or not self._heads or prev in self._heads
            ]
            if not linked:
                return
            self._acknowledged = (self._frontier, linked[-1])
            self._heads = set(found)
            self._digests.pop(self._frontier - 1, None)
            del self._committed[self._frontier]
            self._frontier += 1

    def confirm(self, position: int) -> None:
        """Note that the node took our acknowledgement up to and including ``position``."""
        self._confirmed = max(self._confirmed, position + 1)
