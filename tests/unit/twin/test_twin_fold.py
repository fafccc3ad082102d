"""The mirror: changed by verified records only, every value with its proof."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from twin_records import (
    EPOCH_MS,
    found,
    interval_change,
    record,
    relay,
    settled,
    verdict,
)

from wattest.scenario.piecewise import Piecewise
from wattest.twin import Plant, Twin, TwinState, apply_record, snapshot
from wattest.verify.finding import Severity
from wattest.wire.record import Ctx

MINUTE_NS = 60 * 10**9
# 600 W exported in the first minute, 1,200 W drawn from then on.
PLANT = Plant(
    basis="a test",
    epoch_ms=EPOCH_MS,
    power=Piecewise.hold([0, MINUTE_NS], [-600 * 10**6, 1_200 * 10**6], 60 * MINUTE_NS),
)


def twin(plant=None):
    return Twin("n1", asset="a1", plant=plant)


def take(mirror, item, index, *findings, **options):
    return mirror.apply(item, index=index, verdict=verdict(item, *findings, **options))


def test_a_new_twin_knows_nothing_and_says_so():
    state = twin().state
    assert state.energies is None
    assert not state.verified
    assert state.stale(EPOCH_MS)
    assert snapshot(state, EPOCH_MS)["features"]["energy"] is None


def test_a_verified_reading_changes_values_and_brings_their_proof():
    state = take(twin(), record(4, minute=3, imported=7, exported=9, use_s=5, power=-120), 41)
    energies = state.energies
    assert (energies.import_milliwatthours, energies.export_milliwatthours) == (7, 9)
    assert (energies.use_s, energies.power_milliwatts) == (5, -120)
    proof = energies.proof
    assert (proof.ctx, proof.seq, proof.index) == (Ctx.FISCAL, 4, 41)
    assert proof.age_ms(EPOCH_MS + 240_000) == 60_000
    assert state.verified
    assert (state.serial, state.revision) == ("demo-1", 1)


@pytest.mark.parametrize(
    ("findings", "options"),
    [
        ((found("bad-signature"),), {"accepted": False}),
        ((found("replay"),), {"duplicate": True}),
        ((found("fork"),), {}),
        ((found("late", Severity.WARNING),), {}),
    ],
    ids=["refused", "replayed", "forked", "late"],
)
def test_what_is_not_a_new_verified_record_changes_no_value_and_is_counted(findings, options):
    mirror = twin()
    before = take(mirror, record(1, minute=1, imported=5), 10)
    after = take(mirror, record(2, minute=2, imported=999), 11, *findings, **options)
    assert after.energies == before.energies
    assert after.health == before.health
    assert after.refused == ((findings[0].code.value, 1),)
    assert after.revision == before.revision + 1


def test_refusals_are_counted_by_code_without_a_record():
    mirror = twin()
    mirror.refuse([found("malformed")])
    state = mirror.refuse([found("malformed"), found("unknown-key")])
    assert state.refused == (("malformed", 2), ("unknown-key", 1))
    assert state.energies is None


def test_a_contradicted_record_is_shown_with_its_doubts():
    state = take(twin(), record(2, minute=1, imported=5), 3, found("register-backwards"))
    assert state.energies.proof.doubts == ("register-backwards",)
    assert not state.verified
    assert snapshot(state, EPOCH_MS)["features"]["energy"]["_metadata"]["verified"] is False


def test_a_notice_is_no_doubt():
    state = take(twin(), record(2, minute=1), 3, found("stale", Severity.NOTICE))
    assert state.verified


def test_a_value_is_stale_after_three_intervals_or_without_a_time():
    state = take(twin(), record(1, minute=1), 0)
    assert not state.stale(EPOCH_MS + 240_000)
    assert state.stale(EPOCH_MS + 240_001)
    assert take(twin(), record(1), 0).stale(EPOCH_MS)


def test_a_time_set_later_dates_the_reading_and_marks_it_derived():
    mirror = twin()
    reading = record(1)
    assert take(mirror, reading, 0).energies.proof.time_ms is None
    event = interval_change(3, 30_000, minute=2)
    state = take(mirror, event, 1, derived=(settled(reading, 1),))
    assert state.fiscal.proof.time_ms == EPOCH_MS + 60_000
    assert state.fiscal.proof.derived


def test_a_relay_event_and_a_config_event_change_the_reported_settings():
    mirror = twin()
    take(mirror, relay(2, 0, minute=1), 5)
    state = take(mirror, interval_change(3, 30_000, minute=2), 6)
    assert (state.relay_closed.value, state.relay_closed.proof.index) == (0, 5)
    assert (state.interval_ms.value, state.interval_ms.proof.index) == (30_000, 6)


def test_a_transaction_opens_and_closes():
    mirror = twin()
    opened = take(mirror, record(1, ctx=Ctx.TRANSACTION, tx="B", minute=1), 5)
    assert (opened.transaction.value, opened.transaction.proof.index) == (1, 5)
    assert take(mirror, record(2, ctx=Ctx.TRANSACTION, tx="E", minute=2), 6).transaction is None


def test_without_a_plant_there_is_no_expectation():
    mirror = twin()
    take(mirror, record(1, minute=1), 0)
    state = take(mirror, record(2, minute=2, imported=5), 1)
    assert state.expectation is None
    assert snapshot(state, EPOCH_MS)["features"]["expectation"] == "no expectation"


def test_the_expectation_covers_the_interval_between_two_readings():
    mirror = twin(PLANT)
    first = take(mirror, record(1, minute=0), 0)
    assert first.expectation is None
    assert snapshot(first, EPOCH_MS)["features"]["expectation"] == "not yet"
    # Two minutes: 600 W out, then 1,200 W in: 300 W in on average. Metered: 9 Wh in two minutes.
    state = take(mirror, record(2, minute=2, imported=10_000, exported=1_000), 1)
    expectation = state.expectation
    assert expectation.expected_milliwatts == 300_000
    assert expectation.metered_milliwatts == 270_000
    assert expectation.residual_milliwatts == -30_000
    assert (expectation.start_ms, expectation.end_ms) == (EPOCH_MS, EPOCH_MS + 120_000)


def test_records_of_other_streams_do_not_cut_the_interval_of_the_expectation():
    mirror = twin(PLANT)
    take(mirror, record(1, minute=0), 0)
    take(mirror, relay(2, 1, minute=1, imported=4_000), 1)
    state = take(mirror, record(2, minute=2, imported=9_000), 2)
    assert state.expectation.start_ms == EPOCH_MS
    assert state.expectation.metered_milliwatts == 270_000


def test_an_open_relay_means_that_nothing_is_expected_to_flow():
    mirror = twin(PLANT)
    take(mirror, record(1, minute=0), 0)
    take(mirror, relay(2, 0, minute=0), 1)
    state = take(mirror, record(2, minute=1), 2)
    assert (state.expectation.expected_milliwatts, state.expectation.basis) == (0, "relay open")


def test_readings_without_time_or_in_doubt_give_no_expectation():
    mirror = twin(PLANT)
    take(mirror, record(1), 0)
    assert take(mirror, record(2), 1).expectation is None
    take(mirror, record(3, minute=0), 2)
    doubtful = take(mirror, record(4, minute=1), 3, found("implausible"))
    assert doubtful.expectation is None


def test_behind_the_end_of_the_run_the_last_expectation_stays():
    mirror = twin(replace(PLANT, end_ms=EPOCH_MS + 60_000))
    take(mirror, record(1, minute=0), 0)
    last = take(mirror, record(2, minute=1), 1).expectation
    assert last.end_ms == EPOCH_MS + 60_000
    assert take(mirror, record(3, minute=2), 2).expectation == last


def test_the_fold_is_pure():
    state = TwinState(name="n", asset="a")
    item = record(1, minute=1, imported=3)
    first = apply_record(state, item, index=0, verdict=verdict(item))
    assert apply_record(state, item, index=0, verdict=verdict(item)) == first
    assert state == TwinState(name="n", asset="a")


def test_a_snapshot_is_json_with_metadata_beside_every_value():
    mirror = twin(PLANT)
    take(mirror, record(1, minute=0), 0)
    take(mirror, relay(2, 1, minute=1), 1)
    state = take(mirror, record(2, minute=2, imported=10_000), 2)
    document = json.loads(json.dumps(snapshot(state, EPOCH_MS + 150_000)))
    features = document["features"]
    metadata = features["energy"]["_metadata"]
    assert metadata == {
        "ctx": 0,
        "seq": 2,
        "index": 2,
        "time_ms": EPOCH_MS + 120_000,
        "time_derived": False,
        "age_ms": 30_000,
        "verified": True,
        "doubts": [],
        "stale": False,
    }
    assert features["settings"]["relay_closed"]["value"] == 1
    assert "_metadata" in features["settings"]["relay_closed"]
    assert "_metadata" in features["health"]
    assert document["attributes"]["kid"] == "11" * 8
    assert document["revision"] == 3
    assert not any(isinstance(value, Fraction) for value in features["energy"].values())
