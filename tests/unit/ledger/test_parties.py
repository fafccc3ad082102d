"""Acts are judged by what stands before them in the ledger: terms, keys, disputes."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ledger_samples import SampleNode, entry_of, fill, signer
from party_samples import Party
from wattest.errors import CoseError, VerificationError
from wattest.ledger import Entry, EntryKind, Ledger
from wattest.ledger.evidence_acts import ActChecks
from wattest.ledger.parties import Parties
from wattest.store import MemoryStore
from wattest.wire import (
    Agreement,
    Anchor,
    DisputeAct,
    KeyRotation,
    MachineDispute,
    ResolutionAct,
    seal_act,
)

TERMS = sha256(b"terms").digest()
PERIOD = (0, 86_400_000)


class Actor(Party):
    """Agrees and disputes."""

    def agree(self, terms: bytes = TERMS, contract: str = "wind") -> bytes:
        return self.act(Agreement, contract, terms=terms, public_key=self.public)

    def dispute(self, contract: str = "wind") -> bytes:
        return self.act(
            DisputeAct, contract, period=PERIOD, line="energy", window=PERIOD, reason="doubt"
        )


SELLER, BUYER, OTHER = Actor(1, "seller"), Actor(2, "buyer"), Actor(3, "buyer")


@pytest.fixture
def parties() -> Parties:
    known = Parties()
    known.add_terms(TERMS, "wind", {"seller": None, "buyer": BUYER.public})
    return known


def test_both_agree_and_act(parties: Parties) -> None:
    parties.take(SELLER.agree())
    assert parties.agreed("wind", TERMS) == {"seller"}
    parties.take(BUYER.agree())
    assert parties.agreed("wind", TERMS) == {"seller", "buyer"}
    dispute = BUYER.dispute()
    parties.take(dispute)
    parties.add_dispute(dispute, "wind")
    resolution = {"dispute": sha256(dispute).digest(), "granted": 0, "text": "agreed"}
    assert parties.take(SELLER.act(ResolutionAct, **resolution)).act.granted == 0
    assert parties.key("wind", "buyer") == BUYER.public


def test_act_without_its_terms_is_refused(parties: Parties) -> None:
    with pytest.raises(VerificationError, match="step 2: terms of contract 'sun'"):
        parties.take(SELLER.agree(contract="sun"))


def test_act_of_somebody_else_is_refused(parties: Parties) -> None:
    with pytest.raises(VerificationError, match="step 3: one of buyer, seller expected, got 'me'"):
        parties.take(Actor(9, "me").agree())


def test_agreement_by_another_key_than_the_pinned_one_is_refused(parties: Parties) -> None:
    with pytest.raises(VerificationError, match="step 4: the key buyer is known by"):
        parties.take(OTHER.agree())


def test_agreement_by_another_key_than_before_is_refused(parties: Parties) -> None:
    parties.take(SELLER.agree())
    with pytest.raises(VerificationError, match="step 4"):
        parties.take(Actor(7, "seller").agree())


def test_agreement_signed_by_another_key_than_it_names_is_refused(parties: Parties) -> None:
    act = Agreement(
        contract="wind", party="seller", time_ms=1, terms=TERMS, public_key=SELLER.public
    )
    with pytest.raises(VerificationError, match="step 4: key"):
        parties.take(seal_act(act, OTHER.public, OTHER.sign))
    with pytest.raises(VerificationError, match="step 5: signature does not match"):
        parties.take(seal_act(act, SELLER.public, OTHER.sign))


def test_act_before_any_agreement_is_refused(parties: Parties) -> None:
    with pytest.raises(VerificationError, match="step 4: an agreement of buyer expected before"):
        parties.take(BUYER.dispute())


def test_key_is_changed_by_the_old_one_only(parties: Parties) -> None:
    parties.take(SELLER.agree())
    new = Actor(8, "seller")
    with pytest.raises(VerificationError, match="step 4"):
        parties.take(new.act(KeyRotation, public_key=new.public))
    parties.take(SELLER.act(KeyRotation, public_key=new.public))
    with pytest.raises(VerificationError, match="step 4"):
        parties.take(SELLER.dispute())
    parties.take(new.dispute())


def test_references_must_be_in_the_ledger(parties: Parties) -> None:
    with pytest.raises(VerificationError, match="step 6: terms"):
        parties.take(SELLER.agree(terms=bytes(32)))
    parties.take(SELLER.agree())
    with pytest.raises(VerificationError, match="step 6: dispute"):
        parties.take(SELLER.act(ResolutionAct, dispute=bytes(32), granted=1, text="no"))


def test_record_is_no_act(parties: Parties) -> None:
    with pytest.raises(CoseError, match="typ"):
        parties.take(SampleNode().reading())


def run_checks(store: MemoryStore, entries: list[Entry] | None = None) -> list[str]:
    checks = ActChecks()
    checks.parties.add_terms(TERMS, "wind", {"seller": None, "buyer": None})
    found = []
    for entry in store.entries() if entries is None else entries:
        found += [f"{entry.index}: {line}" for line in checks.see(entry)]
        if entry.kind in checks.checks:
            found += [f"{entry.index}: {line}" for line in checks.checks[entry.kind](entry)]
    return found + [f"{index}: {line}" for index, line in checks.finish(store.conflicts())]


@pytest.fixture
def disputed() -> MemoryStore:
    store = MemoryStore()
    ledger, node = Ledger(store, signer()), SampleNode()
    fill(ledger, node, 3)
    ledger.append([entry_of(node.sealed(2, 999_000))])
    return store


def entry(index: int, kind: int, body: bytes) -> Entry:
    return Entry(index=index, kind=kind, body=body, leaf=bytes(32))


def test_conflict_with_its_dispute_is_sound(disputed: MemoryStore) -> None:
    assert run_checks(disputed) == []


def test_conflict_without_its_dispute_is_named(disputed: MemoryStore) -> None:
    entries = list(disputed.entries())
    found = run_checks(disputed, entries[:-1])
    assert found == ["4: the dispute over this conflict expected in the next entry"]
    found = run_checks(disputed, [*entries[:-1], entry(5, EntryKind.TERMS, b"terms")])
    assert found[0] == "5: the dispute over the conflict in entry 4 expected here"


def test_dispute_over_nothing_and_over_another_first_content_is_named(
    disputed: MemoryStore,
) -> None:
    entries = list(disputed.entries())
    assert run_checks(MemoryStore(), [entries[0], entries[-1]]) == [
        "5: it disputes a conflict that is not in the entry before it"
    ]
    kid = SampleNode().kid
    other = MachineDispute(kid=kid, ctx=0, seq=2, first_index=1, finding_index=4).to_cbor()
    found = run_checks(disputed, [*entries[:-1], entry(5, EntryKind.DISPUTE, other)])
    assert found == ["5: entry 2 expected as the first content, got 1"]


def test_act_under_another_kind_is_named() -> None:
    found = run_checks(MemoryStore(), [entry(0, EntryKind.PAYMENT, SELLER.agree())])
    assert found == ["0: an act of another kind expected, got agree"]


def test_bodies_that_are_none_are_named() -> None:
    for kind in (EntryKind.AGREEMENT, EntryKind.DISPUTE, EntryKind.ROTATION, EntryKind.ESTIMATE):
        assert len(run_checks(MemoryStore(), [entry(0, kind, b"\xa0")])) >= 1
    body = Anchor(
        size=5, root=bytes(32), method="witness", place="w", evidence=b"", time_ms=1
    ).to_cbor()
    found = run_checks(MemoryStore(), [entry(4, EntryKind.ANCHOR, body)])
    assert found == ["4: an anchor of at most 4 entries expected, got 5"]
