"""The terms of a supply contract: what is counted, over which periods, at which price.

A value of ``Terms`` is validated and has one canonical form (``terms_form.py``), whose CBOR is
what both parties sign and whose SHA-256 names the terms everywhere. Prices are exact; no float
ever was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Protocol

from wattest.errors import SettlementError
from wattest.settlement.line import Piece
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


class Estimates(StrEnum):
    """Where an estimate of unmetered time comes from."""

    RULE = "rule"
    """From the asset's own readings, by the rule of the engine."""
    LOGGED = "logged"
    """Only from estimates that the ledger holds."""


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
        estimates: where an estimate comes from.
        coverage_ms: how long before itself a record says whether the asset was up.
        max_unknown: share of the time that availability may leave out because nobody knows.
        cutoff_delay_ms: how long after its end a period waits for records.
        final_after_ms: how long after its end a period accepts late records.
    """

    max_gap_ms: int = 3_600_000
    unmetered: Unmetered = Unmetered.ZERO
    derived_time: DerivedTime = DerivedTime.ACCEPT
    input: InputPolicy = InputPolicy.SENSOR
    status: StatusPolicy = StatusPolicy.ACCEPT
    tolerance: Fraction = Fraction(1, 10)
    estimates: Estimates = Estimates.RULE
    coverage_ms: int = 900_000
    max_unknown: Fraction = Fraction(1, 20)
    cutoff_delay_ms: int = 3_600_000
    final_after_ms: int = 30 * 86_400_000


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


class Basis(StrEnum):
    """What of a line can be in dispute, and in which counts."""

    QUANTITY = "quantity"
    """Part of the metered quantity, base counts."""
    DOWNTIME = "downtime"
    """Part of the time that counts as down, ms over all assets."""
    ACTIVE = "active"
    """Part of the active time, ms: a pause."""
    NOTHING = "nothing"
    """The line follows others, or nothing that is metered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a line wants to be given before it can be priced.

    Args:
        quantity: what is metered, or ``None``.
        windows: time-of-use windows that share it out.
        estimate_cap: most that may be estimated in a period over all assets, price units.
        availability: it looks at the time its assets were up.
        spans: windows of its own that its active time lies in; ``None``: the whole contract.
        lookback: how many earlier periods must be metered too.
        basis: what of it can be in dispute.
        suffixes: of the codes of the lines it draws on a statement.
        parties: paid by the seller out of what the buyer pays.
        deposit: held from the begin of the contract to its end, major units.
        follows: it is priced by the net of the lines before it and must come after all of them.
    """

    quantity: Quantity | None = None
    windows: tuple[DayWindow, ...] = ()
    estimate_cap: Fraction | None = None
    availability: bool = False
    spans: tuple[Window, ...] | None = None
    lookback: int = 0
    basis: Basis = Basis.NOTHING
    suffixes: tuple[str, ...] = ("",)
    parties: tuple[str, ...] = ()
    deposit: Fraction = Fraction(0)
    follows: bool = False


class LineTerms(Protocol):
    """One line of a contract; ``templates`` holds one class for each kind."""

    @property
    def template(self) -> str:
        """Name of the kind, such as ``PAY_PER_USE``."""
        ...

    @property
    def code(self) -> str:
        """Names the line on the statement."""
        ...

    @property
    def needs(self) -> Needs:
        """What it wants to be given."""
        ...

    def form(self) -> dict[str, Any]:
        """Return its keys in canonical terms, ``template`` and ``code`` left out."""
        ...

    def price(self, given: Given) -> tuple[Piece, ...]:
        """Return what it draws on a statement, one piece for each of its suffixes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeCycle:
    """What an asset costs its seller over its life, for a page that explains the contract.

    Args:
        development: once, major units.
        delivery: once.
        operation: each settlement period.
        maintenance: each settlement period.
        disposal: once.
        periods: settlement periods that what is spent once is spread over, >= 1.
    """

    development: Fraction
    delivery: Fraction
    operation: Fraction
    maintenance: Fraction
    disposal: Fraction
    periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessTerms:
    """Who must have cosigned a checkpoint before money rests on it.

    Args:
        threshold: how many of the keys, 1 to their number.
        keys: verifier keys of witnesses, as C2SP signed notes write them; ascending.
    """

    threshold: int
    keys: tuple[str, ...]


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
        maintenance: windows that availability leaves out, ascending, apart from each other.
        ended_by: who ended the contract at ``end_ms``: ``seller``, ``buyer``, or ``None``.
        arbiter: whose resolution of a dispute stands alone, or ``None``.
        party_keys: ``(party, public key)`` the parties sign with, x || y, 64 bytes; ascending.
        witness: whose cosignatures the evidence needs, or ``None``.
        life_cycle: for a page that explains the contract, or ``None``.
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
    maintenance: tuple[Window, ...] = ()
    ended_by: str | None = None
    arbiter: str | None = None
    party_keys: tuple[tuple[str, bytes], ...] = ()
    witness: WitnessTerms | None = None
    life_cycle: LifeCycle | None = None

    @property
    def brokers(self) -> tuple[str, ...]:
        """Parties the seller pays out of what the buyer pays, ascending, each once."""
        return tuple(sorted({name for line in self.lines for name in line.needs.parties}))

    @property
    def uses_availability(self) -> bool:
        """Whether any line looks at the time the assets were up."""
        return any(line.needs.availability for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a line is priced with.

    Args:
        terms: for scale, rounding and the contract's own dates.
        period: the settlement period; ``None``: any ordinary one, as a chart shows it.
        once: whether what falls due once falls into an ordinary period.
        active: active share of the period, 0 to 1.
        by_window: base counts by time-of-use window, -1 outside of all.
        availability: share of time the assets were up, 0 to 1.
        earlier: minor units of the lines before it that the buyer pays, by the terms' codes.
        fees: minor units the seller already pays to others out of them.
        history: ``(active share, base counts)`` of the earlier periods a line asks for, in order.
    """

    terms: Terms
    period: Window | None
    once: bool
    active: Fraction
    by_window: Mapping[int, int | Fraction]
    availability: Fraction
    earlier: Mapping[str, int]
    fees: int
    history: tuple[tuple[Fraction, int | Fraction], ...] = ()

    def units(self, quantity: Quantity) -> Fraction:
        """Return everything metered in price units."""
        return Fraction(sum(self.by_window.values()), quantity.base_per_unit)


def find_line(terms: Terms, code: str) -> LineTerms:
    """Return the line of the terms behind a code of the terms or of a statement.

    Raises:
        SettlementError: no such line.
    """
    for line in terms.lines:
        if code in (line.code, *(f"{line.code}.{suffix}" for suffix in line.needs.suffixes)):
            return line
    known = ", ".join(line.code for line in terms.lines)
    raise SettlementError(
        f"contract {terms.contract}: a line out of {known} expected, got {code!r}"
    )
