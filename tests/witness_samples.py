"""A witness on the loopback and a log that asks it, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger_samples import plain, signer
from wattest.ledger import Ledger, LedgerView
from wattest.ledger.witness_client import WitnessLine
from wattest.store import MemoryStore
from wattest.witness import Handled, Keeper, WitnessAddress, WitnessServer, line_to


@contextmanager
def served(
    path: Path, *, number: int = 1, trusting: bool = True
) -> Iterator[tuple[WitnessServer, list[Handled]]]:
    """Serve a witness from a state file in this process; yields what it tells, too."""
    told: list[Handled] = []
    with (
        Keeper(path, default_name=f"witness.example/w{number}") as keeper,
        WitnessServer(keeper, "127.0.0.1", 0, tell=told.append) as server,
    ):
        if trusting:
            keeper.trust([signer().verifier])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, told
        finally:
            server.shutdown()
            thread.join()


def way_to(server: WitnessServer) -> WitnessLine:
    """Return the way to a served witness."""
    return line_to(WitnessAddress(url=server.url, key=server.keeper.key), patience_s=20)


class SampleLog:
    """A ledger in memory that grows on demand.

    Args:
        count: entries to log at once.
        other: log other entries, signed by the same key.
        shift: and yet others.
    """

    def __init__(self, count: int = 0, *, other: bool = False, shift: int = 0) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(self.store, signer())
        self._shift = (1_000_000 if other else 0) + 1000 * shift
        self.grow(count)

    def grow(self, count: int) -> None:
        """Log some entries in one commit."""
        start = self.ledger.size + self._shift
        self.ledger.append([plain(n) for n in range(start, start + count)])

    @property
    def view(self) -> LedgerView:
        """The ledger for reading, as it is now."""
        return LedgerView(self.store, signer().verifier)

    @property
    def note(self) -> bytes:
        """The newest checkpoint."""
        signed = self.ledger.checkpoint()
        assert signed is not None
        return signed.note
