"""A small kept run made by hand: a ledger with two readings and their statement, and run.json."""

from __future__ import annotations

from pathlib import Path

from wattest.ledger import CheckpointSigner, EntryKind, Ledger, NewEntry
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir
from wattest.settlement import (
    Cutoff,
    MeteringNode,
    SettlementReading,
    Statement,
    parse_terms,
    period_at,
    settle,
    terms_to_cbor,
)
from wattest.store import SqliteStore

NOON_MS = 1_767_268_800_000
KID = bytes(range(8))
OBIS_IMPORT = bytes.fromhex("0100010800ff")
TERMS = """
contract = "kettle"
title = "Water for tea"
seller = "grid"
buyer = "kitchen"
assets = ["kettle"]
currency = "EUR"
rounding = "half_even"
zone = "UTC"

[period]
kind = "calendar"
unit = "day"

[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "0.30"
"""


def statement_of_kettle() -> Statement:
    """Price 2 kWh between two readings of an emulated node."""
    terms = parse_terms(TERMS, "kettle.toml")
    node = MeteringNode(kid=KID, asset="kettle", kind=1, demo=True, power_max_milliwatts=5_000_000)
    readings = [
        SettlementReading(
            kid=KID,
            ctx=0,
            seq=number + 1,
            bootcount=1,
            mono_ms=1000 + number * 3_600_000,
            time_ms=NOON_MS + number * 3_600_000,
            registers={OBIS_IMPORT: number * 2_000_000},
            index=number,
            payload_digest=bytes([number]) * 32,
        )
        for number in range(2)
    ]
    cutoff = Cutoff(size=3, root=bytes(32))
    period = period_at(terms, NOON_MS)
    assert period is not None
    return settle(terms, readings, period, nodes=[node], cutoff=cutoff)


def make_kept_run(folder: Path) -> RunDir:
    """Write a run with four entries into ``folder``."""
    run = RunDir(folder)
    run.make(scenario="")
    signer = CheckpointSigner("wattest/test", bytes(32))
    terms = parse_terms(TERMS, "kettle.toml")
    with SqliteStore(run.ledger) as store:
        ledger = Ledger(store, signer)
        ledger.append([NewEntry(kind=EntryKind.TERMS, body=terms_to_cbor(terms))])
        ledger.append([NewEntry(kind=EntryKind.FINDING, body=b"\xa0")] * 2)
        body = statement_of_kettle().to_cbor()
        ledger.append([NewEntry(kind=EntryKind.STATEMENT, body=body)])
    run.write_json({CHECKPOINT_KEY: signer.verifier.to_text()})
    return run
