"""Bundles: what goes in, what is said about them, and that the verifier stands on its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import pytest
from evidence_bench import EPOCH_MS, MINUTE_MS, Bench, Meter, Signer, witness
from scenes import (
    CONTRACT,
    PERIOD,
    SCENES,
    pinned_terms,
    plain_scene,
    reading_scene,
    session_scene,
    statement_scene,
)

from wattest.errors import SettlementError, UsageError, VerificationError
from wattest.evidence.bundle import read_bundle
from wattest.evidence.select import subjects_of
from wattest.evidence.verdict import Outcome, StepDone, Verdict
from wattest.evidence.verify import verdict_of, verify
from wattest.ledger import EntryKind
from wattest.wire.act import Agreement, DisputeAct, ResolutionAct
from wattest.wire.enrolment import EnrolmentAction
from wattest.wire.record_reader import parse_record

E_MAIL_BYTES = 4_096
RELAY, TIME_SET = 5, 2


def places(data: bytes, kind: EntryKind) -> list[int]:
    return [entry.index for entry in read_bundle(data).entries if entry.kind == kind]


@pytest.mark.parametrize("name", SCENES)
def test_same_ledger_gives_same_bytes(name: str) -> None:
    assert SCENES[name]().data == SCENES[name]().data


def test_session_and_reading_fit_into_an_e_mail() -> None:
    assert len(session_scene().data) <= E_MAIL_BYTES
    assert len(reading_scene().data) <= E_MAIL_BYTES


def test_every_step_is_told_and_the_verdict_comes_last() -> None:
    scene = statement_scene()
    *steps, verdict = verify(scene.data, log_key=scene.bench.log)
    assert isinstance(verdict, Verdict)
    assert verdict.passed
    assert [s.step for s in steps if isinstance(s, StepDone)] == list(range(1, 12))
    assert all(isinstance(s, StepDone) and s.outcome is Outcome.PASSED and s.detail for s in steps)


def test_what_comes_after_a_broken_rule_is_not_reached() -> None:
    scene = reading_scene()
    foreign = Bench(99)
    *steps, verdict = verify(scene.data, log_key=foreign.log)
    assert isinstance(verdict, Verdict)
    assert (verdict.step, verdict.rule) == (2, "log-key")
    outcomes = [s.outcome for s in steps if isinstance(s, StepDone)]
    assert outcomes == [Outcome.PASSED, Outcome.FAILED, *[Outcome.NOT_REACHED] * 9]


def test_reader_is_told_what_nobody_proved() -> None:
    scene = plain_scene()
    notes = " / ".join(verdict_of(scene.data).notes)
    assert "nobody said which log to expect" in notes
    assert "not signed by lake" in notes
    assert "not signed by cabin" in notes


def test_missing_records_are_named_and_late_ones_are_not() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    records = [*lamp.readings([-5, 10, 20, 30, 40, 65])]
    bench.add(records[0], records[1], records[3], records[5], records[4])
    bench.settle(CONTRACT, *PERIOD)
    notes = verdict_of(bench.bundle(CONTRACT), log_key=bench.log).notes
    assert [note for note in notes if "missing" in note] == [
        "demo-0001: ctx 0: number 3 is missing"
    ]


def plain_terms(**changes: str) -> str:
    text = pinned_terms({}, ()).replace("[party_keys]", "").split("[witness]", maxsplit=1)[0]
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def test_only_what_the_statement_rests_on_goes_in() -> None:
    bench = Bench()
    lamp, other = Meter(1, "lamp"), Meter(2, "other")
    bench.log_terms(plain_terms())
    bench.log_terms(plain_terms(lamp="other"))
    bench.enrol(lamp.enrolment())
    bench.enrol(other.enrolment())
    for pair in zip(
        lamp.readings(range(-50, 190, 10)), other.readings(range(-50, 190, 10)), strict=True
    ):
        bench.add(*pair)
    for start in (0, 60):
        begin = EPOCH_MS + start * MINUTE_MS
        for contract in (CONTRACT, "other"):
            bench.settle(contract, begin, begin + 60 * MINUTE_MS)
    data = bench.bundle(CONTRACT, place=0)
    entries = read_bundle(data).entries
    records = [parse_record(e.body) for e in entries if e.kind == EntryKind.READING]
    assert {record.kid for record in records} == {lamp.kid}
    minutes = [((record.time_ms or 0) - EPOCH_MS) // MINUTE_MS for record in records]
    assert minutes == [-10, 0, 10, 20, 30, 40, 50, 60, 70]
    assert [len(places(data, kind)) for kind in (EntryKind.TERMS, EntryKind.STATEMENT)] == [1, 1]
    assert len(places(data, EntryKind.ENROLMENT)) == 1
    assert verdict_of(data, log_key=bench.log).passed


def test_neighbour_is_looked_for_beyond_records_of_bad_status() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.log_terms(plain_terms() + '[policy]\nstatus = "exclude"\n')
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-30]))
    bench.add(*(lamp.seal(EPOCH_MS + minute * MINUTE_MS, _7="D") for minute in (-20, -10)))
    bench.add(*lamp.readings([30, 61]))
    bench.settle(CONTRACT, *PERIOD)
    data = bench.bundle(CONTRACT)
    assert len(places(data, EntryKind.READING)) == 5
    assert verdict_of(data, log_key=bench.log).passed


def test_bundle_of_availability_takes_the_last_relay_event_along() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.log_terms(
        plain_terms()
        + '[[line]]\ntemplate = "SLA_CREDIT"\ncode = "credit"\non = ["base"]\n'
        + '[[line.bands]]\nfrom = "0.9"\ncredit = "0"\n'
        + '[[line.bands]]\nfrom = "0"\ncredit = "0.25"\n'
    )
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-45]))
    bench.add(relay(lamp, -40, 1), relay(lamp, -35, 0))
    bench.add(*lamp.readings([-25, -15, -5, 10, 25, 40, 55, 65]))
    statement = bench.settle(CONTRACT, *PERIOD)
    assert statement.availability is not None
    assert statement.availability.down_ms == 60 * MINUTE_MS
    data = bench.bundle(CONTRACT)
    assert len(places(data, EntryKind.EVENT)) == 1
    assert verdict_of(data, log_key=bench.log).passed


def relay(meter: Meter, minute: int, closed: int) -> bytes:
    at = EPOCH_MS + minute * MINUTE_MS
    return meter.seal(at, 2, _17={1: RELAY, 2: closed}, _10=meter.seq[2] + 1)


def test_many_generations_of_a_statement_go_into_one_bundle() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-1]))
    for generation, reading in enumerate(lamp.readings(range(1, 41)), 1):
        bench.add(reading)
        bench.settle(CONTRACT, *PERIOD, generation=generation)
    data = bench.bundle(CONTRACT)
    assert len(places(data, EntryKind.STATEMENT)) == 40
    assert verdict_of(data, log_key=bench.log).passed


def test_retirement_and_renewal_of_a_key_go_in() -> None:
    bench = Bench()
    lamp, heir = Meter(1, "lamp"), Meter(2, "lamp")
    bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-5, 20]))
    bench.enrol(heir.enrolment(action=EnrolmentAction.REKEY, replaces=lamp.kid))
    bench.add(*heir.readings([30, 65]))
    bench.enrol(heir.enrolment(action=EnrolmentAction.RETIRE))
    bench.settle(CONTRACT, *PERIOD)
    data = bench.bundle(CONTRACT)
    assert len(places(data, EntryKind.ENROLMENT)) == 3
    assert verdict_of(data, log_key=bench.log).passed


def test_log_whose_key_changed_is_known_by_the_old_and_by_the_new_one() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-5, 65]))
    bench.settle(CONTRACT, *PERIOD)
    old = bench.log
    bench.rotate(77)
    bench.add(*lamp.readings([80]))
    data = bench.bundle(CONTRACT)
    assert old != bench.log
    assert all(verdict_of(data, log_key=key).passed for key in (old, bench.log))
    assert verdict_of(data, log_key=Bench(98).log).rule == "log-key"


def test_newest_checkpoint_with_enough_witnesses_is_taken() -> None:
    scene = statement_scene()
    newest = scene.bench.ledger.checkpoint()
    assert newest is not None
    text = read_bundle(scene.data).members["checkpoint.txt"].decode()
    size = int(text.splitlines()[1])
    assert size < newest.checkpoint.size
    assert text.count("witness.example") == 2


def test_no_bundle_is_made_while_the_witnesses_have_not_seen_it() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    parties = {"cabin": Signer(50), "lake": Signer(51)}
    bench.log_terms(pinned_terms(parties, (witness(1),)))
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-5, 65]))
    bench.cosign(witness(1))
    bench.settle(CONTRACT, *PERIOD)
    with pytest.raises(VerificationError, match="cosignatures of 1 of 1 witnesses") as caught:
        bench.bundle(CONTRACT)
    assert "cosigned" in caught.value.hint


def test_agreements_that_the_terms_demand_are_missed() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    parties = {"cabin": Signer(50), "lake": Signer(51)}
    bench.log_terms(pinned_terms(parties, (witness(1),)))
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-5, 65]))
    bench.settle(CONTRACT, *PERIOD)
    bench.cosign(witness(1))
    verdict = verdict_of(bench.bundle(CONTRACT), log_key=bench.log)
    assert (verdict.step, verdict.rule) == (7, "agreement")


def test_statement_of_terms_that_are_not_logged_gives_no_bundle() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    terms = bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings([-5, 65]))
    bench.terms[CONTRACT] = replace(terms, title="another title")
    bench.settle(CONTRACT, *PERIOD)
    with pytest.raises(SettlementError, match="expected in the ledger, got none"):
        bench.bundle(CONTRACT)


def test_record_that_is_not_there_gives_no_bundle() -> None:
    scene = reading_scene()
    with pytest.raises(UsageError, match="no record ctx 0 number 99"):
        scene.bench.reading(scene.meters[0], 99)


def test_reading_without_a_time_takes_the_event_along_that_gives_it_one() -> None:
    scene = plain_scene()
    lamp = scene.meters[0]
    data = scene.bench.reading(lamp, 4)
    records = [parse_record(e.body) for e in read_bundle(data).entries[1:]]
    kinds = [None if r.event is None else int(r.event.kind) for r in records]
    assert kinds == [None, TIME_SET]
    assert verdict_of(data, log_key=scene.bench.log).passed


def test_disputes_and_conflicts_of_other_periods_stay_out() -> None:
    bench = Bench()
    lamp, cabin = Meter(1, "lamp"), Signer(50)
    bench.log_terms(plain_terms())
    bench.enrol(lamp.enrolment())
    common = {"contract": CONTRACT, "party": "cabin", "time_ms": EPOCH_MS}
    agreement = Agreement(**common, terms=bench.digest(CONTRACT), public_key=cabin.public_key)
    bench.append(EntryKind.AGREEMENT, cabin.act(agreement))
    first = [*lamp.readings(range(-10, 190, 10))]
    bench.add(*first)
    for seq in (4, 16):
        bench.add(second_content(seq))
    bodies = []
    for start in (0, 60, 120):
        begin = EPOCH_MS + start * MINUTE_MS
        period = (begin, begin + 60 * MINUTE_MS)
        bench.settle(CONTRACT, *period)
        act = DisputeAct(**common, period=period, line="energy", window=period, reason="why")
        bodies.append(cabin.act(act))
        bench.append(EntryKind.DISPUTE, bodies[-1])
    for body in bodies:
        act = ResolutionAct(**common, dispute=sha256(body).digest(), granted=1, text="well")
        bench.append(EntryKind.RESOLUTION, cabin.act(act))
    counts = []
    for place in range(3):
        data = bench.bundle(CONTRACT, place=place)
        assert verdict_of(data, log_key=bench.log).passed
        kinds = (EntryKind.FINDING, EntryKind.DISPUTE, EntryKind.RESOLUTION, EntryKind.AGREEMENT)
        counts.append([len(places(data, kind)) for kind in kinds])
    assert counts == [[1, 2, 1, 1], [0, 1, 1, 1], [1, 2, 1, 1]]


def second_content(seq: int) -> bytes:
    """Return another reading of the lamp under a number it used before."""
    twin = Meter(1, "lamp")
    twin.seq[0] = seq - 1
    return twin.seal(EPOCH_MS + (seq * 10 - 20) * MINUTE_MS + 1)


def test_sessions_are_found_by_what_began_them() -> None:
    scene = session_scene()
    ((name, subject),) = scene.bench.maker().selection.sessions()
    assert (name, subject.begin, subject.end) == ("RFID-0042", 1, 3)


READING = "entry 4 (reading 4 of demo-0001), 2026-01-01T00:30:00Z"


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("session", "demo-0003: import 900.000 Wh, export 0.000 Wh"),
        ("reading", f"{READING}: import 1200.000 Wh, export 0.000 Wh"),
    ],
)
def test_small_forms_say_what_they_prove(name: str, detail: str) -> None:
    steps = [step for step in verify(SCENES[name]().data) if isinstance(step, StepDone)]
    assert steps[8].detail == detail


def test_reading_that_was_signed_twice_says_so() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.enrol(lamp.enrolment())
    bench.add(*lamp.readings(range(0, 60, 10)))
    bench.add(second_content(4))
    data = bench.reading(lamp, 4)
    assert [len(places(data, kind)) for kind in (EntryKind.FINDING, EntryKind.DISPUTE)] == [1, 1]
    verdict = verdict_of(data, log_key=bench.log)
    assert verdict.passed
    expected = "demo-0001: ctx 0 number 4 was signed with two contents, entries 4 and 7"
    assert verdict.notes == (expected,)
    assert not places(bench.reading(lamp, 3), EntryKind.FINDING)


def test_time_that_no_calendar_knows_is_shown_as_a_number() -> None:
    bench = Bench()
    lamp = Meter(1, "lamp")
    bench.enrol(lamp.enrolment())
    bench.add(lamp.seal(EPOCH_MS, _3=2**62))
    steps = [s for s in verify(bench.reading(lamp, 1)) if isinstance(s, StepDone)]
    assert f"at {2**62} ms" in steps[8].detail


def test_sessions_of_one_name_are_told_apart_by_key_and_number() -> None:
    scene = session_scene()
    post = scene.meters[0]
    user = [True, "TRUSTED", [], "ISO14443", "RFID-0042"]
    scene.bench.add(post.seal(EPOCH_MS + 60 * MINUTE_MS, 1, _9="B", _15=user))
    scene.bench.add(post.seal(EPOCH_MS + 70 * MINUTE_MS, 1, _9="P"))
    scene.bench.add(post.seal(EPOCH_MS + 80 * MINUTE_MS, 1, _9="B", _15=user))
    found = scene.bench.maker().selection.sessions()
    assert [(name, s.begin, s.end) for name, s in found] == [
        ("RFID-0042", 1, 3),
        ("RFID-0042", 4, 5),
    ]


def test_periods_of_a_contract_are_listed_in_order() -> None:
    scene = statement_scene()
    (subject,) = subjects_of(scene.bench.maker().catalogue, CONTRACT)
    assert subject.period == PERIOD
    assert len(subject.statements) == 2


def test_verifier_needs_no_database_and_no_network() -> None:
    code = (
        "import sys, wattest.evidence.verify as v\n"
        "names = ('sqlite3', 'sqlalchemy', 'psycopg', 'socket', 'wattest.store')\n"
        "print(*(name for name in names if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
