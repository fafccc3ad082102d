"""A disk that fails and a host that loses power: what a commit may do to whoever waits for it."""

from __future__ import annotations

import random

from wattest.errors import StoreError
from wattest.ledger.store import Batch, Store


class PowerCut(BaseException):
    """The host is gone at this very moment; no handler of it runs."""


class FlakyStore:
    """A store whose commits fail as told; everything else goes through.

    ``refuse``: nothing is written and the host is told. ``cut-before``: power goes, nothing is
    written. ``cut-after``: everything is written, power goes before anybody is told.

    Args:
        inner: keeps what is durable.
        chance: draws the faults.
    """

    KINDS = ("refuse", "cut-before", "cut-after")

    def __init__(self, inner: Store, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance
        self.armed = ""

    def arm(self) -> None:
        """The next commit goes wrong."""
        self.armed = self._chance.choice(self.KINDS)

    def commit(self, batch: Batch) -> None:
        """Commit, or go wrong."""
        armed, self.armed = self.armed, ""
        if armed == "refuse":
            raise StoreError("disk full")
        if armed == "cut-before":
            raise PowerCut
        self._inner.commit(batch)
        if armed == "cut-after":
            raise PowerCut

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)
