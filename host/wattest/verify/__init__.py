"""Verification: numbered steps over records, findings with evidence, a memory for each key."""

from wattest.verify.finding import (
    STEPS,
    Finding,
    FindingCode,
    Severity,
    StepOutcome,
    StepResult,
)
from wattest.verify.stream import DerivedTime, TimeDeriver
from wattest.verify.verifier import Verdict, Verifier
from wattest.wire.enrolment import Enrolment, EnrolmentKind

__all__ = [
    "STEPS",
    "DerivedTime",
    "Enrolment",
    "EnrolmentKind",
    "Finding",
    "FindingCode",
    "Severity",
    "StepOutcome",
    "StepResult",
    "TimeDeriver",
    "Verdict",
    "Verifier",
]
