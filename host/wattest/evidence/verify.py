"""The offline verifier: eleven steps over one file, with nothing but the file.

It imports no database, opens no file and no connection: bytes go in, steps and a verdict come
out. The steps and their rules are those of docs/evidence.md; another program checks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wattest.evidence.bundle import Bundle, read_bundle
from wattest.evidence.case import Case
from wattest.evidence.forms import check_forms
from wattest.evidence.steps_contract import Contract
from wattest.evidence.steps_log import (
    check_consistency,
    check_inclusion,
    check_signatures,
    check_witnesses,
)
from wattest.evidence.steps_records import check_completeness, check_records
from wattest.evidence.verdict import STEP_TITLES, Outcome, RuleBroken, StepDone, Verdict

_Step = Callable[[], str]


@dataclass(slots=True)
class _Run:
    """One verification: where it stands."""

    data: bytes
    told: str | None
    case: Case | None = None
    contract: Contract | None = None

    def steps(self) -> Iterator[_Step]:
        """Yield the steps in order; each is performed before the next one is asked for."""
        yield self._read
        case = self.case
        assert case is not None, "the first step made it"
        yield lambda: check_signatures(case)
        yield lambda: check_witnesses(case)
        yield lambda: check_consistency(case)
        yield lambda: check_inclusion(case)
        yield lambda: check_forms(case)
        contract = Contract(case, case.statement) if case.statement else None
        yield contract.check_terms if contract else _nothing
        yield lambda: check_records(case)
        yield lambda: check_completeness(case)
        yield contract.check_statement if contract else _nothing
        yield contract.check_acts if contract else _nothing

    def _read(self) -> str:
        bundle = read_bundle(self.data)
        self.case = Case(bundle=bundle, told=self.told)
        return f"{bundle.manifest.form.value} bundle {bundle.digest.hex()[:16]}"


def verify(data: bytes, *, log_key: str | None = None) -> Iterator[StepDone | Verdict]:
    """Verify a bundle.

    Args:
        data: the file.
        log_key: verifier key of the log as the verifier knows it; None: believe the bundle, and
            say so.

    Yields:
        Each of the eleven steps as it is done, and the verdict last.
    """
    run = _Run(data, log_key)
    broken: tuple[int, RuleBroken] | None = None
    steps = run.steps()
    for number in range(1, len(STEP_TITLES) + 1):
        if broken is not None:
            yield StepDone(step=number, outcome=Outcome.NOT_REACHED, detail="")
            continue
        try:
            detail = next(steps)()
        except RuleBroken as exc:
            broken = (number, exc)
            yield StepDone(step=number, outcome=Outcome.FAILED, detail=f"{exc.rule}: {exc}")
        else:
            yield StepDone(step=number, outcome=Outcome.PASSED, detail=detail)
    yield _verdict(run.case, broken)


def verdict_of(data: bytes, *, log_key: str | None = None) -> Verdict:
    """Run :func:`verify` to its end and return the verdict."""
    for event in verify(data, log_key=log_key):
        if isinstance(event, Verdict):
            return event
    raise AssertionError("a verification ends with its verdict")


def _verdict(case: Case | None, broken: tuple[int, RuleBroken] | None) -> Verdict:
    bundle: Bundle | None = case.bundle if case else None
    return Verdict(
        passed=broken is None,
        step=broken[0] if broken else None,
        rule=broken[1].rule if broken else None,
        where=broken[1].where if broken else "",
        message=broken[1].message if broken else "",
        form=bundle.manifest.form.value if bundle else None,
        digest=bundle.digest if bundle else None,
        log=bundle.manifest.log if bundle else None,
        notes=tuple(case.notes) if case else (),
    )


def _nothing() -> str:
    return "nothing to check in this form"
