"""A statement is logged when it says something new, and never twice."""

from __future__ import annotations

from hashlib import sha256

from ledger_samples import EPOCH_MS, SampleNode, entry_of, signer
from wattest.ledger import EntryKind, Ledger
from wattest.operations.live.settling import SETTLE_MS, Settling, remember
from wattest.operations.settler import Drawn, Settler
from wattest.settlement import Cutoff, Terms, parse_terms, terms_to_cbor
from wattest.store import MemoryStore
from wattest.wire import parse_enrolment, parse_record

HOUR_MS = 3_600_000
TERMS = """
contract = "mill"
seller = "owner"
buyer = "bakery"
assets = ["turbine"]
currency = "EUR"
period = { kind = "fixed", start = 2026-01-01T00:00:00Z, duration_s = 3600 }
policy = { cutoff_delay_s = 600, final_after_s = 7200 }

[[line]]
template = "PAY_PER_USE"
code = "use"
quantity = "import_energy"
unit = "Wh"
price = "1"
"""


class Bench:
    """A ledger with one node that reads once a minute, and the settler beside it."""

    def __init__(self, terms: str = TERMS) -> None:
        self.terms: Terms = parse_terms(terms, "mill.toml")
        self.ledger = Ledger(MemoryStore(), signer())
        self.settler = self.new_settler()
        self.settler.log_terms(self.ledger)
        self.node = SampleNode()
        entry = self.node.enrolment()
        (receipt,) = self.ledger.append([entry])
        self.settler.enrol(parse_enrolment(entry.body), receipt.index)

    def new_settler(self) -> Settler:
        return Settler([self.terms], start_ms=EPOCH_MS, end_ms=EPOCH_MS + 10 * HOUR_MS)

    def meter(self, *seqs: int) -> None:
        """Log readings of 10 Wh a minute."""
        for seq in seqs:
            data = self.node.sealed(seq, seq * 10_000)
            self.node.prev = sha256(data).digest()
            (receipt,) = self.ledger.append([entry_of(data)])
            self.settler.add(parse_record(data), index=receipt.index)

    def settle(self, hours: float) -> list[Drawn]:
        cutoff = Cutoff(size=self.ledger.size, root=self.ledger.root())
        now_ms = EPOCH_MS + int(hours * HOUR_MS)
        return self.settler.settle_due(self.ledger, cutoff, now_ms=now_ms)

    @property
    def logged(self) -> int:
        return sum(entry.kind == EntryKind.STATEMENT for entry in self.ledger.entries())


def outcomes(drawn: list[Drawn]) -> list[tuple[int, str, str, bool]]:
    return [
        (d.statement.generation, d.statement.state.value, d.statement.total, d.new) for d in drawn
    ]


def test_nothing_is_drawn_before_the_cutoff() -> None:
    bench = Bench()
    bench.meter(1, 30, 60)
    assert outcomes(bench.settle(1.1)) == []
    assert outcomes(bench.settle(1.17)) == [(1, "provisional", "590.00", True)]


def test_settling_again_logs_nothing_and_names_the_entry_that_says_it() -> None:
    bench = Bench()
    bench.meter(1, 30, 60)
    (first,) = bench.settle(1.2)
    size = bench.ledger.size
    (again,) = bench.settle(1.9)
    assert bench.ledger.size == size
    assert (again.index, again.new) == (first.index, False)
    assert again.statement.to_cbor() == first.statement.to_cbor()


def test_a_late_record_makes_the_next_generation_over_the_whole_period() -> None:
    bench = Bench()
    bench.meter(1, 30)
    assert outcomes(bench.settle(1.2)) == [(1, "provisional", "290.00", True)]
    bench.meter(60)
    assert outcomes(bench.settle(1.3)) == [(2, "provisional", "590.00", True)]
    assert bench.logged == 2


def test_a_record_that_changes_nothing_makes_no_generation() -> None:
    bench = Bench()
    bench.meter(1, 60, 61)
    bench.settle(1.2)
    bench.meter(200)
    assert [d.new for d in bench.settle(1.3)] == [False]


def test_after_final_after_the_last_generation_is_final_and_nothing_follows() -> None:
    bench = Bench()
    bench.meter(1, 60)
    bench.settle(1.2)
    drawn = [d for d in bench.settle(3.1) if d.statement.period.start_ms == EPOCH_MS]
    assert outcomes(drawn) == [(2, "final", "590.00", True)]
    bench.meter(30)
    assert [d for d in bench.settle(3.2) if d.statement.period.start_ms == EPOCH_MS] == []


def test_a_settler_that_starts_again_goes_on_with_the_generations_of_before() -> None:
    bench = Bench()
    bench.meter(1, 30)
    bench.settle(1.2)
    entries = list(bench.ledger.entries())
    bench.settler = bench.new_settler()
    for entry in entries:
        if entry.kind == EntryKind.ENROLMENT:
            bench.settler.enrol(parse_enrolment(entry.body), entry.index)
        elif entry.kind == EntryKind.READING:
            bench.settler.add(parse_record(entry.body), index=entry.index)
    remember(bench.settler, entries)
    assert [d.new for d in bench.settle(1.2)] == [False]
    bench.meter(60)
    assert outcomes(bench.settle(1.3)) == [(2, "provisional", "590.00", True)]


def test_a_settled_period_keeps_the_terms_it_was_drawn_by() -> None:
    bench = Bench()
    bench.meter(1, 30)
    bench.settle(1.2)
    dearer = parse_terms(TERMS.replace('price = "1"', 'price = "2"'), "mill.toml")
    later = Bench.__new__(Bench)
    later.__dict__.update(bench.__dict__)
    later.terms = dearer
    later.settler = later.new_settler()
    for entry in bench.ledger.entries():
        if entry.kind == EntryKind.ENROLMENT:
            later.settler.enrol(parse_enrolment(entry.body), entry.index)
        elif entry.kind == EntryKind.READING:
            later.settler.add(parse_record(entry.body), index=entry.index)
    remember(later.settler, bench.ledger.entries())
    later.meter(60, 90, 120)
    totals = {
        (d.statement.period.start_ms - EPOCH_MS) // HOUR_MS: d.statement.total
        for d in later.settle(2.2)
    }
    assert totals == {0: "590.00", 1: "1200.00"}


def test_a_period_the_contract_is_not_in_force_in_has_no_statement() -> None:
    bench = Bench("end = 2026-01-01T01:00:00Z\n" + TERMS)
    bench.meter(1, 60, 120)
    assert len(bench.settle(4)) == 1


def test_a_live_collection_logs_what_is_due_once_an_hour() -> None:
    bench = Bench()
    bench.meter(1, 60, 61)
    settling = Settling(bench.ledger, bench.settler)
    now_ms = EPOCH_MS + int(1.2 * HOUR_MS)
    told = list(settling.tell(now_ms))
    assert [event.index is None for event in told] == [False, True]
    bench.meter(30)
    assert [event.index for event in settling.tell(now_ms + SETTLE_MS - 1)] == [None]
    assert bench.logged == 1
    assert terms_to_cbor(bench.terms) in [entry.body for entry in bench.ledger.entries()]


def test_statements_about_assets_of_another_bench_are_left_to_it() -> None:
    bench = Bench()
    bench.meter(1, 60, 61)
    bench.settle(1.2)
    fresh = bench.new_settler()
    for entry in bench.ledger.entries():
        if entry.kind == EntryKind.ENROLMENT:
            fresh.enrol(parse_enrolment(entry.body), entry.index)
        elif entry.kind == EntryKind.READING:
            fresh.add(parse_record(entry.body), index=entry.index)
    bench.settler = fresh
    remember(fresh, bench.ledger.entries(), assets={"roof"})
    assert outcomes(bench.settle(1.2)) == [(1, "provisional", "590.00", True)]
    remember(fresh, bench.ledger.entries(), assets={"turbine", "roof"})
    assert [d.new for d in bench.settle(1.2)] == [False]
