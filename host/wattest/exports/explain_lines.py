"""Each line of a contract in a sentence: one function a template, fed with the canonical form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from wattest.exports.words import counted, instant, listed, number, percent, price

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_QUANTITIES = {
    "import_energy": "energy that the meter counts as drawn",
    "export_energy": "energy that the meter counts as delivered",
    "use_time": "time in use",
    "record_count": "fiscal readings",
    "transaction_count": "sessions begun",
}
_COUNTED = {"record_count": "fiscal reading", "transaction_count": "session begun"}
_DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What sentences need to know of the contract around a line.

    Args:
        seller: who is paid.
        buyer: who pays.
        currency: three capital letters.
        scale: its decimals.
        period: ``month``, ``period``: what one settlement period is called.
        zone: of the terms.
    """

    seller: str
    buyer: str
    currency: str
    scale: int
    period: str
    zone: str

    def instant(self, text: str) -> str:
        """Say an instant as the terms write it."""
        moment = dt.datetime.fromisoformat(text)
        return instant((moment - _EPOCH) // dt.timedelta(milliseconds=1), self.zone)

    def part(self, text: str, share: int, whole: int) -> str:
        """Say a share of an amount as the terms write it."""
        return price(Fraction(text) * share / whole, self.scale, self.currency)

    def price(self, text: str) -> str:
        """Say a price as the terms write it."""
        return price(Fraction(text), self.scale, self.currency)


Line = Mapping[str, Any]
Sayer = Callable[[Line, Setting], Iterator[str]]


def line_sentences(line: Line, setting: Setting) -> list[str]:
    """Say what a line means.

    Args:
        line: its table in the canonical form of the terms.
        setting: the contract around it.
    """
    return list(SAYERS[line["template"]](line, setting))


def _subscription(line: Line, setting: Setting) -> Iterator[str]:
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} a {setting.period}, whatever is "
        "used; for a part of it, in proportion to the time in force and not paused."
    )


def _pay_per_use(line: Line, setting: Setting) -> Iterator[str]:
    what = quantity_words(line)
    if line["quantity"] in _COUNTED:
        what = f"each {_COUNTED[line['quantity']]}"
    yield f"{setting.buyer} pays for {what}: {tiers_words(line, setting)}."
    for window in line.get("time_of_use", ()):
        prices = tiers_words(window | _unit(line), setting)
        yield f"In the hours {window['name']!r}, {_hours(window)}: {prices}."
    yield from bounds_words(line, setting)


def quantity_words(line: Line) -> str:
    """Say what a line counts."""
    if line["quantity"] == "register":
        return f"what register {line['obis']} counts, in {line['unit']}"
    return _QUANTITIES.get(line["quantity"], str(line["quantity"]))


def tiers_words(line: Line, setting: Setting) -> str:
    """Say a price, or prices by steps: each step prices only what falls into it."""
    unit = unit_words(line)
    if "price" in line:
        return f"{setting.price(line['price'])} {unit}"
    parts = []
    low = "0"
    steps: Sequence[Line] = line["tiers"]
    for number_, step in enumerate(steps):
        if "up_to" in step:
            head = "the first" if number_ == 0 else f"from {_number(low)} to"
            parts.append(
                f"{head} {_number(step['up_to'])} cost {setting.price(step['price'])} {unit}"
            )
            low = step["up_to"]
        else:
            parts.append(
                f"what is above {_number(low)} costs {setting.price(step['price'])} {unit}"
            )
    return ", ".join(parts)


def unit_words(line: Line) -> str:
    """Say for how much a price is: ``a kWh``, ``each``."""
    unit = line.get("unit", "each")
    return "each" if unit == "each" else f"for each {unit}"


def bounds_words(line: Line, setting: Setting, *, what: str = "It") -> Iterator[str]:
    """Say the least and the largest amount of a line."""
    less = "less" if line.get("prorate_bounds", True) else "also"
    for key, words in (("minimum", "at least"), ("maximum", "at most")):
        if key in line:
            bound = f"{words} {setting.price(line[key])} a {setting.period}"
            yield f"{what} is {bound} ({less} for a part of one)."


def _hours(window: Line) -> str:
    days = window["days"]
    who = "every day" if len(days) == len(_DAYS) else listed([_DAYS[day] for day in days])
    over = ", over midnight" if window["to"] < window["from"] else ""
    return f"{who} {window['from']} to {window['to']}{over}"


def _unit(line: Line) -> dict[str, str]:
    return {"unit": line.get("unit", "each")}


def _number(text: str) -> str:
    return number(Fraction(text))


def _pay_for_performance(line: Line, setting: Setting) -> Iterator[str]:
    metric = {
        "availability": "the share of time the assets were up",
        "energy_ratio": "what was delivered as a share of what was promised",
        "both": "the lesser of the share of time the assets were up and of what was delivered "
        "as a share of what was promised",
    }[line["metric"]]
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} a {setting.period} for full "
        f"performance, less for a part of one. What counts is {metric}."
    )
    if "reference" in line:
        shrink = ", less for a part of one" if line["prorate_reference"] else ""
        promised = f"{_number(line['reference'])} {line['unit']} a {setting.period}"
        yield f"Promised are {promised}{shrink}, by {quantity_words(line)}."
    yield f"Paid are {_bands(line['bands'], 'multiplier')} of it."
    if Fraction(line["credit_cap"]) < 1:
        yield f"It is never reduced by more than {_percent(line['credit_cap'])}."


def _gain_share(line: Line, setting: Setting) -> Iterator[str]:
    target = f"{_number(line['target'])} {line['unit']}"
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} a {setting.period} when exactly "
        f"{target} are reached, by {quantity_words(line)}."
    )
    slope = Fraction(line["amount"]) - Fraction(line["fixed"])
    each = (
        Fraction(line["gain_price"]) if "gain_price" in line else slope / Fraction(line["target"])
    )
    said = price(each, setting.scale, setting.currency)
    yield f"What is above costs {said} {unit_words(line)} more."
    fixed = setting.price(line["fixed"])
    if line["below"] == "fixed_only":
        yield f"Below {target} only {fixed} are paid: that is a cliff."
    else:
        rest = price(slope, setting.scale, setting.currency)
        yield f"Below it {fixed} are paid, and of the other {rest} the share that was reached."
    yield f"For a part of a {setting.period}, target and amounts are less in proportion."
    yield from bounds_words(line, setting)


def _gain_share_bonus(line: Line, setting: Setting) -> Iterator[str]:
    target = f"{_number(line['target'])} {line['unit']}"
    yield (
        f"{setting.buyer} always pays {setting.price(line['amount'])} a {setting.period}, less "
        "for a part of one."
    )
    yield (
        f"Each {line['unit']} above {target}, by {quantity_words(line)}, is worth "
        f"{setting.price(line['value'])}; {setting.seller} gets {_percent(line['share'])} of that "
        "as a bonus."
    )
    if Fraction(line["loss_share"]):
        yield (
            f"Each {line['unit']} below it is a loss of as much, of which {setting.seller} bears "
            f"{_percent(line['loss_share'])}."
        )
    else:
        yield "Below it there is no bonus, and nothing is taken away."
    yield from bounds_words(line, setting, what="The bonus")


def _lease(line: Line, setting: Setting) -> Iterator[str]:
    yield (
        f"{setting.buyer} pays a rent of {setting.price(line['amount'])} a {setting.period}, less "
        "for a part of one, whatever is used."
    )
    if "quantity" in line:
        allowed = f"{_number(line['allowance'])} {line['unit']}"
        yield (
            f"It includes {allowed} a {setting.period}, by {quantity_words(line)}; each "
            f"{line['unit']} above costs {setting.price(line['overage'])}."
        )
    if Fraction(line["deposit"]):
        yield (
            f"A deposit of {setting.price(line['deposit'])} is held from the begin of the "
            "contract and given back at its end, less damages that the seller logs."
        )


def _freemium(line: Line, setting: Setting) -> Iterator[str]:
    free = f"{_number(line['free'])} {line['unit']}"
    yield (
        f"{free} a {setting.period} cost nothing, by {quantity_words(line)}; {setting.buyer} pays "
        f"{setting.price(line['price'])} {unit_words(line)} above."
    )
    if line["carry"]:
        later = counted(line["carry"], "later period")
        yield f"What is left of the free volume stays free for {later}."
    else:
        yield "What is left of the free volume at the end of a period is gone."


def _commission(line: Line, setting: Setting) -> Iterator[str]:
    of = f"the net of {listed(line['on'])}" if "on" in line else "the net of all lines above"
    yield (
        f"{setting.seller} pays {_percent(line['rate'])} of {of} as a commission, never more than "
        f"that net. {setting.buyer} pays nothing more because of it."
    )
    brokers = line["brokers"]
    whole = sum(broker["weight"] for broker in brokers)
    if len(brokers) == 1:
        yield f"All of it goes to {brokers[0]['party']}."
    else:
        shares = [f"{b['party']} {percent(Fraction(b['weight'], whole))}" for b in brokers]
        yield f"It is shared out: {listed(shares)}."
    yield from bounds_words(line, setting)


def _startup_fee(line: Line, setting: Setting) -> Iterator[str]:
    what = {
        "startup": "a start-up fee",
        "investment": "an investment",
        "installation": "an installation fee",
    }[line["purpose"]]
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} once, as {what}, with the bill for "
        f"{setting.instant(line['at'])}. Starting the contract again does not cost it again."
    )
    if line["periods"] > 1:
        yield f"The books spread it over {counted(line['periods'], 'period')}."
    if line["refund"]:
        yield (
            f"If {setting.seller} ends the contract early, the part for the periods that are left "
            f"goes back: after 1 of {line['periods']:,}, "
            f"{setting.part(line['amount'], line['periods'] - 1, line['periods'])}."
        )


def _licence(line: Line, setting: Setting) -> Iterator[str]:
    bundle = f" for {listed(line['bundle'])}" if "bundle" in line else ""
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} once{bundle}, with the bill for "
        f"{setting.instant(line['at'])}."
    )
    end = setting.instant(line["warranty_end"])
    if "subscription" in line:
        yield (
            f"Service costs nothing until {end}; after that "
            f"{setting.price(line['subscription'])} a {setting.period}."
        )
    else:
        yield f"The warranty lasts until {end}; nothing is paid after it."


def _add_on(line: Line, setting: Setting) -> Iterator[str]:
    yield (
        f"{setting.buyer} pays {setting.price(line['amount'])} a {setting.period} while it is "
        "booked, in proportion to that time."
    )
    booked = [
        f"from {setting.instant(window['start'])} to {setting.instant(window['end'])}"
        for window in line["windows"]
    ]
    yield f"It is booked {listed(booked)}."


def _shortfall(line: Line, setting: Setting) -> Iterator[str]:
    yield (
        f"{setting.seller} promises {_number(line['target'])} {line['unit']} a {setting.period}, "
        f"less for a part of one, by {quantity_words(line)}. For each {line['unit']} that is "
        f"missing, {setting.price(line['damages'])} are taken off the bill."
    )
    yield from bounds_words(line, setting, what="What is taken off")


def _sla_credit(line: Line, setting: Setting) -> Iterator[str]:
    yield (
        f"By the share of time the assets were up, a part of {listed(line['on'])} goes back to "
        f"{setting.buyer}: {_bands(line['bands'], 'credit')}."
    )
    yield f"It is never more than {_percent(line['credit_cap'])}."


def _bands(bands: Sequence[Line], key: str) -> str:
    """Say bands from the best to the worst: ``100 % at 98 % or more, 50 % below``."""
    said = [f"{_percent(band[key])} at {_percent(band['from'])} or more" for band in bands[:-1]]
    return listed([*said, f"{_percent(bands[-1][key])} {'below' if said else 'always'}"])


def _percent(text: str) -> str:
    return percent(Fraction(text))


KINDS: Mapping[str, str] = MappingProxyType(
    {
        "SUBSCRIPTION": "a fixed amount",
        "PAY_PER_USE": "a price for use",
        "PAY_FOR_PERFORMANCE": "an amount by performance",
        "GAIN_SHARE": "an amount by what is gained",
        "GAIN_SHARE_BONUS": "an amount with a bonus for gains",
        "LEASE": "a rent",
        "FREEMIUM": "a price for use above a free volume",
        "COMMISSION": "a commission",
        "STARTUP_FEE": "a fee paid once",
        "LICENCE": "a licence",
        "ADD_ON": "an addition",
        "SHORTFALL": "damages for what is missing",
        "SLA_CREDIT": "a credit for time out of service",
    }
)
"""What a line of each template is, in a few words."""
SAYERS: Mapping[str, Sayer] = MappingProxyType(
    {
        "SUBSCRIPTION": _subscription,
        "PAY_PER_USE": _pay_per_use,
        "PAY_FOR_PERFORMANCE": _pay_for_performance,
        "GAIN_SHARE": _gain_share,
        "GAIN_SHARE_BONUS": _gain_share_bonus,
        "LEASE": _lease,
        "FREEMIUM": _freemium,
        "COMMISSION": _commission,
        "STARTUP_FEE": _startup_fee,
        "LICENCE": _licence,
        "ADD_ON": _add_on,
        "SHORTFALL": _shortfall,
        "SLA_CREDIT": _sla_credit,
    }
)
"""How a line of each template is said; a test holds it against the templates there are."""
