"""Settlement over a change of keys: both keys count, and a statement is drawn again the same."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from ledger_samples import EPOCH_MS, SampleNode, entry_of, signer
from wattest.data import data_root
from wattest.ledger import EntryKind, Ledger
from wattest.operations.settler import Settler
from wattest.scenario import load_scenario
from wattest.settlement import (
    Cutoff,
    Line,
    ReadingBook,
    Statement,
    node_of_enrolment,
    recompute,
    terms_from_cbor,
    terms_hash,
)
from wattest.store import MemoryStore
from wattest.wire import EnrolmentAction, parse_enrolment, parse_record

HOUR_MS = 3_600_000


class Bench:
    """A ledger, and the settler beside it as a run feeds it."""

    def __init__(self) -> None:
        base = load_scenario(data_root() / "bench" / "scenarios" / "replay.toml")
        contracts = tuple(replace(terms, assets=("turbine",)) for terms in base.contracts)
        self.ledger = Ledger(MemoryStore(), signer())
        self.settler = Settler(contracts, start_ms=EPOCH_MS, end_ms=EPOCH_MS + HOUR_MS)
        self.settler.log_terms(self.ledger)

    def enrol(self, node: SampleNode, **changes: object) -> None:
        entry = node.enrolment(**changes)
        (receipt,) = self.ledger.append([entry])
        self.settler.enrol(parse_enrolment(entry.body), receipt.index)

    def meter(self, node: SampleNode, seqs: range, first_milliwh: int) -> None:
        for place, seq in enumerate(seqs):
            data = node.sealed(seq, first_milliwh + 1000 * place)
            node.prev = sha256(data).digest()
            (receipt,) = self.ledger.append([entry_of(data)])
            self.settler.add(parse_record(data), index=receipt.index)

    def settle(self) -> list[Statement]:
        cutoff = Cutoff(size=self.ledger.size, root=self.ledger.root())
        return [drawn.statement for drawn in self.settler.settle(self.ledger, cutoff)]

    def audit(self) -> int:
        """Draw every logged statement again from the entries alone, as an audit does."""
        book, nodes, terms, drawn = ReadingBook(), [], {}, 0
        for entry in self.ledger.entries():
            if entry.kind == EntryKind.ENROLMENT:
                nodes.append(node_of_enrolment(parse_enrolment(entry.body), index=entry.index))
            elif entry.kind == EntryKind.READING:
                book.add(parse_record(entry.body), index=entry.index)
            elif entry.kind == EntryKind.TERMS:
                contract = terms_from_cbor(entry.body)
                terms[terms_hash(contract)] = contract
            elif entry.kind == EntryKind.STATEMENT:
                recompute(entry.body, terms=terms, readings=book.readings(), nodes=nodes)
                drawn += 1
        return drawn


def lines(statements: list[Statement]) -> list[Line]:
    return [line for statement in statements for line in statement.lines]


def test_retiring_a_key_changes_no_statement_about_what_it_metered() -> None:
    plain, retired = Bench(), Bench()
    for bench in (plain, retired):
        node = SampleNode()
        bench.enrol(node)
        bench.meter(node, range(1, 30), 0)
        if bench is retired:
            bench.enrol(node, action=EnrolmentAction.RETIRE)
    before, after = plain.settle(), retired.settle()
    assert [line.metered for line in lines(before)] == [0, 28_000]
    assert [line.metered for line in lines(after)] == [0, 28_000]
    assert retired.audit() == len(after) > 0


def test_both_keys_of_a_node_are_settled_over_the_change() -> None:
    one, two = Bench(), Bench()
    alone = SampleNode()
    one.enrol(alone)
    one.meter(alone, range(1, 59), 0)
    old, new = SampleNode(), SampleNode(2)
    two.enrol(old)
    two.meter(old, range(1, 31), 0)
    two.enrol(new, action=EnrolmentAction.REKEY, replaces=old.kid)
    two.meter(new, range(31, 59), 30_000)
    whole, parts = one.settle(), two.settle()
    assert two.audit() == len(parts) > 0
    (_, drawn), (_, over) = lines(whole), lines(parts)
    (usage,) = over.usage
    assert drawn.metered == 57_000
    assert over.metered == 56_000, "what flowed between the last and the first record is a gap"
    assert [key.quantity for key in usage.keys] in ([29_000, 27_000], [27_000, 29_000])
    assert len(usage.gaps) == 3
