"""Statements of a live collection: running ones to look at, and those that are due, logged.

They are logged under the key the collection signs with, `ledger.key` in its folder.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from wattest.ledger import Entry, EntryKind, Ledger
from wattest.operations.events import StatementDrawn
from wattest.operations.settler import Drawn, Settler
from wattest.settlement import Cutoff, read_statement, terms_from_cbor, terms_hash
from wattest.settlement.estimate import estimates_of
from wattest.wire import parse_estimate

SETTLE_MS = 3_600_000


class Settling:
    """Draws a collection's statements.

    Args:
        ledger: where they go.
        settler: knows the evidence.
    """

    def __init__(self, ledger: Ledger, settler: Settler) -> None:
        self._ledger = ledger
        self._settler = settler
        self._next_ms = 0

    def tell(self, now_ms: int) -> Iterator[StatementDrawn]:
        """Log what is due, once an hour; draw the running statements."""
        if not self._ledger.size:
            return
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + SETTLE_MS
            for drawn in self._settler.settle_due(self._ledger, self._cutoff(), now_ms=now_ms):
                if drawn.new:
                    yield _event(drawn, now_ms)
        for drawn in self._settler.view(self._cutoff(), now_ms=now_ms):
            yield _event(drawn, now_ms)

    def _cutoff(self) -> Cutoff:
        return Cutoff(size=self._ledger.size, root=self._ledger.root())


def remember(
    settler: Settler, entries: Iterable[Entry], *, assets: Container[str] | None = None
) -> None:
    """Hand a settler the statements and estimates that were logged before.

    Args:
        settler: takes them.
        entries: of the ledger, in order.
        assets: those the settler gets records of: in a ledger that several benches share,
            statements about the assets of another bench are left to it. None: all.
    """
    terms = {}
    for entry in entries:
        if entry.kind == EntryKind.TERMS:
            logged = terms_from_cbor(entry.body)
            terms[terms_hash(logged)] = logged
        elif entry.kind == EntryKind.STATEMENT:
            document = read_statement(entry.body)
            logged = terms[document["terms"]]
            if assets is None or all(asset in assets for asset in logged.assets):
                settler.remember(document, entry.index, logged)
        elif entry.kind == EntryKind.ESTIMATE:
            for estimate in estimates_of({entry.index: parse_estimate(entry.body)}):
                settler.take_estimate(estimate)


def _event(drawn: Drawn, now_ms: int) -> StatementDrawn:
    return StatementDrawn(
        now_ms=now_ms,
        contract=drawn.contract,
        statement=drawn.statement,
        index=drawn.index,
    )
