"""Deeds of a plan: what the parties of a contract do about money, as ``[[action]]`` tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from wattest.tables import Table
from wattest.units import NS_PER_S


class DeedKind(StrEnum):
    """What a party does."""

    AGREE = "agree"
    FUND = "fund"
    DEPOSIT = "deposit"
    DAMAGE = "damage"
    PAYOUT = "payout"
    REFUND = "refund"
    DISPUTE = "dispute"
    RESOLVE = "resolve"


PAYMENTS = (
    DeedKind.FUND,
    DeedKind.DEPOSIT,
    DeedKind.DAMAGE,
    DeedKind.PAYOUT,
    DeedKind.REFUND,
)
BY_BOTH = (DeedKind.AGREE, DeedKind.RESOLVE)
"""Kinds that seller and buyer do together where no party is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One planned deed.

    Args:
        kind: what is done.
        contract: in which contract.
        party: by whom, or ``""``: by seller and buyer.
        at_ns: when, since the run began; it may lie after the run's end.
        amount: of a payment, major units of the currency.
        reference: of a payment.
        name: of a dispute; what a ``resolve`` calls it by.
        line: disputed line.
        window_ns: disputed time since the run began, ``(begin, end)``.
        quantity: disputed units of the line, or None: what was metered in the window.
        granted: of a resolution, disputed units that are billed after all.
        text: reason of a dispute, words of a resolution.
    """

    kind: DeedKind
    contract: str
    party: str
    at_ns: int
    amount: Fraction = Fraction(0)
    reference: str = ""
    name: str = ""
    line: str = ""
    window_ns: tuple[int, int] = (0, 0)
    quantity: Fraction | None = None
    granted: Fraction = Fraction(0)
    text: str = ""


_MAX = Fraction(10**12)
_TEXT = r"[^\x00-\x1f]{1,200}"
_TEXT_EXPECTED = "1 to 200 printable characters"


def read_deed(table: Table) -> Deed:
    """Read one ``[[action]]`` table that a party does.

    Raises:
        ConfigError: a key is wrong or does not belong to the kind.
    """
    kind = DeedKind(table.choice("kind", [*DeedKind]))
    party = table.name("party", "") if kind in BY_BOTH else table.name("party")
    at_ns = table.duration_ns("at")
    own: dict[str, object] = {}
    if kind in PAYMENTS:
        own["amount"] = _positive(table, "amount")
        own["reference"] = table.name("reference", f"{kind.value}-{at_ns // NS_PER_S}")
    elif kind is DeedKind.DISPUTE:
        own["name"] = table.name("name")
        own["line"] = table.name("line")
        own["window_ns"] = _window(table)
        if "quantity" in table:
            own["quantity"] = _positive(table, "quantity")
        own["text"] = table.text("reason", pattern=_TEXT, expected=_TEXT_EXPECTED)
    elif kind is DeedKind.RESOLVE:
        own["name"] = table.name("dispute")
        own["granted"] = table.decimal("granted", minimum=0, maximum=_MAX)
        own["text"] = table.text("text", "settled", pattern=_TEXT, expected=_TEXT_EXPECTED)
    deed = Deed(
        kind=kind,
        contract=table.name("contract"),
        party=party,
        at_ns=at_ns,
        **own,  # type: ignore[arg-type]
    )
    table.finish()
    return deed


def _positive(table: Table, key: str) -> Fraction:
    value = table.decimal(key, minimum=0, maximum=_MAX)
    if not value:
        raise table.error(key, "more than 0 expected")
    return value


def _window(table: Table) -> tuple[int, int]:
    start, end = table.duration_ns("from"), table.duration_ns("to")
    if end <= start:
        raise table.error("to", "a time after from expected")
    return start, end
