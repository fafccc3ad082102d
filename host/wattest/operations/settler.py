"""The evidence contracts are settled from, and the generations of their statements.

A statement is drawn again whenever somebody asks. It is logged only when it says something new:
a first statement of a period, other amounts because of late records, or that it is final now. So
running a settlement twice logs nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wattest.ledger import EntryKind, Ledger, NewEntry, Receipt
from wattest.settlement import (
    Cutoff,
    Estimate,
    MeteringNode,
    ReadingBook,
    Statement,
    Terms,
    Window,
    node_of_enrolment,
    settle,
    terms_hash,
    terms_to_cbor,
)
from wattest.settlement.lifecycle import due_periods, final_ms
from wattest.settlement.period import periods_within, previous_periods
from wattest.verify import Enrolment
from wattest.wire import Record

_PLACES = ("cutoff", "generation", "opening")
_INDEX = "index"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A statement and where it was logged; ``index`` is None while it is only a view.

    Args:
        contract: whose.
        statement: what it says.
        index: its entry.
        new: it was logged just now; False: an earlier entry says the same.
    """

    contract: str
    statement: Statement
    index: int | None
    new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logged:
    """The newest logged statement of a period."""

    generation: int
    final: bool
    terms: bytes
    cutoff: Cutoff
    says: Any
    index: int


class Settler:
    """Keeps readings by key, draws statements from them.

    Args:
        contracts: terms to settle.
        start_ms: begin of the evidence, UTC ms since 1970.
        end_ms: its end; periods between the two are settled.
    """

    def __init__(self, contracts: Sequence[Terms], *, start_ms: int, end_ms: int) -> None:
        self._contracts = tuple(contracts)
        self._terms = {terms_hash(terms): terms for terms in contracts}
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._nodes: dict[bytes, MeteringNode] = {}
        self._books: dict[bytes, ReadingBook] = {}
        self._logged: dict[tuple[str, int], _Logged] = {}
        self._estimates: list[Estimate] = []

    def enrol(self, enrolment: Enrolment, index: int) -> None:
        """Make the readings of a node, enrolled at ``index``, billable for its asset.

        The first enrolment of a key is what statements name; later ones change no asset.
        """
        self._nodes.setdefault(enrolment.kid, node_of_enrolment(enrolment, index=index))
        self._books.setdefault(enrolment.kid, ReadingBook())

    def add(self, record: Record, *, index: int) -> None:
        """Take a verified record of an enrolled key, logged at ``index``."""
        self._books[record.kid].add(record, index=index)

    def take_estimate(self, estimate: Estimate) -> None:
        """Take a logged estimate; it counts only where terms ask for such."""
        self._estimates.append(estimate)

    def remember(self, document: Mapping[str, Any], index: int, terms: Terms) -> None:
        """Take a statement that was logged before, and the terms it was drawn by."""
        self._terms[document["terms"]] = terms
        self._keep(document, index)

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
                yield Drawn(contract=terms.contract, statement=statement, index=None, new=False)

    def settle(
        self,
        ledger: Ledger,
        cutoff: Cutoff,
        *,
        stopped_ms: int | None = None,
        open_contracts: frozenset[str] = frozenset(),
    ) -> list[Drawn]:
        """Draw the statement of every contract and period of a run, log what is new.

        Args:
            ledger: where they go.
            cutoff: what they rest on.
            stopped_ms: the run was stopped then, UTC ms: more evidence would have come, so
                nothing is final, and periods that had not begun are left out.
            open_contracts: contracts whose statements are not final yet.

        Raises:
            SettlementError: an asset under contract has no enrolled node.
            StoreError: nothing of it was logged.
        """
        wanted = [
            (terms, period, stopped_ms is None and terms.contract not in open_contracts)
            for terms in self._contracts
            if stopped_ms is None or self._has_nodes(terms)
            for period in self._periods(terms, self._end_ms if stopped_ms is None else stopped_ms)
        ]
        return self._log(ledger, wanted, cutoff)

    def settle_due(
        self,
        ledger: Ledger,
        cutoff: Cutoff,
        *,
        now_ms: int,
        wants: Callable[[str], bool] = lambda _: True,
    ) -> list[Drawn]:
        """Draw the statements that are due by now, log what is new.

        Args:
            ledger: where they go.
            cutoff: what they rest on.
            now_ms: UTC ms; a period is due ``cutoff_delay_s`` after its end and final
                ``final_after_s`` after it.
            wants: contracts to settle, by name.

        Raises:
            StoreError: nothing of it was logged.
        """
        wanted = [
            (terms, period, final_ms(terms, period) <= now_ms)
            for terms in self._contracts
            if wants(terms.contract) and self._has_nodes(terms)
            for period in due_periods(
                terms, start_ms=self._start_ms, end_ms=self._end_ms, now_ms=now_ms
            )
        ]
        return self._log(ledger, wanted, cutoff)

    def _log(
        self, ledger: Ledger, wanted: Sequence[tuple[Terms, Window, bool]], cutoff: Cutoff
    ) -> list[Drawn]:
        drawn = [
            self._compare(terms, period, cutoff, final=final)
            for terms, period, final in wanted
            if not self._is_final(terms, period)
        ]
        fresh = [item.statement for item in drawn if item.new]
        outcomes = ledger.append(
            [NewEntry(kind=EntryKind.STATEMENT, body=item.to_cbor()) for item in fresh]
        )
        indexes: list[int] = []
        for statement, outcome in zip(fresh, outcomes, strict=True):
            assert isinstance(outcome, Receipt), "only records can be duplicates"
            self._keep(statement.to_document(), outcome.index)
            indexes.append(outcome.index)
        places = iter(indexes)
        return [replace(item, index=next(places)) if item.new else item for item in drawn]

    def _compare(self, terms: Terms, period: Window, cutoff: Cutoff, *, final: bool) -> Drawn:
        """Draw a statement; one that says what the newest logged one says is that one."""
        known = self._logged.get((terms.contract, period.start_ms))
        statement = self._draw(terms, period, cutoff, final=final)
        if known is None or _says(statement.to_document()) != known.says:
            return Drawn(contract=terms.contract, statement=statement, index=None)
        statement = replace(statement, generation=known.generation, cutoff=known.cutoff)
        return Drawn(contract=terms.contract, statement=statement, index=known.index, new=False)

    def _is_final(self, terms: Terms, period: Window) -> bool:
        known = self._logged.get((terms.contract, period.start_ms))
        return known is not None and known.final

    def _keep(self, document: Mapping[str, Any], index: int) -> None:
        place = (str(document["contract"]), int(document["period"][0]))
        self._logged[place] = _Logged(
            generation=document["generation"],
            final=document["state"] == "final",
            terms=document["terms"],
            cutoff=Cutoff(size=document["cutoff"]["size"], root=document["cutoff"]["root"]),
            says=_says(document),
            index=index,
        )

    def _periods(self, terms: Terms, until_ms: int) -> tuple[Window, ...]:
        return tuple(periods_within(terms, self._start_ms, min(until_ms, self._end_ms)))

    def _has_nodes(self, terms: Terms) -> bool:
        enrolled = {node.asset for node in self._nodes.values()}
        return all(asset in enrolled for asset in terms.assets)

    def _draw(self, terms: Terms, period: Window, cutoff: Cutoff, *, final: bool) -> Statement:
        """Draw the next generation of a period, by the terms its first one was drawn by."""
        known = self._logged.get((terms.contract, period.start_ms))
        if known is not None:
            terms = self._terms[known.terms]
        nodes = [node for node in self._nodes.values() if node.asset in terms.assets]
        readings = [reading for node in nodes for reading in self._books[node.kid].readings()]

        def drawn(opening: int | None) -> Statement:
            return settle(
                terms,
                readings,
                period,
                nodes=nodes,
                cutoff=cutoff,
                generation=1 if known is None else known.generation + 1,
                final=final,
                estimates=self._estimates,
                opening=opening,
            )

        plain, opening = drawn(None), self._opening(terms, period)
        frozen = plain if opening is None else drawn(opening)
        return plain if frozen.economic_digest == plain.economic_digest else frozen

    def _opening(self, terms: Terms, period: Window) -> int | None:
        """Return what was known when the period before became final, if it is."""
        for before in previous_periods(terms, period, 1):
            known = self._logged.get((terms.contract, before.start_ms))
            if known is not None and known.final:
                return known.cutoff.size
        return None


def _says(document: Mapping[str, Any]) -> Any:
    """Return what a statement says, without where its evidence lies and which run it is."""
    return _without_index({k: v for k, v in document.items() if k not in _PLACES})


def _without_index(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_index(item) for key, item in value.items() if key != _INDEX}
    if isinstance(value, list | tuple):
        return [_without_index(item) for item in value]
    return value
