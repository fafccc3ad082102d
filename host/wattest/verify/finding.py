"""Findings: what verification saw, with its evidence; and the numbered steps that can see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class FindingCode(StrEnum):
    """Stable name of what was seen."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown-key"
    RETIRED_KEY = "retired-key"
    BAD_SIGNATURE = "bad-signature"
    WRONG_SERIAL = "wrong-serial"
    WRONG_CHIP = "wrong-chip"
    WRONG_CFG = "wrong-cfg"
    REPLAY = "replay"
    FORK = "fork"
    GAP = "gap"
    LATE = "late"
    CHAIN_BREAK = "chain-break"
    REGISTER_BACKWARDS = "register-backwards"
    REGISTERS_CHANGED = "registers-changed"
    CLOCK_BACKWARDS = "clock-backwards"
    CLOCK_STEP = "clock-step"
    IMPLAUSIBLE = "implausible"
    STALE = "stale"
    AHEAD = "ahead"
    LATE_TIME = "late-time"
    STATUS = "status"
    INJECTED_INPUT = "injected-input"


class Severity(IntEnum):
    """How bad a finding is.

    `NOTICE`: worth knowing, nothing is wrong. `WARNING`: explained under the node's signature, or
    the value is to be used with care. `ERROR`: the evidence contradicts the rules.
    """

    NOTICE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that verification saw.

    Args:
        code: stable name.
        severity: how bad it is.
        kid: key the record claims, 8 bytes; zeros if it could not be read.
        ctx: stream of the record, -1 if it could not be read.
        seq: its number in the stream, -1 if it could not be read.
        message: one line for people: expected, then got.
        evidence: names and values that prove it, bytes in hex.
    """

    code: FindingCode
    severity: Severity
    kid: bytes
    ctx: int
    seq: int
    message: str
    evidence: tuple[tuple[str, str], ...] = ()


class StepOutcome(StrEnum):
    """How a step ended; `SKIPPED` after a refusal, or when there was nothing to compare with."""

    PASSED = "passed"
    NOTED = "noted"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One numbered step of the verification of one record."""

    number: int
    name: str
    outcome: StepOutcome
    detail: str = ""


STEPS: Final[tuple[tuple[str, tuple[FindingCode, ...]], ...]] = (
    ("form: one deterministic COSE_Sign1 that obeys the schema", (FindingCode.MALFORMED,)),
    ("key: enrolled", (FindingCode.UNKNOWN_KEY, FindingCode.RETIRED_KEY)),
    ("signature: ES256 over the exact bytes", (FindingCode.BAD_SIGNATURE,)),
    (
        "enrolment: serial, chip, firmware and configuration",
        (FindingCode.WRONG_SERIAL, FindingCode.WRONG_CHIP, FindingCode.WRONG_CFG),
    ),
    (
        "identity: (kid, ctx, seq) not seen before, no second branch",
        (FindingCode.REPLAY, FindingCode.FORK),
    ),
    ("numbering: no number missing", (FindingCode.GAP, FindingCode.LATE)),
    ("chain: prev names the record before", (FindingCode.CHAIN_BREAK,)),
    (
        "registers: never backwards",
        (FindingCode.REGISTER_BACKWARDS, FindingCode.REGISTERS_CHANGED),
    ),
    (
        "clocks: never backwards, no step unsigned",
        (FindingCode.CLOCK_BACKWARDS, FindingCode.CLOCK_STEP),
    ),
    ("plausibility: within the power limit of the plant", (FindingCode.IMPLAUSIBLE,)),
    (
        "freshness: time known and recent",
        (FindingCode.STALE, FindingCode.AHEAD, FindingCode.LATE_TIME),
    ),
    ("sensor: good status, own input", (FindingCode.STATUS, FindingCode.INJECTED_INPUT)),
)
STEPS_TOTAL: Final = len(STEPS)
STEP_OF: Final[dict[FindingCode, int]] = {
    code: number for number, (_, codes) in enumerate(STEPS, 1) for code in codes
}
"""Number of the step, from 1, that can see each code."""

LAST_STEP_OF_IDENTITY: Final = 5
_ALL_PASSED: Final = tuple(
    StepResult(number=number, name=name, outcome=StepOutcome.PASSED)
    for number, (name, _) in enumerate(STEPS, 1)
)


def step_results(findings: tuple[Finding, ...], performed: int) -> tuple[StepResult, ...]:
    """Say how each step ended.

    Args:
        findings: all findings of one record.
        performed: how many steps, from the first, were performed.
    """
    if not findings and performed == STEPS_TOTAL:
        return _ALL_PASSED
    return tuple(
        _step_result(number, name, [f for f in findings if STEP_OF[f.code] == number], performed)
        for number, (name, _) in enumerate(STEPS, 1)
    )


def _step_result(number: int, name: str, seen: list[Finding], performed: int) -> StepResult:
    if number > performed:
        outcome = StepOutcome.SKIPPED
    elif not seen:
        outcome = StepOutcome.PASSED
    elif max(finding.severity for finding in seen) is Severity.ERROR:
        outcome = StepOutcome.FAILED
    else:
        outcome = StepOutcome.NOTED
    detail = "; ".join(finding.message for finding in seen)
    return StepResult(number=number, name=name, outcome=outcome, detail=detail)
