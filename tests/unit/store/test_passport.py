"""The passport file: notes of several programs, folded into what is true of a board."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wattest.errors import StoreError
from wattest.store import BoardState, Passport, PassportEvent, SqliteStore
from wattest.store import passport as passport_module

A = "246f28aabbcc"
B = "7cdfa1000001"
DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "passport.sqlite"


def test_a_board_that_nothing_is_known_of_is_new_and_empty(path: Path) -> None:
    with Passport(path) as passport:
        facts = passport.facts(A)
        assert facts.state is BoardState.NEW
        assert facts.first_seen_ms is None
        assert passport.boards() == []
        assert passport.events(A) == []


def test_the_story_of_a_board_folds_into_what_is_true_now(path: Path) -> None:
    notes = [
        (PassportEvent.SEEN, {"chip": "esp32", "board": "esp32-devkitc"}, 1000, "1-4.2"),
        (PassportEvent.FLASHED, {"image_sha256": "aa", "micropython_sha256": "m1"}, 2000, None),
        (PassportEvent.RESET, {"cause": "power_on", "cfg": "c1", "version": "0.1"}, 2100, None),
        (PassportEvent.PROVISIONED, {"kid": "k1", "serial": "WT-1"}, 3000, None),
        (PassportEvent.RESET, {"cause": "watchdog", "cfg": "c1"}, 4000, None),
        (PassportEvent.RESET, {"cause": "power_on", "cfg": "c2"}, 5000, "1-4.3"),
        (PassportEvent.FAILURE, {"code": "gap", "text": "4 readings are missing"}, 6000, None),
        (PassportEvent.CALIBRATED, {"due_ms": 10 * DAY_MS, "text": "cert 7"}, 7000, None),
        (PassportEvent.REKEYED, {"kid": "k2"}, 8000, None),
        (PassportEvent.WEAR, {"erases": 900, "worst": 12}, 8500, None),
        (PassportEvent.REPAIR, {"text": "new regulator"}, 9000, None),
    ]
    with Passport(path) as passport:
        for kind, detail, at_ms, slot in notes:
            passport.note(A, kind, detail, at_ms=at_ms, slot=slot)
    with Passport(path, read_only=True) as passport:
        facts = passport.facts(A)
        events = passport.events(A)
    assert [(event.kind, event.detail, event.at_ms, event.slot) for event in events] == notes
    assert (facts.chip, facts.board, facts.serial) == ("esp32", "esp32-devkitc", "WT-1")
    assert facts.state is BoardState.ENROLLED
    assert facts.slot == "1-4.3"
    assert (facts.first_seen_ms, facts.last_seen_ms) == (1000, 9000)
    assert (facts.image_sha256, facts.micropython_sha256) == ("aa", "m1")
    assert [(use.cfg, use.since_ms) for use in facts.firmware] == [("c1", 2100), ("c2", 5000)]
    assert facts.cfg == "c2"
    assert [(key.kid, key.since_ms, key.until_ms) for key in facts.keys] == [
        ("k1", 3000, 8000),
        ("k2", 8000, None),
    ]
    assert facts.kid == "k2"
    assert facts.resets == (("power_on", 2), ("watchdog", 1))
    assert (facts.flashes, facts.flash_failures, facts.failures) == (1, 0, 1)
    assert facts.last_failure is not None
    assert facts.last_failure.detail["code"] == "gap"
    assert facts.wear is not None
    assert (facts.wear.erases, facts.wear.worst) == (900, 12)
    assert [event.detail["text"] for event in facts.life] == ["new regulator"]


def test_a_calibration_holds_to_the_end_of_its_due_day(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "calibrated", {"due_ms": 10 * DAY_MS}, at_ms=0)
        calibration = passport.facts(A).calibration
        assert calibration is not None
        assert not calibration.is_overdue(11 * DAY_MS - 1)
        assert calibration.is_overdue(11 * DAY_MS)
        passport.note(A, "calibrated", {}, at_ms=1)
        without = passport.facts(A).calibration
        assert without is not None
        assert not without.is_overdue(10**15)


def test_after_a_flash_that_failed_nobody_knows_the_image(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "flashed", {"image_sha256": "aa", "micropython_sha256": "bb"}, at_ms=1)
        passport.note(A, "flash_failed", {"reason": "port vanished"}, at_ms=2)
        facts = passport.facts(A)
    assert (facts.image_sha256, facts.micropython_sha256) == ("", "")
    assert (facts.flashes, facts.flash_failures) == (1, 1)


def test_flashing_leaves_an_enrolled_board_enrolled_and_retiring_ends_its_key(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "provisioned", {"kid": "k1"}, at_ms=1)
        passport.note(A, "flashed", {"image_sha256": "aa"}, at_ms=2)
        assert passport.facts(A).state is BoardState.ENROLLED
        passport.note(A, "retired", {"reason": "sold"}, at_ms=3)
        retired = passport.facts(A)
        assert retired.state is BoardState.RETIRED
        assert (retired.kid, retired.keys[0].until_ms) == ("", 3)
        passport.note(A, "reuse", {"text": "heat pump of no. 4"}, at_ms=4)
        assert passport.facts(A).state is BoardState.FLASHED


def test_board_that_made_a_new_key_when_flashed_is_not_enrolled(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "provisioned", {"kid": "k1"}, at_ms=1)
        passport.note(A, "flashed", {"image_sha256": "aa", "kid": "k1"}, at_ms=2)
        assert passport.facts(A).state is BoardState.ENROLLED
        passport.note(A, "flashed", {"image_sha256": "bb", "kid": "k2"}, at_ms=3)
        assert passport.facts(A).state is BoardState.FLASHED
        passport.note(A, "rekeyed", {"kid": "k2"}, at_ms=4)
        assert passport.facts(A).state is BoardState.ENROLLED


def test_retiring_an_earlier_key_leaves_the_one_in_force(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "provisioned", {"kid": "k1"}, at_ms=1)
        passport.note(A, "rekeyed", {"kid": "k2"}, at_ms=2)
        passport.note(A, "retired", {"kid": "k1"}, at_ms=3)
        assert (passport.facts(A).kid, passport.facts(A).state) == ("k2", BoardState.ENROLLED)
        passport.note(A, "retired", {"kid": "k2"}, at_ms=4)
        assert (passport.facts(A).kid, passport.facts(A).state) == ("", BoardState.RETIRED)


def test_what_is_known_to_have_happened_once_is_noted_once(path: Path) -> None:
    with Passport(path) as passport:
        first = passport.note(A, "reset", {"cause": "hard"}, at_ms=1, once="k1/3/7")
        again = passport.note(A, "reset", {"cause": "hard"}, at_ms=9, once="k1/3/7")
        other = passport.note(B, "reset", {"cause": "hard"}, at_ms=9, once="k1/3/7")
        assert again == first
        assert other != first
        assert len(passport.events(A)) == 1


def test_events_come_in_order_of_time_though_noted_later(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "note", {"text": "second"}, at_ms=20)
        passport.note(A, "note", {"text": "first"}, at_ms=10)
        assert [event.detail["text"] for event in passport.events(A)] == ["first", "second"]


def test_boards_are_listed_with_the_one_seen_last_first(path: Path) -> None:
    with Passport(path) as passport:
        passport.note(A, "seen", {"chip": "esp32"}, at_ms=1)
        passport.note(B, "seen", {"chip": "esp32c3", "serial": "S"}, at_ms=2)
        assert [entry.chip_id for entry in passport.boards()] == [B, A]
        assert passport.boards()[0].serial == "S"
        assert passport.chip_ids("24") == [A]
        assert passport.chip_ids() == [A, B]


@pytest.mark.parametrize(
    ("chip_id", "kind", "detail", "why"),
    [
        ("24:6f:28:aa:bb:cc", "seen", {}, "12 lower-case hex"),
        (A.upper(), "seen", {}, "12 lower-case hex"),
        (A, "exploded", {}, "exploded"),
        (A, "note", {"text": 1.5}, "a text, a whole number"),
        (A, "note", {"text": ["a"]}, "a text, a whole number"),
        (A, "note", {"text": "x" * 5000}, "4096 characters"),
    ],
)
def test_a_note_that_makes_no_sense_is_refused(
    path: Path, chip_id: str, kind: str, detail: dict[str, object], why: str
) -> None:
    with Passport(path) as passport:
        with pytest.raises(ValueError, match=why):
            passport.note(chip_id, kind, detail, at_ms=1)  # type: ignore[arg-type]
        assert passport.boards() == []


def test_writers_that_begin_a_passport_at_the_same_moment_all_get_their_note(
    tmp_path: Path,
) -> None:
    chip_ids = [f"{number:012x}" for number in range(6)]
    for attempt in range(8):
        path = tmp_path / str(attempt) / "passport.sqlite"
        gate = threading.Barrier(len(chip_ids))

        def begin(chip_id: str, path: Path = path, gate: threading.Barrier = gate) -> None:
            gate.wait(timeout=10)
            with Passport(path) as passport:
                passport.note(chip_id, "seen", at_ms=1)

        with ThreadPoolExecutor(len(chip_ids)) as pool:
            list(pool.map(begin, chip_ids))
        with Passport(path, read_only=True) as passport:
            assert passport.chip_ids() == chip_ids
        assert not list(path.parent.glob(".passport-*"))


WRITER = """
import sys
from wattest.store import Passport
with Passport(sys.argv[1]) as passport:
    for number in range(25):
        passport.note(sys.argv[2], "reset", {"cause": "hard"}, at_ms=number)
"""


def test_several_programs_note_at_once(path: Path) -> None:
    chip_ids = [f"{number:012x}" for number in range(3)]
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, chip_id], stderr=subprocess.PIPE, text=True
        )
        for chip_id in chip_ids
    ]
    said = [program.communicate(timeout=60)[1] for program in programs]
    assert said == ["", "", ""]
    with Passport(path, read_only=True) as passport:
        assert [dict(passport.facts(each).resets) for each in chip_ids] == [{"hard": 25}] * 3


def test_a_ledger_is_not_a_passport_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    SqliteStore(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a passport"):
        Passport(path)
    assert path.read_bytes() == before


def test_a_missing_damaged_or_foreign_passport_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no passport there"):
        Passport(tmp_path / "none.sqlite", read_only=True)
    text = tmp_path / "text.sqlite"
    text.write_text("not a database at all, but long enough for a header")
    with pytest.raises(StoreError, match="not a passport file"):
        Passport(text)
    path = tmp_path / "passport.sqlite"
    with Passport(path) as passport:
        passport.note(A, "seen", at_ms=1)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE event SET detail = '[1]'")
    connection.commit()
    connection.close()
    with Passport(path) as passport, pytest.raises(StoreError, match="event 1: expected an obj"):
        passport.facts(A)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do all")
def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be made"):
        Passport(tmp_path / "home" / "passport.sqlite")


def test_a_file_in_the_place_of_the_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StoreError, match="home: cannot be made"):
        Passport(tmp_path / "home" / "passport.sqlite")


def test_file_that_could_not_be_finished_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: closing alone leaves what was not moved out of the log behind."""
    make = passport_module.open_for_writing

    def refuses(action: int, what: str | None, *_: object) -> int:
        asked = action == sqlite3.SQLITE_PRAGMA and what == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if asked else sqlite3.SQLITE_OK

    def on_a_full_disk(*args: object, **options: object) -> sqlite3.Connection:
        connection = make(*args, **options)
        connection.set_authorizer(refuses)
        return connection

    path = tmp_path / "passport.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(passport_module, "open_for_writing", on_a_full_disk)
        with pytest.raises(StoreError, match="making it"):
            Passport(path)
    assert list(tmp_path.iterdir()) == []
    Passport(path).close()
