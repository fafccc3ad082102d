"""The base bundles: four small ledgers, the same bytes each time."""

from __future__ import annotations

from typing import NamedTuple

from evidence_bench import EPOCH_MS, MINUTE_MS, Bench, Meter, Signer, witness

from wattest.ledger import EntryKind
from wattest.ledger.cosignature import Cosigner
from wattest.store import SqliteStore
from wattest.wire.act import Agreement, DisputeAct, PaymentAct, PaymentKind, ResolutionAct
from wattest.wire.entries import LoggedEstimate

HOUR_MS = 60 * MINUTE_MS
PERIOD = (EPOCH_MS, EPOCH_MS + HOUR_MS)
CONTRACT = "lamp"
PLAIN = """
contract = "lamp"
seller = "lake"
buyer = "cabin"
assets = ["lamp"]
currency = "EUR"
[period]
kind = "fixed"
start = 2026-01-01T00:00:00Z
duration_s = 3600
[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "0.35"
[[line]]
template = "SUBSCRIPTION"
code = "base"
amount = "1.25"
"""
_BOOT, _TIME_SET = 1, 2


class Scene(NamedTuple):
    """A bundle and whoever took part in its making."""

    bench: Bench
    data: bytes
    meters: tuple[Meter, ...]
    parties: dict[str, Signer]
    witnesses: tuple[Cosigner, ...]


def pinned_terms(parties: dict[str, Signer], witnesses: tuple[Cosigner, ...]) -> str:
    """Return terms that pin both parties' keys and ask for one of the witnesses."""
    keys = ", ".join(f'"{w.key.to_text()}"' for w in witnesses)
    pins = "\n".join(f'{name} = "{key.public_key.hex()}"' for name, key in parties.items())
    return f"{PLAIN}\n[party_keys]\n{pins}\n[witness]\nthreshold = 1\nkeys = [{keys}]\n"


def statement_scene(store: SqliteStore | None = None) -> Scene:
    """Two generations, a conflict, a dispute and its resolution, under signed terms."""
    bench = Bench(1, store)
    parties = {"cabin": Signer(50), "lake": Signer(51)}
    witnesses = (witness(1), witness(2))
    lamp, other = Meter(1, "lamp"), Meter(2, "other")
    bench.log_terms(pinned_terms(parties, witnesses))
    common = {"contract": CONTRACT, "time_ms": EPOCH_MS - 30 * MINUTE_MS}
    for name, key in parties.items():
        agreement = Agreement(
            **common, party=name, terms=bench.digest(CONTRACT), public_key=key.public_key
        )
        bench.append(EntryKind.AGREEMENT, key.act(agreement))
    bench.enrol(lamp.enrolment())
    bench.enrol(other.enrolment())
    late = b""
    for number, pair in enumerate(zip(_minutes(lamp), _minutes(other), strict=True)):
        if number == 5:
            late = pair[0]
            bench.add(pair[1])
        else:
            bench.add(*pair)
        if number == 3:
            bench.add(_second_content(lamp))
    bench.settle(CONTRACT, *PERIOD)
    dispute = DisputeAct(
        contract=CONTRACT,
        party="cabin",
        time_ms=EPOCH_MS + 80 * MINUTE_MS,
        period=PERIOD,
        line="energy",
        window=(EPOCH_MS + 20 * MINUTE_MS, EPOCH_MS + 40 * MINUTE_MS),
        reason="the lamp was off",
    )
    body = parties["cabin"].act(dispute)
    bench.append(EntryKind.DISPUTE, body)
    bench.add(late)
    _late_entries(bench, parties, body)
    bench.settle(CONTRACT, *PERIOD, generation=2)
    bench.cosign(*witnesses)
    bench.add(*other.readings([90]))
    return Scene(bench, bench.bundle(CONTRACT), (lamp, other), parties, witnesses)


def plain_scene(store: SqliteStore | None = None) -> Scene:
    """Terms nobody signed; a meter that boots within the period and learns the time later."""
    bench = Bench(2, store)
    lamp = Meter(1, "lamp")
    bench.log_terms(PLAIN)
    bench.enrol(lamp.enrolment(cfg=bytes(16)))
    bench.add(*lamp.readings([-5, 10, 25]))
    _boot_at(lamp, 27)
    lamp.import_milliwh += 20_000
    bench.add(_event(lamp, 27, {1: _BOOT, 2: 1, 3: 500, 4: 2, 5: 0}, timed=False, **{"268": 0}))
    lamp.import_milliwh += 20_000
    bench.add(lamp.seal(EPOCH_MS + 29 * MINUTE_MS, timed=False))
    new_ms = EPOCH_MS + 30 * MINUTE_MS
    bench.add(_event(lamp, 30, {1: _TIME_SET, 3: new_ms, 4: 2}))
    bench.add(*lamp.readings([45, 60, 75]))
    bench.settle(CONTRACT, *PERIOD, final=True)
    return Scene(bench, bench.bundle(CONTRACT), (lamp,), {}, ())


def opening_scene(store: SqliteStore | None = None) -> Scene:
    """A period whose begin was frozen by the final statement of the one before."""
    bench = Bench(6, store)
    lamp = Meter(1, "lamp")
    bench.log_terms(PLAIN)
    bench.enrol(lamp.enrolment())
    early = [*lamp.readings([-50, -10])]
    lamp.import_milliwh += 300_000
    (late,) = lamp.readings([-1])
    bench.add(*early, *lamp.readings([20]))
    bound = bench.ledger.size
    bench.settle(CONTRACT, PERIOD[0] - HOUR_MS, PERIOD[0], final=True)
    bench.add(late, *lamp.readings([40, 70]))
    bench.settle(CONTRACT, *PERIOD, opening=bound)
    return Scene(bench, bench.bundle(CONTRACT), (lamp,), {}, ())


def session_scene(store: SqliteStore | None = None) -> Scene:
    """A charging session among the readings of its node."""
    bench = Bench(3, store)
    post = Meter(3, "post")
    bench.enrol(post.enrolment())
    bench.add(*post.readings([0]))
    user = [True, "TRUSTED", [], "ISO14443", "RFID-0042"]
    for minute, tx in ((5, "B"), (20, "C"), (35, "E")):
        post.import_milliwh += 400_000
        at = EPOCH_MS + minute * MINUTE_MS
        bench.add(post.seal(at, 1, _9=tx, **({"_15": user} if tx == "B" else {})))
        bench.add(*post.readings([minute + 1]))
    return Scene(bench, bench.session(), (post,), {}, ())


def reading_scene(store: SqliteStore | None = None) -> Scene:
    """One reading of a node whose key was renewed in between."""
    bench = Bench(4, store)
    lamp = Meter(1, "lamp")
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings(range(0, 60, 10)))
    return Scene(bench, bench.reading(lamp, 4), (lamp,), {}, ())


SCENES = {
    "statement": statement_scene,
    "plain": plain_scene,
    "opening": opening_scene,
    "session": session_scene,
    "reading": reading_scene,
}


def _minutes(meter: Meter) -> list[bytes]:
    return [*meter.readings([-15, -5, 5, 15, 25, 35, 45, 55, 65, 75])]


def _second_content(meter: Meter) -> bytes:
    """Return another record under the number of the third reading."""
    seq, prev = [*meter.seq], meter.prev
    meter.seq[0] = 2
    meter.import_milliwh += 7
    data = meter.seal(EPOCH_MS + 6 * MINUTE_MS)
    meter.seq, meter.prev = seq, prev
    return data


def _late_entries(bench: Bench, parties: dict[str, Signer], dispute: bytes) -> None:
    """Log what parties and models say between two generations."""
    from hashlib import sha256

    for name, key in parties.items():
        resolution = ResolutionAct(
            contract=CONTRACT,
            party=name,
            time_ms=EPOCH_MS + 100 * MINUTE_MS,
            dispute=sha256(dispute).digest(),
            granted=60_000,
            text="half of it",
        )
        bench.append(EntryKind.RESOLUTION, key.act(resolution))
    payment = PaymentAct(
        contract=CONTRACT,
        party="cabin",
        time_ms=EPOCH_MS + 110 * MINUTE_MS,
        what=PaymentKind.FUND,
        amount_minor=500,
        currency="EUR",
        reference="transfer 17",
    )
    bench.append(EntryKind.PAYMENT, parties["cabin"].act(payment))
    estimate = LoggedEstimate(
        asset="lamp",
        quantity="import_energy",
        window=(EPOCH_MS, EPOCH_MS + 5 * MINUTE_MS),
        count=1_000,
        model=bytes(32),
        inputs=bytes(32),
        made_ms=EPOCH_MS + 100 * MINUTE_MS,
    )
    bench.append(EntryKind.ESTIMATE, estimate.to_cbor())


def _boot_at(meter: Meter, minute: int) -> None:
    meter.bootseed = bytes([0xB0 + minute]) * 8
    meter.boot_ms = EPOCH_MS + (minute - 1) * MINUTE_MS


def _event(
    meter: Meter, minute: int, event: dict[int, int], *, timed: bool = True, **_: object
) -> bytes:
    at = EPOCH_MS + minute * MINUTE_MS
    return meter.seal(at, 2, timed=timed, _17=event, _10=meter.seq[2] + 1)
