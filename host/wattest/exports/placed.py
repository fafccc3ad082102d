"""A logged statement with what an export shows beside it: its place, zone and evidence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wattest.exports.words import local_day
from wattest.settlement.money import format_minor
from wattest.settlement.period import format_instant, load_zone
from wattest.settlement.render import statement_json
from wattest.settlement.statement import State

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TEST_MARK = "TEST: no claim for money"
"""What every export of a TEST statement says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """A record of the ledger that a statement refers to.

    Args:
        index: its entry.
        kid: its key, 8 bytes.
        ctx: 0 fiscal reading, 1 transaction reading, 2 event.
        seq: its number within ``ctx``.
        content_digest: SHA-256 of the record without its signature, 32 bytes.
        leaf: RFC 6962 leaf hash of the entry, 32 bytes.
    """

    index: int
    kid: bytes
    ctx: int
    seq: int
    content_digest: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedStatement:
    """A logged statement and what the ledger says about it.

    Args:
        index: its entry.
        document: the decoded body.
        zone: of the terms; ``UTC`` where the terms are not at hand.
        records: the records it names, by entry.
        series: registers of a key over the period: ``(time ms, base counts)`` ascending, by kid
            and quantity.
        origin: name of the ledger, or ``""``.
        folder: how a command line names the kept run, or ``""``.
        remarks: what became of it since, in sentences.
    """

    index: int
    document: Mapping[str, Any]
    zone: str = "UTC"
    records: Mapping[int, EvidenceRecord] = field(default_factory=dict)
    series: Mapping[tuple[bytes, str], tuple[tuple[int, int], ...]] = field(default_factory=dict)
    origin: str = ""
    folder: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def test(self) -> bool:
        """Whether it is no claim for money."""
        return bool(self.document["test"])

    @property
    def settled(self) -> bool:
        """Whether the readings cover its period, so that what it says may be paid."""
        return bool(self.document["state"] != State.PROVISIONAL)

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return str(statement_json(self.document)["digest"])

    @property
    def begins(self) -> str:
        """First instant of its period in the zone of the terms: ``2026-03-01T00:00+01:00``."""
        at = _EPOCH + self.document["period"][0] * dt.timedelta(milliseconds=1)
        local: dt.datetime = at.astimezone(load_zone(self.zone))
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    @property
    def last_day(self) -> dt.date:
        """The day its last instant falls on, in the zone of the terms."""
        return local_day(self.document["period"][1] - 1, self.zone)

    def begins_with(self, text: str) -> bool:
        """Tell whether its period is meant by a text such as ``2026-03``."""
        return self.begins.startswith(text) or format_instant(self.document["period"][0]) == text

    def money(self, minor: int) -> str:
        """Write minor units as a plain decimal of the currency."""
        return format_minor(minor, self.document["scale"])

    def payouts(self) -> list[tuple[str, int]]:
        """Return who receives how much of the total, minor units."""
        return [(str(party), int(minor)) for party, minor in self.document["payouts"]]


def bought(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the lines the buyer pays: they add up to the total; the seller pays the others."""
    return [line for line in document["lines"] if line["payer"] == document["buyer"]]


def record_indexes(document: Mapping[str, Any]) -> Iterator[int]:
    """Yield the entries of all records that a statement names, as often as it does."""
    for line in document["lines"]:
        for usage in line.get("usage", ()):
            for key in usage["keys"]:
                for name in ("start", "end"):
                    yield from (ref["index"] for ref in key.get(name, {}).get("records", ()))


def newest(statements: tuple[PlacedStatement, ...]) -> tuple[PlacedStatement, ...]:
    """Keep the newest generation of every contract and period, in the order of the ledger."""
    found: dict[tuple[str, int, int], PlacedStatement] = {}
    for placed in sorted(statements, key=lambda item: item.index):
        document = placed.document
        key = (str(document["contract"]), *document["period"])
        if key not in found or found[key].document["generation"] <= document["generation"]:
            found[key] = placed
    return tuple(sorted(found.values(), key=lambda item: item.index))
