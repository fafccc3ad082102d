"""The rules of a contract in sentences: periods, missing readings, late data, disputes, TEST."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from wattest.exports.explain_usage import AVAILABILITY, Driver, Model
from wattest.exports.words import amount, instant, listed, number, percent, span
from wattest.settlement.disputes import EXPIRY_PERIODS
from wattest.settlement.period import service_window
from wattest.settlement.terms import CalendarPeriods, Estimates

_LENGTHS = {3_600_000: "hour", 86_400_000: "day", 604_800_000: "week"}
_ROUNDING = {
    "half_even": "to the nearest cent, ties to the even one",
    "half_up": "to the nearest cent, ties away from zero",
    "down": "down, towards zero",
}
_DERIVED = {
    "accept": "A reading whose node did not know the time yet counts, if a later signed event "
    "tells it.",
    "estimate": "A reading whose node did not know the time yet counts, if a later signed event "
    "tells it; the line is then marked as estimated.",
    "exclude": "A reading whose node did not know the time yet is passed over; its energy shows "
    "in the next one.",
}
_INPUT = {
    "sensor": "Only what the sensor itself measured is billed; energy that was fed in for a test "
    "is left out.",
    "any": "Energy that was fed in for a test is billed too, but the statement is then a TEST.",
}
_STATUS = {
    "accept": "A reading with a fault reported by the sensor counts; the line says so.",
    "exclude": "A reading with a fault reported by the sensor is passed over; its energy shows in "
    "the next good one.",
}


def period_words(model: Model) -> str:
    """Say what one settlement period is called: ``month``, or ``period`` where it has no name."""
    rule = model.terms.period
    if isinstance(rule, CalendarPeriods):
        return rule.unit.value
    return _LENGTHS.get(rule.duration_ms, "period")


def when(model: Model) -> Iterator[str]:
    """Say when is settled."""
    terms, period = model.terms, model.period
    zone = terms.zone
    if isinstance(terms.period, CalendarPeriods):
        yield f"There is one bill for each calendar {terms.period.unit.value} of {zone}."
    else:
        first = instant(terms.period.start_ms, zone)
        yield f"There is one bill for each {span(terms.period.duration_ms)}, from {first} on."
    start, end = instant(period.start_ms, zone), instant(period.end_ms, zone)
    length = span(period.end_ms - period.start_ms)
    yield (
        f"For example: from {start} up to, not including, {end}; that is {length}. Times are "
        f"those of {zone}."
    )
    if terms.start_ms is not None:
        yield f"The contract begins {instant(terms.start_ms, zone)}."
    if terms.end_ms is not None:
        who = f", by {getattr(terms, terms.ended_by)}" if terms.ended_by is not None else ""
        yield f"It ends {instant(terms.end_ms, zone)}{who}."
    for pause in terms.pauses:
        first, after = instant(pause.start_ms, zone), instant(pause.end_ms, zone)
        yield f"It is paused from {first} to {after}."
    service = service_window(terms, period)
    if terms.pauses or service != period:
        yield (
            "Fixed amounts, least and largest amounts shrink with the time that it is not in "
            "force or paused."
        )
    delay = span(terms.policy.cutoff_delay_ms)
    yield f"The bill is drawn {delay} after the period's end, from the readings logged by then."


def missing(model: Model) -> Iterator[str]:
    """Say what happens when readings are missing."""
    terms = model.terms
    policy = terms.policy
    yield (
        "Registers only ever count up, so a lost reading in between loses no energy: the next one "
        "shows it."
    )
    yield (
        "At the ends of a period a register is read between two readings in proportion to time, "
        f"if they are at most {span(policy.max_gap_ms)} apart."
    )
    yield from _unmetered(model)
    yield from _availability(model)
    yield _DERIVED[policy.derived_time.value]
    yield _INPUT[policy.input.value]
    yield _STATUS[policy.status.value]
    slack = number(policy.tolerance * 100)
    yield (
        "A register that runs backwards, or faster than the most power the node was enrolled with "
        f"plus {slack} %, is not believed: nothing is billed for it until it is settled."
    )


def _availability(model: Model) -> Iterator[str]:
    terms, policy = model.terms, model.terms.policy
    if not terms.uses_availability:
        return
    yield (
        "An asset is up while its readings say so; each reading speaks for at most "
        f"{span(policy.coverage_ms)} before itself. Time that no reading speaks for is left out "
        f"of the measure, up to {percent(policy.max_unknown)} of the time; more than that counts "
        "as down."
    )
    for window in terms.maintenance:
        first, after = instant(window.start_ms, terms.zone), instant(window.end_ms, terms.zone)
        yield f"Maintenance from {first} to {after} is left out too."


def _unmetered(model: Model) -> Iterator[str]:
    policy = model.terms.policy
    rule = policy.unmetered.value
    if rule == "zero":
        yield "Time that no reading covers is not billed. It still counts as time in force."
    elif rule == "exclude":
        yield (
            "Time that no reading covers is not billed, and it leaves the time in force: least "
            "and largest amounts shrink with it."
        )
    else:
        caps = [
            f"{number(Fraction(line['estimate_cap']))} {line['unit']} for {line['code']!r}"
            for line in model.form["line"]
            if "estimate_cap" in line
        ]
        most = f", at most {listed(caps)} a period" if caps else ""
        how = (
            "by what the register moved over the gap, or by the mean of the metered time where no "
            "register spans it"
            if policy.estimates is Estimates.RULE
            else "only by estimates that the ledger holds"
        )
        yield (
            f"Time that no reading covers is estimated once the bill is final: {how}{most}. The "
            "line is then marked as estimated."
        )


def late(model: Model) -> Iterator[str]:
    """Say what happens when readings come late, with numbers."""
    after = span(model.terms.policy.final_after_ms)
    yield (
        f"Readings that arrive up to {after} after the end of the period still count: the whole "
        "period is priced again, and the difference of the two rounded totals is booked. Later "
        "ones are logged but move no money."
    )
    driver = _metered(model)
    if driver is None:
        yield from _late_availability(model)
        return
    more = _share(driver, 10)
    before, now = _paid(model, driver, driver.example), _paid(model, driver, driver.example + more)
    yield (
        f"For example: {_said(driver, driver.example)} were billed with {_money(model, before)}; "
        f"{_said(driver, more)} arrive late. The new total is {_money(model, now)}, so "
        f"{_money(model, now - before)} more is due."
    )


def _late_availability(model: Model) -> Iterator[str]:
    found = _around(model)
    if found is None:
        yield "Here nothing depends on readings, so late ones change nothing."
        return
    (poor, less), (good, more) = found
    yield (
        f"For example: by the readings so far the assets were up {number(poor)} % of the time, "
        f"which was billed with {_money(model, less)}; with late ones it is {number(good)} %. The "
        f"new total is {_money(model, more)}, so {_money(model, more - less)} more is due."
    )


def _around(model: Model) -> tuple[tuple[Fraction, int], tuple[Fraction, int]] | None:
    """Return availability and total just below and just above the best band, if there is one."""
    driver = next((d for d in model.drivers if d.name == AVAILABILITY), None)
    if driver is None or not driver.thresholds:
        return None
    at = driver.thresholds[-1]
    low, high = max(Fraction(0), at - Fraction(1, 2)), min(Fraction(100), at + Fraction(1, 2))
    return (low, _paid(model, driver, low)), (high, _paid(model, driver, high))


def disputes(model: Model) -> Iterator[str]:
    """Say what happens in a dispute, with numbers."""
    terms = model.terms
    who = f"{terms.seller} and {terms.buyer}"
    alone = f", or {terms.arbiter} alone decides" if terms.arbiter is not None else ""
    ends = f"{who} both say the same{alone}"
    yield (
        "Each party may dispute the readings of a stretch of time. What is undisputed is due; "
        f"the rest is held until {ends}. Without that it ends when {EXPIRY_PERIODS} later periods "
        "have been settled, and the signed readings stand."
    )
    yield (
        "A node that signs two contents under one number opens a dispute by itself: neither is "
        "used."
    )
    driver = _metered(model)
    if driver is None:
        found = _around(model)
        if found is not None:
            (poor, less), (good, more) = found
            yield (
                f"For example: if it is disputed whether the assets were up {number(poor)} % or "
                f"{number(good)} % of the time, {_money(model, less)} is due at once, "
                f"{_money(model, more - less)} is held."
            )
        return
    part = _share(driver, 10)
    amounts = sorted(
        (_paid(model, driver, driver.example - part), _paid(model, driver, driver.example))
    )
    yield (
        f"For example: of {_said(driver, driver.example)}, {_said(driver, part)} are disputed. "
        f"{_money(model, amounts[0])} is due at once, {_money(model, amounts[1] - amounts[0])} is "
        "held."
    )


def trust(model: Model) -> Iterator[str]:
    """Say what makes a bill a claim, how it is rounded, and what proves it."""
    terms = model.terms
    rounding = _ROUNDING[terms.rounding.value]
    if terms.scale != 2:
        rounding = rounding.replace(
            "cent", f"{number(Fraction(1, 10**terms.scale))} {terms.currency}"
        )
    yield f"Each line is calculated exactly and rounded once, {rounding}. The total adds them up."
    yield (
        "A bill is a claim for money only if every reading behind it comes from a real node with "
        "a key of its own and from its sensor; else it says TEST."
    )
    if terms.party_keys:
        parties = listed([party for party, _ in terms.party_keys])
        yield f"The contract itself says which keys {parties} sign with."
    if terms.witness is not None:
        yield (
            f"At least {terms.witness.threshold} of {len(terms.witness.keys)} witnesses must have "
            "signed the state of the ledger before money rests on it."
        )
    yield (
        "Every reading is signed by its node and kept in a ledger that only grows. Both parties "
        "can calculate each bill again from it: `wattest verify`."
    )


def _metered(model: Model) -> Driver | None:
    """Return the first driver that readings move."""
    return next((d for d in model.drivers if d.name != AVAILABILITY), None)


def _share(driver: Driver, parts: int) -> Fraction:
    return Fraction(max(1, int(driver.example * driver.base) // parts), driver.base)


def _paid(model: Model, driver: Driver, at: Fraction) -> int:
    return model.paid(model.bill(driver, at))


def _money(model: Model, minor: int) -> str:
    return amount(minor, model.terms.scale, model.terms.currency)


def _said(driver: Driver, at: Fraction) -> str:
    return f"{number(at)} {driver.unit or driver.words}"
