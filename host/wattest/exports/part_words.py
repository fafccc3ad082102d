"""How a part of a line is said: ``100 kWh x 0.30 EUR``, ``2.5 % of 723.60 EUR``."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wattest.exports.words import number, percent, price

_RATES = {"COMMISSION", "SLA_CREDIT"}
"""Templates whose parts are a share of an amount."""
_METERED = {"PAY_PER_USE", "FREEMIUM", "SHORTFALL"}
"""Templates whose parts all count the quantity."""
_METERED_PARTS = {
    ("GAIN_SHARE", "gain"),
    ("GAIN_SHARE", "performance"),
    ("GAIN_SHARE_BONUS", "bonus"),
    ("LEASE", "overage"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartWords:
    """A part in words.

    Args:
        name: of a window, a step, or what the template calls it; may be empty.
        quantity: what is multiplied.
        price: what it is multiplied by.
        counts: whether the quantity is the metered one.
        rate: the quantity is a share of an amount.
    """

    name: str
    quantity: str
    price: str
    counts: bool
    rate: bool = False

    @property
    def sum(self) -> str:
        """Quantity times price in one breath."""
        sign = "of" if self.rate else "x"
        return f"{self.quantity} {sign} {self.price}" if self.quantity else self.price

    @property
    def said(self) -> str:
        """The same with its name."""
        return f"{self.name}: {self.sum}" if self.name else self.sum


def part_words(
    *,
    template: str,
    window: str,
    tier: int,
    quantity: Fraction,
    each: Fraction,
    unit: str,
    money: tuple[int, str],
) -> PartWords:
    """Say a part of a line.

    Args:
        template: of the line.
        window: of the part.
        tier: of the part, 0: none.
        quantity: exact.
        each: price, exact.
        unit: of the line's quantity, or ``""``.
        money: decimals and name of the currency.
    """
    name = " ".join(filter(None, (window, f"step {tier}" if tier else "")))
    counts = template in _METERED or (template, window) in _METERED_PARTS
    if template in _RATES:
        whole = price(quantity, *money)
        return PartWords(name=name, quantity=percent(each), price=whole, counts=False, rate=True)
    said = price(each, *money)
    shown = "" if quantity == 1 and not counts else number(quantity)
    if counts and unit != "each":
        shown = f"{shown} {unit}"
    return PartWords(name=name, quantity=shown, price=said, counts=counts)
