"""The lines of a statement: what was priced, put beside the evidence it was metered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wattest.settlement.availability import Availability
from wattest.settlement.estimate import Estimate
from wattest.settlement.flags import Flag
from wattest.settlement.line import Priced
from wattest.settlement.price import Counts, price_lines
from wattest.settlement.statement import Line
from wattest.settlement.terms import LineTerms, Terms
from wattest.settlement.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What stands behind the quantity of one line of the terms.

    Args:
        usage: by asset.
        metered: base counts the readings prove, all assets.
        estimated: base counts added for unmetered time.
        logged: logged estimates and how much of them was granted.
    """

    usage: tuple[Usage, ...] = ()
    metered: int = 0
    estimated: int = 0
    logged: tuple[tuple[Estimate, int], ...] = ()


NO_EVIDENCE = Evidence()


def draw_lines(
    terms: Terms,
    counts: Counts,
    evidence: Mapping[str, Evidence],
    availability: Availability | None,
) -> tuple[Line, ...]:
    """Price a period and put its evidence to it.

    Args:
        terms: of the contract.
        counts: what is priced.
        evidence: by code of the terms' lines.
        availability: the scan, if a line asked for one.
    """
    by_code = {line.code: line for line in terms.lines}
    return tuple(
        _draw(by_code[priced.line], priced, counts, evidence[priced.line], availability)
        for priced in price_lines(terms, counts)
    )


def _draw(
    line: LineTerms,
    priced: Priced,
    counts: Counts,
    evidence: Evidence,
    availability: Availability | None,
) -> Line:
    flags = set(priced.flags)
    behind, counted = NO_EVIDENCE, counts.lines[priced.line]
    if priced.metered:
        behind = evidence
        flags.update(flag for asset in evidence.usage for flag in asset.flags)
        if evidence.estimated:
            flags.add(Flag.EST)
    if priced.metric is not None and line.needs.availability and availability is not None:
        flags.update(availability.flags)
    return Line(
        code=priced.code,
        line=priced.line,
        template=priced.template,
        quantity=line.needs.quantity if priced.metered else None,
        metered=behind.metered,
        estimated=behind.estimated,
        by_window=tuple(counted.by_window.items()) if priced.metered else (),
        history=counted.history if priced.metered else (),
        logged=behind.logged,
        active=priced.active,
        parts=priced.parts,
        exact=priced.exact,
        minor=priced.minor,
        payer=priced.payer,
        payees=priced.payees,
        metric=priced.metric,
        once=priced.once,
        recognised=priced.recognised,
        usage=behind.usage,
        flags=tuple(sorted(flags)),
    )
