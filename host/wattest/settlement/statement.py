"""A statement: what is owed for one period, by which terms, on which evidence. Canonical bytes.

The document is a map with text keys; exact rationals are texts in lowest terms (``"3/8"``), money
is minor units, instants are ms since 1970 UTC, digests and keys are byte strings. Its
deterministic CBOR is what the ledger keeps. The *economic digest* leaves out where in the ledger
the evidence lies (``index``, ``cutoff``) and the number of the run (``generation``): it depends
on what was metered and agreed, and on nothing else, so two ledgers that received the same records
in another order agree on it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any

from wattest.settlement.availability import Availability
from wattest.settlement.estimate import Estimate
from wattest.settlement.flags import Flag
from wattest.settlement.line import Part
from wattest.settlement.money import exact_text, format_minor, number_text
from wattest.settlement.price import Counts, payouts_of, total_of
from wattest.settlement.quantity import Quantity
from wattest.settlement.terms import Terms, Window
from wattest.settlement.usage import End, KeyEvidence, RecordRef, Usage
from wattest.wire import cbor

STATEMENT_FORMAT = "wattest-statement/2"
ENGINE_VERSION = 2
"""Grows whenever equal inputs may give other bytes."""

_PLACE_KEYS = ("cutoff", "generation", "opening")


class State(StrEnum):
    """How far a statement may still change."""

    PROVISIONAL = "provisional"
    """An end of the period is not covered by readings yet."""
    COMPLETE = "complete"
    """Both ends are covered; late records may still make a new generation."""
    FINAL = "final"
    """The time for late records is over; the policy for unmetered time was applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """The checkpoint that bounds the evidence: tree size and root, 32 bytes."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a statement.

    Args:
        code: from the terms, with a suffix where a template draws several lines.
        line: code of the line of the terms.
        template: of the line of the terms.
        quantity: what was counted; ``None`` on a line that nothing is counted for.
        metered: base counts the readings prove, all assets.
        estimated: base counts added for unmetered time.
        by_window: ``(time-of-use window, base counts)`` that were priced, -1 outside of all.
        history: ``(active share, base counts)`` of earlier periods that were looked back to.
        logged: logged estimates and the base counts granted to them.
        active: active share of the period it was priced with.
        parts: how the amount came about.
        exact: the amount before rounding, major units.
        minor: the amount, minor units; a credit is negative.
        payer: party that pays it.
        payees: ``(party, minor units)`` of those it goes to; their sum is ``minor``.
        metric: the measure of performance that chose the price, or ``None``.
        once: it falls due once in the life of the contract.
        recognised: minor units of a spread amount that belong to this period, or ``None``.
        usage: evidence by asset; empty where nothing is counted.
        flags: ascending, each once.
    """

    code: str
    line: str
    template: str
    quantity: Quantity | None
    metered: int
    estimated: int
    by_window: tuple[tuple[int, int | Fraction], ...]
    history: tuple[tuple[Fraction, int | Fraction], ...]
    logged: tuple[tuple[Estimate, int], ...]
    active: Fraction
    parts: tuple[Part, ...]
    exact: Fraction
    minor: int
    payer: str
    payees: tuple[tuple[str, int], ...]
    metric: Fraction | None
    once: bool
    recognised: int | None
    usage: tuple[Usage, ...]
    flags: tuple[Flag, ...]


# Not slots: encoding and digests are computed once, on first use, and kept beside the fields.
@dataclass(frozen=True, kw_only=True)
class Statement:
    """What one contract owes for one period.

    Args:
        terms: the terms it was priced by.
        terms_digest: their hash, 32 bytes.
        period: the settlement period.
        generation: 1 for the first run of a period, +1 for each later one.
        state: how far it may still change.
        cutoff: bound of the evidence.
        test_reasons: why it is no claim for money; empty for a real one. Ascending.
        lines: in the order of the terms.
        counts: what the lines were priced with.
        availability: the time the assets were up, or ``None`` where no line asks.
        opening: entries known when the value at the begin was frozen, or ``None``.
    """

    terms: Terms
    terms_digest: bytes
    period: Window
    generation: int
    state: State
    cutoff: Cutoff
    test_reasons: tuple[str, ...]
    lines: tuple[Line, ...]
    counts: Counts
    availability: Availability | None
    opening: int | None = None

    @property
    def contract(self) -> str:
        """Name of the contract."""
        return self.terms.contract

    @property
    def currency(self) -> str:
        """Three capital letters."""
        return self.terms.currency

    @property
    def test(self) -> bool:
        """Whether it rests on anything but real nodes, real keys and sensor input."""
        return bool(self.test_reasons)

    @property
    def total_minor(self) -> int:
        """What the buyer owes: the sum of the rounded lines the buyer pays, minor units."""
        return total_of(self.terms, self.lines)

    @property
    def total(self) -> str:
        """What the buyer owes as a decimal string of the currency."""
        return format_minor(self.total_minor, self.terms.scale)

    @property
    def payouts(self) -> tuple[tuple[str, int], ...]:
        """Who gets how many minor units of the total: the seller, then brokers by name."""
        return payouts_of(self.terms, self.lines)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Flags of all lines, ascending, each once."""
        return tuple(sorted({flag for line in self.lines for flag in line.flags}))

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes; computed once."""
        return cbor.encode(self.to_document())

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes, 32 bytes."""
        return hashlib.sha256(self.encoded).digest()

    @cached_property
    def economic_digest(self) -> bytes:
        """SHA-256 of the document without places in the ledger and run number, 32 bytes."""
        document = {k: v for k, v in self.to_document().items() if k not in _PLACE_KEYS}
        document["lines"] = [_line(line, places=False) for line in self.lines]
        return hashlib.sha256(cbor.encode(document)).digest()

    def to_cbor(self) -> bytes:
        """Return the canonical bytes: the body of a ledger entry of kind 5."""
        return self.encoded

    def to_document(self) -> dict[str, Any]:
        """Return the statement as the map that is encoded."""
        document = {
            "format": STATEMENT_FORMAT,
            "engine": ENGINE_VERSION,
            "contract": self.terms.contract,
            "title": self.terms.title,
            "seller": self.terms.seller,
            "buyer": self.terms.buyer,
            "terms": self.terms_digest,
            "currency": self.terms.currency,
            "scale": self.terms.scale,
            "rounding": self.terms.rounding.value,
            "period": [self.period.start_ms, self.period.end_ms],
            "generation": self.generation,
            "state": self.state.value,
            "cutoff": {"size": self.cutoff.size, "root": self.cutoff.root},
            "test": self.test,
            "test_reasons": list(self.test_reasons),
            "lines": [_line(line, places=True) for line in self.lines],
            "total": self.total_minor,
            "payouts": [[party, minor] for party, minor in self.payouts],
        }
        if self.availability is not None:
            document["availability"] = _availability(self.availability)
        if self.opening is not None:
            document["opening"] = self.opening
        return document


def _line(line: Line, *, places: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "code": line.code,
        "line": line.line,
        "template": line.template,
        "active": exact_text(line.active),
        "parts": [_part(part) for part in line.parts],
        "exact": exact_text(line.exact),
        "amount": line.minor,
        "payer": line.payer,
        "payees": [[party, minor] for party, minor in line.payees],
        "flags": [flag.value for flag in line.flags],
    }
    if line.metric is not None:
        document["metric"] = exact_text(line.metric)
    if line.once:
        document["once"] = True
    if line.recognised is not None:
        document["recognised"] = line.recognised
    if line.history:
        document["history"] = [[exact_text(active), count] for active, count in line.history]
    if line.logged:
        document["logged"] = [_logged(*item, places=places) for item in line.logged]
    if line.quantity is not None:
        document |= {
            "quantity": line.quantity.name,
            "unit": line.quantity.unit,
            "base_per_unit": line.quantity.base_per_unit,
            "metered": line.metered,
            "estimated": line.estimated,
            "by_window": [[window, count] for window, count in line.by_window],
            "usage": [_usage(usage, places=places) for usage in line.usage],
        }
    return document


def _logged(estimate: Estimate, granted: int, *, places: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "asset": estimate.asset,
        "window": [estimate.start_ms, estimate.end_ms],
        "count": estimate.count,
        "granted": granted,
    }
    if places:
        document["index"] = estimate.index
    return document


def _availability(availability: Availability) -> dict[str, Any]:
    return {
        "value": exact_text(availability.value),
        "left_out": exact_text(availability.left_out),
        "base": availability.base_ms,
        "up": availability.up_ms,
        "down": availability.down_ms,
        "unknown": availability.unknown_ms,
        "assets": [
            {
                "asset": asset.asset,
                "base": asset.base_ms,
                "excluded": asset.excluded_ms,
                "up": asset.up_ms,
                "down": [list(span) for span in asset.down],
                "unknown": [list(span) for span in asset.unknown],
            }
            for asset in availability.assets
        ],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "window": part.window,
        "tier": part.tier,
        "quantity": exact_text(part.quantity),
        "price": number_text(part.price),
        "amount": exact_text(part.amount),
    }


def _usage(usage: Usage, *, places: bool) -> dict[str, Any]:
    return {
        "asset": usage.asset,
        "metered": usage.metered,
        "metered_ms": usage.metered_ms,
        "unmetered": [[gap.start_ms, gap.end_ms] for gap in usage.gaps],
        "excluded": usage.excluded,
        "keys": [_key(key, places=places) for key in usage.keys],
        "flags": [flag.value for flag in usage.flags],
    }


def _key(key: KeyEvidence, *, places: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kid": key.kid,
        "quantity": key.quantity,
        "records": key.records,
        "missing": key.missing,
        "digest": key.digest,
    }
    if key.start is not None and key.end is not None:
        document["start"] = _end(key.start, places=places)
        document["end"] = _end(key.end, places=places)
    return document


def _end(end: End, *, places: bool) -> dict[str, Any]:
    return {
        "time": end.time_ms,
        "value": end.value,
        "rule": end.rule.value,
        "records": [_ref(ref, places=places) for ref in end.records],
    }


def _ref(ref: RecordRef, *, places: bool) -> dict[str, Any]:
    document = {"ctx": ref.ctx, "seq": ref.seq, "time": ref.time_ms, "value": ref.value}
    if places:
        document["index"] = ref.index
    return document
