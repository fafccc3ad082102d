"""What a verification says: the numbered steps, how each ended, the rule that broke first.

Source: docs/evidence.md sections 5 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattest.errors import VerificationError

STEP_TITLES: Final = (
    "container: one archive, one form, every digest",
    "checkpoints: signed by the log",
    "witnesses: as many as the terms ask for",
    "consistency: the log only grew",
    "inclusion: every entry is in the log",
    "forms: every entry is what it claims to be",
    "terms: logged, and signed by the parties they pin",
    "records: enrolled keys, signatures, one content for each number",
    "completeness: what is named is there",
    "statement: settled again, to the same bytes",
    "disputes, resolutions, payments, estimates: by whom they claim",
)
"""Titles of steps 1 to 11."""


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


class RuleBroken(VerificationError):
    """A rule of the specification does not hold; ends the verification.

    Args:
        rule: its name in docs/evidence.md.
        where: the member or entry, or ``""`` for the whole file.
        message: expected, got.
    """

    def __init__(self, rule: str, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.rule = rule
        self.where = where
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """How one step ended.

    Attributes:
        step: its number, from 1.
        outcome: passed, failed or not reached.
        detail: one line: what was checked, or what is wrong.
    """

    step: int
    outcome: Outcome
    detail: str

    @property
    def title(self) -> str:
        """What the step is about."""
        return STEP_TITLES[self.step - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a verification.

    Attributes:
        passed: every rule holds.
        step: number of the step whose rule broke first, or None.
        rule: that rule, or None.
        where: member or entry; empty when passed.
        message: one line: expected, got; empty when passed.
        form: of the bundle, or None if step 1 did not get that far.
        digest: SHA-256 of the manifest, 32 bytes, likewise.
        log: verifier key the bundle names, likewise.
        notes: what a reader should know and is no failure.
    """

    passed: bool
    step: int | None
    rule: str | None
    where: str
    message: str
    form: str | None
    digest: bytes | None
    log: str | None
    notes: tuple[str, ...]
