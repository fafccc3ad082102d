"""The terms of a supply contract: what is counted, over which periods, at which price.

A value of ``Terms`` is validated and has one canonical form (``terms_form.py``), whose CBOR is
what both parties sign and whose SHA-256 names the terms everywhere. Prices are exact; no float
ever was one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from wattest.settlement.money import Rounding
from wattest.settlement.quantity import Quantity


class Unmetered(StrEnum):
    """What happens to time that no reading covers."""

    ZERO = "zero"
    """Nothing is billed for it; the time still counts as active."""
    ESTIMATE = "estimate"
    """Once the period is final: billed by a stated rule, capped, flagged EST."""
    EXCLUDE = "exclude"
    """Nothing is billed, and the time leaves the active time of minimum and maximum."""


class DerivedTime(StrEnum):
    """What a reading is worth whose time the host derived from a later signed time-set event."""

    ACCEPT = "accept"
    ESTIMATE = "estimate"
    """Used; the line is flagged EST."""
    EXCLUDE = "exclude"
    """Not used as a point of the register; its energy shows in the next reading."""


class InputPolicy(StrEnum):
    """What energy is billed that was not measured by the sensor."""

    SENSOR = "sensor"
    """Intervals that saw injected or played input are not billed."""
    ANY = "any"
    """They are billed like any other; the statement is marked TEST all the same."""


class StatusPolicy(StrEnum):
    """What a reading with a status other than good is worth."""

    ACCEPT = "accept"
    EXCLUDE = "exclude"
    """Not used as a point of the register; its energy shows in the next good reading."""


class PeriodUnit(StrEnum):
    """Calendar units a settlement period may have."""

    DAY = "day"
    WEEK = "week"
    """Monday to Sunday."""
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPeriods:
    """Whole days, weeks, months, quarters or years of the terms' time zone."""

    unit: PeriodUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPeriods:
    """Periods of one length, one after the other from an instant.

    Args:
        start_ms: begin of the first, ms since 1970 UTC.
        duration_ms: > 0.
    """

    start_ms: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open window of UTC ms since 1970."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How evidence that is not perfect is treated.

    Args:
        max_gap_ms: longest distance of two readings between which a register may be interpolated.
        unmetered: for time no reading covers.
        derived_time: for readings without a time of their own.
        input: for energy that did not come from the sensor.
        status: for readings with a bad status.
        tolerance: slack on the largest plausible delta, a fraction of it.
    """

    max_gap_ms: int = 3_600_000
    unmetered: Unmetered = Unmetered.ZERO
    derived_time: DerivedTime = DerivedTime.ACCEPT
    input: InputPolicy = InputPolicy.SENSOR
    status: StatusPolicy = StatusPolicy.ACCEPT
    tolerance: Fraction = Fraction(1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A graduated price step.

    Args:
        up_to: upper end in price units, exclusive of nothing; ``None``: no end (the last tier).
        price: major units of the currency for one price unit, >= 0.
    """

    up_to: Fraction | None
    price: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWindow:
    """A time-of-use window, in the local time of the terms' zone.

    Args:
        name: what the statement calls it.
        days: 0 Monday to 6 Sunday, ascending.
        start_min: minute of the day it begins, 0 to 1439.
        end_min: minute of the day it ends, 1 to 1440; before ``start_min``: over midnight.
        tiers: its prices.
    """

    name: str
    days: tuple[int, ...]
    start_min: int
    end_min: int
    tiers: tuple[Tier, ...]

    def covers(self, weekday: int, minute: int) -> bool:
        """Tell whether a local minute lies inside; after midnight counts the day before."""
        if self.start_min < self.end_min:
            return weekday in self.days and self.start_min <= minute < self.end_min
        if minute >= self.start_min:
            return weekday in self.days
        return minute < self.end_min and (weekday - 1) % 7 in self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A fixed amount for a whole period, pro rata to its active time.

    Args:
        code: names the line on the statement.
        amount: for a full period, major units.
    """

    code: str
    amount: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPerUse:
    """A price for each unit of a counted quantity.

    Args:
        code: names the line on the statement.
        quantity: what is counted.
        tiers: prices outside of every time-of-use window; the last has no end.
        windows: time-of-use windows, the first that covers an instant wins.
        minimum: least amount for a full period, or ``None``.
        maximum: largest amount for a full period, or ``None``.
        prorate_bounds: minimum and maximum shrink with the active time.
        estimate_cap: most that may be estimated in a period over all assets, price units.
    """

    code: str
    quantity: Quantity
    tiers: tuple[Tier, ...]
    windows: tuple[DayWindow, ...] = ()
    minimum: Fraction | None = None
    maximum: Fraction | None = None
    prorate_bounds: bool = True
    estimate_cap: Fraction | None = None


LineTerms = Subscription | PayPerUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything a settlement needs to know about one supply contract.

    Args:
        contract: its name, unique in a ledger.
        title: for people; may be empty.
        seller: who is paid.
        buyer: who pays.
        assets: whose nodes meter it, ascending; quantities of all assets add up.
        currency: three capital letters.
        scale: decimals of the currency, 0 to 6.
        rounding: of every line.
        zone: IANA name; calendar periods and time-of-use windows are local to it.
        period: how time is cut into settlement periods.
        start_ms: the contract's first instant, or ``None``.
        end_ms: the first instant after it, or ``None``.
        pauses: windows that do not count as active, ascending, apart from each other.
        policy: for evidence that is not perfect.
        lines: at least one; codes differ.
    """

    contract: str
    title: str
    seller: str
    buyer: str
    assets: tuple[str, ...]
    currency: str
    scale: int
    rounding: Rounding
    zone: str
    period: CalendarPeriods | FixedPeriods
    start_ms: int | None
    end_ms: int | None
    pauses: tuple[Window, ...]
    policy: Policy
    lines: tuple[LineTerms, ...]
