"""The accounts of a real ledger: signed acts, records, statements, folded from their bytes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ledger_samples import EPOCH_MS, SampleNode, entry_of, signer
from wattest.ledger import EntryKind, Ledger
from wattest.operations.party_key import PartyKey
from wattest.operations.settler import Settler
from wattest.settlement import Cutoff, parse_terms, terms_hash
from wattest.settlement.accounts import ESCROW, INCOME
from wattest.settlement.folding import AccountsFold, problems
from wattest.settlement.lifecycle import ContractState, PeriodState, contract_state, periods_of
from wattest.store import MemoryStore
from wattest.wire import (
    Agreement,
    DisputeAct,
    PaymentAct,
    PaymentKind,
    ResolutionAct,
    parse_enrolment,
    parse_record,
)

HOUR_MS = 3_600_000
START_MS = EPOCH_MS + 60_000
TERMS = """
contract = "mill"
seller = "owner"
buyer = "bakery"
assets = ["turbine"]
currency = "EUR"
start = 2026-01-01T00:01:00Z
end = 2026-01-01T02:01:00Z
period = { kind = "fixed", start = 2026-01-01T00:01:00Z, duration_s = 3600 }
policy = { cutoff_delay_s = 600, final_after_s = 7200 }

[[line]]
template = "PAY_PER_USE"
code = "use"
quantity = "import_energy"
unit = "Wh"
price = "0.01"
"""
OWNER, BAKERY = PartyKey.from_secret(b"owner"), PartyKey.from_secret(b"bakery")
KEYS = {"owner": OWNER, "bakery": BAKERY}


class Bench:
    """A ledger with a node, a contract and its parties."""

    def __init__(self) -> None:
        self.terms = parse_terms(TERMS, "mill.toml")
        self.ledger = Ledger(MemoryStore(), signer())
        self.settler = Settler([self.terms], start_ms=START_MS, end_ms=START_MS + 2 * HOUR_MS)
        self.settler.log_terms(self.ledger)
        self.node = SampleNode()
        entry = self.node.enrolment()
        (receipt,) = self.ledger.append([entry])
        self.settler.enrol(parse_enrolment(entry.body), receipt.index)

    def act(
        self, kind: type[Any], party: str, *, key: PartyKey | None = None, **fields: Any
    ) -> int:
        act = kind(contract="mill", party=party, time_ms=START_MS, **fields)
        entry = (key or KEYS[party]).entry(act)
        self.last = sha256(entry.body).digest()
        (receipt,) = self.ledger.append([entry])
        return receipt.index

    def agree(self) -> None:
        for party, key in KEYS.items():
            self.act(Agreement, party, terms=terms_hash(self.terms), public_key=key.public_key)

    def fund(self, amount: int) -> None:
        self.act(
            PaymentAct,
            "bakery",
            what=PaymentKind.FUND,
            amount_minor=amount,
            currency="EUR",
            reference="bank 1",
        )

    def meter(self, *minutes: int) -> None:
        """Log readings of 10 Wh a minute."""
        for minute in minutes:
            data = self.node.sealed(minute + 1, minute * 10_000)
            (receipt,) = self.ledger.append([entry_of(data)])
            self.settler.add(parse_record(data), index=receipt.index)

    def settle(self, hours: float) -> None:
        cutoff = Cutoff(size=self.ledger.size, root=self.ledger.root())
        self.settler.settle_due(self.ledger, cutoff, now_ms=START_MS + int(hours * HOUR_MS))

    def fold(self) -> AccountsFold:
        fold = AccountsFold()
        fold.take_all(self.ledger.entries())
        return fold


def book(fold: AccountsFold, account: str) -> tuple[int, int]:
    """Posted, and pending on the way out."""
    balance = fold.contracts["mill"].book.balance(account, "EUR")
    return balance.posted, balance.debits_pending


def test_a_contract_from_draft_to_closed() -> None:
    bench = Bench()
    states = []

    def look(hours: float) -> None:
        contract = bench.fold().contracts["mill"]
        now_ms = START_MS + int(hours * HOUR_MS)
        periods = periods_of(contract, start_ms=START_MS, now_ms=now_ms)
        states.append((contract_state(contract, now_ms=now_ms), [p.state for p in periods]))

    look(-1)
    bench.agree()
    look(-1)
    bench.fund(2_000)
    look(-1)
    bench.meter(0, 1, 60, 120)
    look(0.5)
    look(1.2)
    bench.settle(1.2)
    look(1.2)
    bench.settle(4.5)
    look(4.5)
    one, two = PeriodState.OPEN, PeriodState.SETTLED
    assert states == [
        (ContractState.DRAFT, []),
        (ContractState.SIGNED, []),
        (ContractState.FUNDED, []),
        (ContractState.ACTIVE, [one]),
        (ContractState.ACTIVE, [PeriodState.CUTOFF, one]),
        (ContractState.ACTIVE, [two, one]),
        (ContractState.CLOSED, [PeriodState.FINAL, PeriodState.FINAL]),
    ]
    assert book(bench.fold(), INCOME) == (1_200, 0)
    assert book(bench.fold(), ESCROW) == (0, 0)


def test_a_node_that_signs_two_contents_for_one_number_holds_money_back_by_itself() -> None:
    """Between the neighbours of number 30, from minute 20 to 40, 200 Wh flowed: 2.00."""
    bench = Bench()
    bench.agree()
    bench.fund(2_000)
    bench.meter(0, 10, 20, 30, 40, 60, 120)
    bench.ledger.append([entry_of(bench.node.sealed(31, 999_000))])
    kinds = [entry.kind for entry in bench.ledger.entries()][-2:]
    assert kinds == [EntryKind.FINDING, EntryKind.DISPUTE]
    bench.settle(1.2)
    fold = bench.fold()
    (case,) = fold.contracts["mill"].disputes.values()
    (claim,) = case.claims
    minutes = [(t - START_MS) // 60_000 for t in (claim.window.start_ms, claim.window.end_ms)]
    assert (case.party, minutes) == ("", [20, 40])
    assert book(fold, INCOME) == (400, 0)
    held = [t for t in fold.contracts["mill"].book.pending() if t.code == "use"]
    assert [t.amount for t in held] == [200]
    for party in KEYS:
        bench.act(ResolutionAct, party, dispute=case.digest, granted=50_000, text="half of it")
    assert book(bench.fold(), INCOME) == (450, 0)


def test_what_a_party_disputes_is_measured_where_it_does_not_say_how_much() -> None:
    bench = Bench()
    bench.agree()
    bench.meter(0, 10, 60)
    bench.settle(1.2)
    bench.act(
        DisputeAct,
        "bakery",
        period=(START_MS, START_MS + HOUR_MS),
        line="use",
        window=(START_MS + 600_000, START_MS + 1_800_000),
        reason="nothing turned",
    )
    fold = bench.fold()
    assert problems(fold) == []
    held = [t for t in fold.contracts["mill"].book.pending() if t.code == "use"]
    assert [(t.debit, t.amount) for t in held] == [("buyer:due", 200)]


def test_records_that_came_after_the_final_statement_move_nothing_and_ground_a_dispute() -> None:
    bench = Bench()
    bench.agree()
    bench.fund(2_000)
    bench.meter(0, 10, 60, 120)
    bench.settle(4.5)
    claim = {
        "period": (START_MS, START_MS + HOUR_MS),
        "line": "use",
        "window": (START_MS, START_MS + HOUR_MS),
        "quantity": 30_000,
    }
    bench.act(DisputeAct, "owner", reason="too little", **claim)
    assert "the period is final" in problems(bench.fold())[0][1]
    bench.meter(30)
    size = len(bench.fold().contracts["mill"].book)
    bench.settle(5)
    assert len(bench.fold().contracts["mill"].book) == size
    assert bench.fold().evidence.late_final(bench.fold().contracts["mill"]) == {START_MS: 1}


def test_acts_of_strangers_and_with_other_keys_move_nothing() -> None:
    bench = Bench()
    bench.agree()
    index = bench.act(
        PaymentAct,
        "bakery",
        key=OWNER,
        what=PaymentKind.FUND,
        amount_minor=5,
        currency="EUR",
        reference="mine",
    )
    fold = bench.fold()
    assert len(fold.contracts["mill"].book) == 0
    assert problems(fold)[0][0] == index
    assert "step 4" in problems(fold)[0][1]


def test_the_fold_of_every_prefix_is_a_prefix_of_the_fold() -> None:
    bench = Bench()
    bench.agree()
    bench.fund(2_000)
    bench.meter(0, 10, 60, 120)
    bench.settle(1.2)
    bench.settle(4.5)
    entries = list(bench.ledger.entries())
    whole = list(bench.fold().contracts["mill"].book)
    for size in range(1, len(entries)):
        fold = AccountsFold()
        fold.take_all(entries[:size])
        book_of = list(fold.contracts["mill"].book)
        assert book_of == whole[: len(book_of)]
        assert all(transfer.cause < size for transfer in book_of)


def test_the_same_act_logged_twice_moves_once() -> None:
    bench = Bench()
    bench.agree()
    bench.fund(2_000)
    before = len(bench.fold().contracts["mill"].book)
    bench.fund(2_000)
    assert len(bench.fold().contracts["mill"].book) == before
