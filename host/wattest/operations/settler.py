"""The evidence a run's contracts are settled from, ready for a statement at any time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wattest.ledger import EntryKind, Ledger, NewEntry, Receipt
from wattest.settlement import (
    Cutoff,
    MeteringNode,
    ReadingBook,
    Statement,
    Terms,
    Window,
    node_of_enrolment,
    periods_between,
    settle,
    terms_to_cbor,
)
from wattest.verify import Enrolment
from wattest.wire import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A statement and where it was logged; ``index`` is None while it is only a view."""

    contract: str
    statement: Statement
    index: int | None


class Settler:
    """Keeps readings by key, draws statements from them.

    Args:
        contracts: terms to settle.
        start_ms: begin of the run, UTC ms since 1970.
        end_ms: its end; periods between the two are settled.
    """

    def __init__(self, contracts: Sequence[Terms], *, start_ms: int, end_ms: int) -> None:
        self._contracts = tuple(contracts)
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._nodes: dict[bytes, MeteringNode] = {}
        self._books: dict[bytes, ReadingBook] = {}

    def enrol(self, enrolment: Enrolment, index: int) -> None:
        """Make the readings of a node, enrolled at ``index``, billable for its asset.

        The first enrolment of a key is what statements name; later ones change no asset.
        """
        self._nodes.setdefault(enrolment.kid, node_of_enrolment(enrolment, index=index))
        self._books.setdefault(enrolment.kid, ReadingBook())

    def add(self, record: Record, *, index: int) -> None:
        """Take a verified record of an enrolled key, logged at ``index``."""
        self._books[record.kid].add(record, index=index)

    def log_terms(self, ledger: Ledger) -> None:
        """Log every contract's terms, once, before anything is metered under them."""
        ledger.append(
            [
                NewEntry(kind=EntryKind.TERMS, body=terms_to_cbor(terms))
                for terms in self._contracts
            ]
        )

    def view(self, cutoff: Cutoff, *, now_ms: int) -> Iterator[Drawn]:
        """Draw the statement of the period each contract is in, as far as the evidence goes."""
        for terms in self._contracts:
            periods = self._periods(terms, now_ms)
            if periods and self._has_nodes(terms):
                statement = self._draw(terms, periods[-1], cutoff, final=False)
                yield Drawn(contract=terms.contract, statement=statement, index=None)

    def settle(
        self, ledger: Ledger, cutoff: Cutoff, *, stopped_ms: int | None = None
    ) -> list[Drawn]:
        """Draw and log the statement of every contract and period of the run.

        Args:
            ledger: where they go.
            cutoff: what they rest on.
            stopped_ms: the run was stopped then, UTC ms: more evidence would have come, so
                nothing is final, and periods that had not begun are left out.

        Raises:
            SettlementError: an asset under contract has no enrolled node.
            StoreError: nothing of it was logged.
        """
        statements = [
            self._draw(terms, period, cutoff, final=stopped_ms is None)
            for terms in self._contracts
            if stopped_ms is None or self._has_nodes(terms)
            for period in self._periods(terms, self._end_ms if stopped_ms is None else stopped_ms)
        ]
        outcomes = ledger.append(
            [
                NewEntry(kind=EntryKind.STATEMENT, body=statement.to_cbor())
                for statement in statements
            ]
        )
        drawn = []
        for statement, outcome in zip(statements, outcomes, strict=True):
            assert isinstance(outcome, Receipt), "only records can be duplicates"
            drawn.append(
                Drawn(contract=statement.contract, statement=statement, index=outcome.index)
            )
        return drawn

    def _periods(self, terms: Terms, until_ms: int) -> tuple[Window, ...]:
        return periods_between(terms, self._start_ms, min(until_ms, self._end_ms))

    def _has_nodes(self, terms: Terms) -> bool:
        enrolled = {node.asset for node in self._nodes.values()}
        return all(asset in enrolled for asset in terms.assets)

    def _draw(self, terms: Terms, period: Window, cutoff: Cutoff, *, final: bool) -> Statement:
        nodes = [node for node in self._nodes.values() if node.asset in terms.assets]
        readings = [reading for node in nodes for reading in self._books[node.kid].readings()]
        return settle(terms, readings, period, nodes=nodes, cutoff=cutoff, final=final)
