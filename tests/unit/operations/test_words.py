"""What a person is told and asked before a node is enrolled, or its key is thrown away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wattest.operations.commission.provision_events import Candidate
from wattest.operations.commission.words import candidate_rows, question
from wattest.wire import EnrolmentKind

CANDIDATE = Candidate(
    board="esp32-devkitc",
    title="ESP32-DevKitC",
    chip="esp32",
    chip_id="240ac4123456",
    serial="WT-1",
    name="kettle",
    asset="kitchen",
    kind=EnrolmentKind.REAL,
    kid=bytes(8),
    fingerprint=" ".join(f"{number:04x}" for number in range(16)),
    cfg="00" * 16,
    software="wattest-node 0.1.0",
    backlog=3,
)


def test_whole_fingerprint_is_shown_in_two_rows() -> None:
    rows = list(candidate_rows(CANDIDATE))
    at = [word for word, _ in rows].index("fingerprint")
    assert rows[at + 1][0] == ""
    assert f"{rows[at][1]} {rows[at + 1][1]}" == CANDIDATE.fingerprint


@pytest.mark.parametrize(
    ("kind", "says_test"), [(EnrolmentKind.REAL, False), (EnrolmentKind.EMULATED, True)]
)
def test_only_what_is_not_real_says_test(kind: EnrolmentKind, says_test: bool) -> None:
    text = dict(candidate_rows(replace(CANDIDATE, kind=kind)))["node"]
    assert ("TEST" in text) is says_test


def test_who_throws_a_key_away_is_told_what_goes_with_it() -> None:
    away = replace(CANDIDATE, throw_away=True)
    assert question(away).endswith(
        "by a new one? 3 records that nobody has collected will be lost."
    )
    assert question(replace(away, backlog=0)).endswith("of WT-1 by a new one?")
    assert question(CANDIDATE) == "Enrol this node?"
