"""The accounts of a whole ledger: a fold over its entries, which keeps nothing but what they say.

Acts are verified against the keys of the parties here; records and statements are taken as the
ledger has them, because its audit checks them. What cannot be taken moves nothing and is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from wattest.errors import DecodeError, SettlementError, VerificationError
from wattest.ledger.entry import Entry, EntryKind
from wattest.ledger.parties import Parties
from wattest.settlement.book import collect_readings
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.dispute_acts import take_dispute, take_resolution
from wattest.settlement.disputes import Claim, DisputeCase, between_neighbours
from wattest.settlement.engine import disputable
from wattest.settlement.estimate import estimates_of
from wattest.settlement.parties import parties_of
from wattest.settlement.payments import take_payment
from wattest.settlement.period import periods_between
from wattest.settlement.postings import take_agreement, take_statement
from wattest.settlement.reading import MeteringNode, SettlementReading, node_of_enrolment
from wattest.settlement.recompute import recompute
from wattest.settlement.render import read_statement
from wattest.settlement.statement import Cutoff, Statement
from wattest.settlement.terms import Basis, Terms, Window, find_line
from wattest.settlement.terms_form import terms_from_cbor, terms_hash
from wattest.wire import (
    Agreement,
    DisputeAct,
    LoggedEstimate,
    PaymentAct,
    Record,
    ResolutionAct,
    SignedAct,
    parse_enrolment,
    parse_estimate,
    parse_machine_dispute,
    parse_record,
)
from wattest.wire.act import is_act

_ACTS: Final = (
    EntryKind.AGREEMENT,
    EntryKind.DISPUTE,
    EntryKind.RESOLUTION,
    EntryKind.PAYMENT,
    EntryKind.ROTATION,
)


class AccountsFold:
    """Folds entries, in order, into the accounts of every contract.

    Attributes:
        contracts: by name.
        parties: whose key is whose.
        problems: ``(entry, why it moved nothing)`` of entries that belong to no contract.
    """

    def __init__(self) -> None:
        self.contracts: dict[str, ContractAccount] = {}
        self.parties = Parties()
        self.problems: list[tuple[int, str]] = []
        self.evidence = LoggedEvidence()
        self._takers: Mapping[int, Callable[[Entry], None]] = {
            EntryKind.READING: self.evidence.add_record,
            EntryKind.EVENT: self.evidence.add_record,
            EntryKind.ENROLMENT: self.evidence.add_enrolment,
            EntryKind.ESTIMATE: self.evidence.add_estimate,
            EntryKind.TERMS: self._take_terms,
            EntryKind.STATEMENT: self._take_statement,
            **dict.fromkeys(_ACTS, self._take_act),
        }

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        taker = self._takers.get(entry.kind)
        if taker is None:
            return
        try:
            taker(entry)
        except (DecodeError, VerificationError, SettlementError) as error:
            self.problems.append((entry.index, str(error)))

    def take_all(self, entries: Iterable[Entry]) -> None:
        """Take many."""
        for entry in entries:
            self.take(entry)

    def _take_terms(self, entry: Entry) -> None:
        terms = terms_from_cbor(entry.body)
        digest = terms_hash(terms)
        contract = self.contracts.setdefault(
            terms.contract, ContractAccount(name=terms.contract, evidence=self.evidence)
        )
        contract.add_terms(digest, terms)
        self.evidence.terms[digest] = terms
        self.parties.add_terms(digest, terms.contract, parties_of(terms))

    def _take_statement(self, entry: Entry) -> None:
        document = read_statement(entry.body)
        self.evidence.statements[entry.index] = entry.body
        contract = self.contracts.get(document["contract"])
        if contract is None or document["terms"] not in contract.terms:
            raise SettlementError(f"terms of {document['contract']} expected in the ledger before")
        take_statement(contract, entry.index, document)

    def _take_act(self, entry: Entry) -> None:
        if not is_act(entry.body):
            if entry.kind == EntryKind.DISPUTE:
                self._take_machine_dispute(entry)
            return
        signed = self.parties.take(entry.body)
        if isinstance(signed.act, DisputeAct):
            self.parties.add_dispute(entry.body, signed.act.contract)
        self._apply(entry, signed)

    def _apply(self, entry: Entry, signed: SignedAct) -> None:
        act, index = signed.act, entry.index
        contract = self.contracts[act.contract]
        origin = hashlib.sha256(signed.message.payload).digest()
        match act:
            case Agreement():
                take_agreement(contract, index, origin, party=act.party, terms=act.terms)
            case PaymentAct():
                take_payment(contract, index, origin, act)
            case ResolutionAct():
                take_resolution(contract, index, origin, act)
            case DisputeAct():
                line = find_line(contract.terms_now, act.line)
                claim = Claim(
                    period=_window(act.period), code=line.code, window=_window(act.window)
                )
                is_seller = act.party == contract.terms_now.seller
                case = DisputeCase(
                    digest=hashlib.sha256(entry.body).digest(),
                    index=index,
                    party=act.party,
                    reason=act.reason,
                    claims=(claim,),
                    quantity=act.quantity,
                    on_top=is_seller and line.needs.basis is Basis.QUANTITY,
                )
                take_dispute(contract, case, origin)

    def _take_machine_dispute(self, entry: Entry) -> None:
        """Dispute the time around a number that a node signed for two contents."""
        found = parse_machine_dispute(entry.body)
        digest = hashlib.sha256(entry.body).digest()
        self.parties.add_dispute(entry.body, None)
        asset = self.evidence.asset_of(found.kid)
        readings = self.evidence.readings_of(found.kid)
        window = between_neighbours(readings, found.kid, found.ctx, found.seq)
        for contract in self.contracts.values():
            if window is None or asset not in contract.terms_now.assets:
                continue
            case = DisputeCase(
                digest=digest,
                index=entry.index,
                party="",
                reason=f"key {found.kid.hex()} signed two contents for number {found.seq}",
                claims=_claims(contract.terms_now, window),
                quantity=None,
            )
            take_dispute(contract, case, digest)


def problems(fold: AccountsFold) -> list[tuple[int, str]]:
    """Return ``(entry, why it moved nothing)`` of every contract and of none, in order."""
    found = [item for contract in fold.contracts.values() for item in contract.problems]
    return sorted([*fold.problems, *found])


class LoggedEvidence:
    """Records, enrolments, estimates and statements of the entries taken so far.

    Attributes:
        terms: by their hash.
        statements: bodies by entry.
    """

    def __init__(self) -> None:
        self.terms: dict[bytes, Terms] = {}
        self.statements: dict[int, bytes] = {}
        self._records: list[tuple[int, bytes]] = []
        self._parsed: list[tuple[int, Record]] = []
        self._nodes: list[MeteringNode] = []
        self._estimates: dict[int, LoggedEstimate] = {}

    def add_record(self, entry: Entry) -> None:
        """Take a reading or an event."""
        self._records.append((entry.index, entry.body))

    def add_enrolment(self, entry: Entry) -> None:
        """Take an enrolment."""
        self._nodes.append(node_of_enrolment(parse_enrolment(entry.body), index=entry.index))

    def add_estimate(self, entry: Entry) -> None:
        """Take a logged estimate."""
        self._estimates[entry.index] = parse_estimate(entry.body)

    def asset_of(self, kid: bytes) -> str:
        """Return what a key meters, or ``""``."""
        return next((node.asset for node in self._nodes if node.kid == kid), "")

    def readings_of(self, kid: bytes) -> tuple[SettlementReading, ...]:
        """Return everything a key has said so far."""
        return collect_readings(item for item in self._all() if item[1].kid == kid)

    def statement(self, index: int) -> Statement:
        """Draw the statement logged at ``index`` again.

        Raises:
            VerificationError: it does not follow from the entries before its cut-off.
        """
        body = self.statements[index]
        size = read_statement(body)["cutoff"]["size"]
        return recompute(
            body,
            terms=self.terms,
            readings=collect_readings(self._all(), size=size),
            nodes=self._nodes,
            estimates=estimates_of(self._estimates),
        )

    def metered(
        self, document: Mapping[str, Any], terms: Terms, claim: Claim
    ) -> Mapping[int, int]:
        """Return what of a claim's line falls into its window, as far as a statement knew.

        Raises:
            SettlementError: nothing of the line can be in dispute.
        """
        cutoff = Cutoff(size=document["cutoff"]["size"], root=document["cutoff"]["root"])
        return disputable(
            terms,
            collect_readings(self._all(), size=cutoff.size),
            claim.period,
            claim.code,
            claim.window,
            nodes=[node for node in self._nodes if node.index < cutoff.size],
            cutoff=cutoff,
        )

    def arrived_late(self, terms: Terms, window: Window, size: int) -> bool:
        """Whether a record of the contract's assets in the window was logged at ``size`` on."""
        return self._late(terms, window, size) > 0

    def late_final(self, contract: ContractAccount) -> dict[int, int]:
        """Return how many records came too late for a final statement, by the period's begin.

        They are kept as evidence and move no money; a dispute may rest on them.
        """
        counts = {
            start: self._late(contract.terms[account.terms], account.period, account.size)
            for start, account in contract.periods.items()
            if account.final is not None
        }
        return {start: count for start, count in counts.items() if count}

    def _late(self, terms: Terms, window: Window, size: int) -> int:
        kids = {node.kid for node in self._nodes if node.asset in terms.assets}
        later = (parse_record(body) for index, body in self._records if index >= size)
        return sum(
            record.kid in kids
            and record.time_ms is not None
            and window.start_ms <= record.time_ms < window.end_ms
            for record in later
        )

    def _all(self) -> list[tuple[int, Record]]:
        """Return all records; they are only read when something is disputed."""
        for index, body in self._records[len(self._parsed) :]:
            self._parsed.append((index, parse_record(body)))
        return self._parsed


def _claims(terms: Terms, window: Window) -> tuple[Claim, ...]:
    """Claim every register the contract bills; what counts the same is disputed together."""
    codes: dict[tuple[str, bytes], str] = {}
    for line in terms.lines:
        quantity = line.needs.quantity
        if line.needs.basis is Basis.QUANTITY and quantity is not None and not quantity.is_count:
            codes.setdefault((quantity.name, quantity.obis), line.code)
    return tuple(
        Claim(
            period=period,
            code=code,
            window=Window(
                start_ms=max(period.start_ms, window.start_ms),
                end_ms=min(period.end_ms, window.end_ms),
            ),
        )
        for period in periods_between(terms, window.start_ms, window.end_ms)
        for code in codes.values()
    )


def _window(span: tuple[int, int]) -> Window:
    return Window(start_ms=span[0], end_ms=span[1])
