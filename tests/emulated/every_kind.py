"""A kept run whose ledger holds an entry of every kind, its newest checkpoint witnessed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from run_harness import AFTER_CLONE, Bench

from wattest.ledger import CheckpointSigner, EntryKind, NewEntry
from wattest.ledger.cosignature import Cosigner
from wattest.operations.accounting.desk import AccountsDesk
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.operations.virtual.deeds import party_key
from wattest.store import SqliteStore
from wattest.wire import Anchor, KeyRotation, LoggedEstimate
from wattest.wire.note import parse_note

SEED = 7
CLONE = f'kind = "clone"\nnode = "feeder"\nat = "31s"\nfor = "30s"\n{AFTER_CLONE}'
DEEDS = """
[[action]]
kind = "fund"
contract = "supply"
party = "grid"
amount = "1.00"
reference = "transfer-1"
at = "10s"

[[action]]
kind = "dispute"
name = "minute"
contract = "supply"
party = "owner"
line = "energy"
from = "70s"
to = "110s"
reason = "the feeder was off"
at = "2h"

[[action]]
kind = "resolve"
contract = "supply"
dispute = "minute"
granted = "0.001"
text = "the meter was right"
at = "3h"
"""
WITNESS = Cosigner("witness.example/w", bytes([9]) * 32)


def keep_every_kind(out: Path) -> None:
    """Keep a run, then log what a run does not log by itself."""
    played = Bench(duration="2m", interval="20s", faults=[CLONE], extra=DEEDS, contract=True).play(
        out=out
    )
    assert played.end.reasons == ()
    with AccountsDesk(out) as desk:
        newest = desk.ledger.checkpoint()
        assert newest is not None
        size, root = newest.checkpoint.size, newest.checkpoint.root
        anchor = Anchor(
            size=size, root=root, method="print", place="a wall", evidence=b"ink", time_ms=1
        )
        estimate = LoggedEstimate(
            asset="feeder",
            quantity="import_energy",
            window=(0, 1),
            count=1,
            model=bytes(32),
            inputs=sha256(b"wind").digest(),
            made_ms=2,
        )
        desk.log(
            [
                NewEntry(kind=EntryKind.ANCHOR, body=anchor.to_cbor()),
                NewEntry(kind=EntryKind.ESTIMATE, body=estimate.to_cbor()),
            ]
        )
        rotation = KeyRotation(
            contract="supply",
            party="owner",
            time_ms=3,
            public_key=party_key(SEED, "owner's next").public_key,
        )
        desk.act(rotation, party_key(SEED, "owner"))
    run = RunDir(out)
    with AccountsDesk(out) as desk:
        successor = CheckpointSigner("wattest/short", bytes([5]) * 32)
        desk.ledger.rotate(successor)
    with SqliteStore(run.ledger) as store:
        head = store.head().checkpoint
        assert head is not None
        line = WITNESS.sign(parse_note(head.note).text, 1_800_000_000).line
        store.add_cosignatures(head.size, [line.encode()])
    run.witnesses.write_text(WITNESS.key.to_text() + "\n")
    run.write_json({**run.read_json(), CHECKPOINT_KEY: successor.verifier.to_text()})
    run.write_digests()
