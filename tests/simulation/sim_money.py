"""The money of the simulation: one contract, its parties, statements, disputes, payments."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256

from ledger_samples import EPOCH_MS
from party_samples import Party
from wattest.ledger import EntryKind, Ledger, NewEntry
from wattest.operations.settler import Drawn, Settler
from wattest.settlement import (
    Cutoff,
    Terms,
    parse_terms,
    read_statement,
    terms_hash,
    terms_to_cbor,
)
from wattest.settlement.folding import AccountsFold
from wattest.verify import Verdict
from wattest.wire import (
    Agreement,
    DisputeAct,
    Enrolment,
    PaymentAct,
    PaymentKind,
    Record,
    ResolutionAct,
)

CONTRACT = "mills"
PERIOD_S = 1_800
TERMS = f"""
contract = "{CONTRACT}"
seller = "owner"
buyer = "bakery"
assets = ["mill-1", "mill-2", "mill-3"]
currency = "EUR"
period = {{ kind = "fixed", start = 2026-01-01T00:00:00Z, duration_s = {PERIOD_S} }}
policy = {{ max_gap_s = 900, cutoff_delay_s = 120, final_after_s = 3600 }}

[[line]]
template = "SUBSCRIPTION"
code = "base"
amount = "1.00"

[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "export_energy"
unit = "kWh"
tiers = [{{ up_to = "2", price = "0.31" }}, {{ price = "0.17" }}]
minimum = "0.50"

[[line]]
template = "COMMISSION"
code = "fee"
brokers = [{{ party = "agent", weight = 1 }}]
rate = "0.025"
"""
SELLER, BUYER = Party(1, "owner"), Party(2, "bakery")


def terms() -> Terms:
    """Return the contract's terms."""
    return parse_terms(TERMS, "simulation")


class Money:
    """Operations on a contract; forgets everything with the host and reads it in the ledger.

    Args:
        ledger: of the host.
        chance: draws who does what.
    """

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self._ledger = ledger
        self._chance = chance
        self._terms = terms()
        self._settler = Settler([self._terms], start_ms=EPOCH_MS, end_ms=EPOCH_MS + 10**11)
        self._digest = terms_hash(self._terms)
        self._names = 0
        self._agreed = False

    # What the host remembers when it starts, and learns while it runs.

    def enrolled(self, enrolment: Enrolment, index: int) -> None:
        """A key is enrolled."""
        self._settler.enrol(enrolment, index)

    def logged(self, record: Record, index: int, verdict: Verdict) -> None:
        """A record is logged."""
        del verdict
        self._settler.add(record, index=index)

    def remember(self) -> None:
        """Take up the statements of before."""
        for entry in self._ledger.entries():
            if entry.kind == EntryKind.STATEMENT:
                self._settler.remember(read_statement(entry.body), entry.index, self._terms)

    # What may happen at any moment.

    def agree(self) -> None:
        """Log the terms, and that both agree, as far as that is not done."""
        kinds = Counter(entry.kind for entry in self._ledger.entries())
        if not kinds[EntryKind.TERMS]:
            self._append(EntryKind.TERMS, terms_to_cbor(self._terms))
        for party in (SELLER, BUYER)[kinds[EntryKind.AGREEMENT] :]:
            body = party.act(Agreement, CONTRACT, terms=self._digest, public_key=party.public)
            self._append(EntryKind.AGREEMENT, body)
        self._agreed = True

    def settle(self, now_ms: int) -> Sequence[Drawn]:
        """Draw what is due; drawing it again must log nothing."""
        newest = self._ledger.checkpoint()
        if newest is None:
            return ()
        cutoff = Cutoff(size=newest.checkpoint.size, root=newest.checkpoint.root)
        drawn = self._settler.settle_due(self._ledger, cutoff, now_ms=now_ms)
        size = self._ledger.size
        self._settler.settle_due(self._ledger, cutoff, now_ms=now_ms)
        assert self._ledger.size == size, "a settlement that says nothing new logged something"
        return drawn

    def pay(self, now_ms: int) -> None:
        """Money comes, or is taken out, or somebody tries to."""
        self._names += 1
        fields = {
            "what": self._chance.choice([PaymentKind.FUND] * 4 + [*PaymentKind]),
            "amount_minor": self._chance.randint(1, 600),
            "currency": "EUR",
            "reference": f"bank {self._names} of {now_ms}",
        }
        body = SELLER.act(PaymentAct, CONTRACT, time_ms=now_ms, **fields)
        self._append(EntryKind.PAYMENT, body)

    def dispute(self, now_ms: int) -> None:
        """A party doubts a part of a statement."""
        statements = [e for e in self._ledger.entries() if e.kind == EntryKind.STATEMENT]
        if not statements:
            return
        start_ms, end_ms = read_statement(self._chance.choice(statements[-3:]).body)["period"]
        begin_ms = self._chance.randrange(start_ms, end_ms - 1)
        fields = {
            "period": (start_ms, end_ms),
            "line": self._chance.choice(["energy", "energy", "base", "nonsense"]),
            "window": (begin_ms, self._chance.randint(begin_ms + 1, end_ms)),
            "reason": "we doubt it",
            "quantity": self._chance.choice([None, None, 1, 400_000, 10**12]),
        }
        party = self._chance.choice([SELLER, BUYER])
        self._append(EntryKind.DISPUTE, party.act(DisputeAct, CONTRACT, time_ms=now_ms, **fields))

    def resolve(self, now_ms: int) -> None:
        """One or both settle a dispute that somebody or the evidence opened."""
        disputes = [e.body for e in self._ledger.entries() if e.kind == EntryKind.DISPUTE]
        if not disputes:
            return
        fields = {
            "dispute": sha256(self._chance.choice(disputes)).digest(),
            "granted": self._chance.choice([0, 1, 300_000, 10**12]),
            "text": "settled",
        }
        for party in self._chance.choice([(SELLER,), (BUYER, SELLER), (SELLER, BUYER)]):
            body = party.act(ResolutionAct, CONTRACT, time_ms=now_ms, **fields)
            self._append(EntryKind.RESOLUTION, body)

    @property
    def ready(self) -> bool:
        """Both have agreed: from now on they may act."""
        return self._agreed

    def _append(self, kind: EntryKind, body: bytes) -> None:
        self._ledger.append([NewEntry(kind=kind, body=body)])


def check_accounts(entries: Callable[[], Sequence]) -> AccountsFold:
    """I1 to I3: what every book must satisfy, whatever was logged; returns the fold."""
    fold = AccountsFold()
    fold.take_all(entries())
    for contract in fold.contracts.values():
        check_book(contract)
    return fold


def check_book(contract) -> None:
    """Recount a contract's book from its transfers alone, then look at its periods."""
    book = contract.book
    posted: Counter[str] = Counter()
    held: Counter[str] = Counter()
    pending = {}
    for transfer in book:
        assert transfer.amount > 0
        assert transfer.debit != transfer.credit
        match transfer.phase.value:
            case "pending":
                pending[transfer.id] = transfer
                held[transfer.debit] += transfer.amount
            case "posted":
                _move(posted, transfer)
            case ended:
                before = pending.pop(transfer.pending_id)
                held[before.debit] -= before.amount
                assert transfer.amount <= before.amount
                if ended == "post":
                    _move(posted, transfer)
        for account in ("buyer:escrow", "buyer:cash", "deposit"):
            assert posted[account] - held[account] >= 0, f"I2: {account} is overdrawn"
    assert sum(posted.values()) == 0, "I1: debits and credits differ"
    again = list(book)
    assert book.apply(again) == 0, "I4: applying transfers again moved something"


def _move(posted: Counter[str], transfer) -> None:
    posted[transfer.debit] -= transfer.amount
    posted[transfer.credit] += transfer.amount
