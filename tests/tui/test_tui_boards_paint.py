"""What the boards screen asks, in a panel of a terminal of 80 columns and 24 lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from wattest.operations.commission.provision_events import Candidate
from wattest.tui.boards.job import Job
from wattest.tui.boards.paint import job_text
from wattest.wire import EnrolmentKind

WIDTH, HEIGHT = 43, 7
DIGITS = sha256(b"a key").hexdigest()
CANDIDATE = Candidate(
    board="emulated-esp32-atecc608",
    title="emulated ESP32 with a secure element",
    chip="esp32",
    chip_id="240ac4000001",
    serial="WT-240AC4000001",
    name="wt-240ac4000001",
    asset="heat-pump",
    kind=EnrolmentKind.EMULATED,
    kid=bytes(8),
    fingerprint=" ".join(DIGITS[at : at + 4] for at in range(0, 64, 4)),
    cfg="00" * 16,
    software="wattest-node 0.1.0",
    backlog=14,
    replaces="11" * 8,
)


def asked(candidate: Candidate) -> str:
    def nothing(*_: Any) -> Iterator[Any]:
        yield from ()

    job = Job("provisioning", "/dev/ttyUSB0", nothing)
    job.candidate = candidate
    text = job_text(job, HEIGHT, WIDTH).plain
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert len(text.splitlines()) <= HEIGHT
    return text


def test_whole_fingerprint_is_seen_with_the_question_in_a_small_panel() -> None:
    text = asked(CANDIDATE)
    assert DIGITS in "".join(text.split())
    assert text.endswith("y/n")


@pytest.mark.parametrize("backlog", [0, 1234])
def test_question_before_a_key_is_thrown_away_is_seen_to_its_end(backlog: int) -> None:
    text = " ".join(asked(replace(CANDIDATE, throw_away=True, backlog=backlog)).split())
    assert f"Replace key {bytes(8).hex()} of WT-240AC4000001" in text
    assert ("1234 records" in text) == bool(backlog)
    assert text.endswith("y/n")
