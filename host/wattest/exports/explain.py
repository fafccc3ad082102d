"""A contract in plain language: one explanation, as text, as a page, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from wattest.exports import explain_rules as rules
from wattest.exports.explain_cost import life_cycle_words, period_cost
from wattest.exports.explain_curves import UsageStudy, study
from wattest.exports.explain_lines import KINDS, Setting, line_sentences
from wattest.exports.explain_prices import Bill
from wattest.exports.explain_said import said_of
from wattest.exports.explain_sampler import BOUNDS
from wattest.exports.explain_usage import Model
from wattest.exports.part_words import PartWords, part_words
from wattest.exports.words import amount, listed, number, price
from wattest.settlement.amounts import price_at
from wattest.settlement.line import Priced
from wattest.settlement.terms import Terms, find_line
from wattest.settlement.terms_form import terms_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the explanation.

    Args:
        title: of the part.
        said: sentences.
        example: sentences of an example, set apart.
    """

    title: str
    said: tuple[str, ...]
    example: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a contract says.

    Args:
        terms: the contract.
        title: of the page.
        summary: one sentence.
        sections: before the bill.
        usage: what the bill is about, in words.
        bill: an example bill: name of a line, how it comes about, amount.
        total: of the bill.
        shares: sentences under the bill: who gets what of it.
        studies: over each driver, with the sentences under its chart.
        rules: sections after the charts.
        digest: hash of the terms, hex.
    """

    terms: Terms
    title: str
    summary: str
    sections: tuple[Section, ...]
    usage: str
    bill: tuple[tuple[str, str, str], ...]
    total: str
    shares: tuple[str, ...]
    studies: tuple[tuple[UsageStudy, tuple[str, ...]], ...]
    rules: tuple[Section, ...]
    digest: str


def explain(terms: Terms, *, elsewhere: Fraction | None = None) -> Explanation:
    """Explain a contract.

    Args:
        terms: the contract.
        elsewhere: what a unit of the first quantity costs the buyer otherwise, major units of the
            currency, or ``None``.
    """
    model = Model(terms)
    setting = Setting(
        seller=terms.seller,
        buyer=terms.buyer,
        currency=terms.currency,
        scale=terms.scale,
        period=rules.period_words(model),
        zone=terms.zone,
    )
    bill = model.bill()
    cost = period_cost(model)
    studies = []
    for number_, driver in enumerate(model.drivers):
        found = study(
            model, driver, cost_minor=cost, elsewhere=elsewhere if number_ == 0 else None
        )
        studies.append((found, tuple(said_of(model, found))))
    return Explanation(
        terms=terms,
        title=terms.title or terms.contract,
        summary=_summary(model, setting),
        sections=(
            Section(title="Who and what", said=tuple(_who(model))),
            Section(title="When", said=tuple(rules.when(model))),
            *_lines(model, setting, bill),
        ),
        usage=_usage(model),
        bill=tuple(_bill_rows(model, bill)),
        total=_money(model, model.paid(bill)),
        shares=tuple(_shares(model, bill)),
        studies=tuple(studies),
        rules=tuple(section for section in _rules(model) if section.said),
        digest=terms_hash(terms).hex(),
    )


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as plain values: sentences, and curves as decimal strings."""
    return {
        "contract": explanation.terms.contract,
        "title": explanation.title,
        "terms": explanation.digest,
        "summary": explanation.summary,
        "sections": [_plain(section) for section in explanation.sections],
        "bill": {
            "usage": explanation.usage,
            "lines": [
                dict(zip(("line", "how", "amount"), row, strict=True)) for row in explanation.bill
            ],
            "total": explanation.total,
            "said": list(explanation.shares),
        },
        "charts": [_chart(found, said) for found, said in explanation.studies],
        "rules": [_plain(section) for section in explanation.rules],
    }


def _plain(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "said": list(section.said),
        "example": list(section.example),
    }


def _chart(found: UsageStudy, said: tuple[str, ...]) -> dict[str, Any]:
    def plain(value: Fraction) -> str:
        return number(value, 6).removeprefix("≈ ").replace(",", "")

    return {
        "title": found.chart.title,
        "x": found.chart.x_label,
        "y": found.chart.y_label,
        "said": list(said),
        "break_even_seller": [plain(crossing.at) for crossing in found.seller],
        "break_even_buyer": [plain(crossing.at) for crossing in found.buyer],
        "curves": [
            {"label": curve.label, "points": [[plain(x), plain(y)] for x, y in curve.points]}
            for curve in found.chart.curves
        ],
    }


def _summary(model: Model, setting: Setting) -> str:
    terms = model.terms
    templates = list(dict.fromkeys(line["template"] for line in model.form["line"]))
    kinds = listed([KINDS[name] for name in templates])
    return (
        f"{terms.buyer} pays {terms.seller} once a {setting.period}, in {terms.currency}: {kinds}."
    )


def _who(model: Model) -> Iterator[str]:
    terms = model.terms
    yield f"{terms.seller} is the seller and is paid. {terms.buyer} is the buyer and pays."
    names = listed(terms.assets)
    if len(terms.assets) > 1:
        yield f"Metered are {names}; what they count is added up before any price."
    else:
        yield f"Metered is {names}."
    if terms.brokers:
        get = "gets" if len(terms.brokers) == 1 else "get"
        yield f"{listed(terms.brokers)} {get} a share of what the seller receives."
    if terms.arbiter is not None:
        yield f"{terms.arbiter} may decide a dispute alone."
    yield from life_cycle_words(model)


def _lines(model: Model, setting: Setting, bill: Bill) -> Iterator[Section]:
    for form in model.form["line"]:
        code = form["code"]
        example = [_example(model, line) for line in bill.lines if line.line == code]
        yield Section(
            title=f"What is paid: {code}",
            said=tuple(line_sentences(form, setting)),
            example=tuple(f"For example: {text}." for text in example if text),
        )


def _example(model: Model, line: Priced) -> str:
    """Say how a line comes about in the example bill; a fixed amount for half of the time."""
    if line.once:
        return ""
    if not line.minor:
        return _other_example(model, line.code)
    money = _money(model, line.minor)
    if [words.sum for words in _parts(model, line)] != [money]:
        return f"{_how(model, line)} = {money}"
    half = price_at(model.terms, model.usage(), active=Fraction(1, 2))
    part = next(other.minor for other in half if other.code == line.code)
    return f"{money} for all of it, {_money(model, part)} for half of it"


def _other_example(model: Model, code: str) -> str:
    """Say how a line comes about that is 0 in the example bill, where it is not."""
    for driver in model.drivers:
        for at in driver.thresholds:
            near = at * 9 / 10 if driver.lines else max(Fraction(0), at - Fraction(1, 2))
            line = next(line for line in model.bill(driver, near).lines if line.code == code)
            if line.minor:
                said = f"{number(near)} {driver.unit or driver.words}"
                return f"with {said}, {_how(model, line)} = {_money(model, line.minor)}"
    return ""


def _parts(model: Model, line: Priced) -> list[PartWords]:
    quantity = find_line(model.terms, line.line).needs.quantity
    return [
        part_words(
            template=line.template,
            window=part.window,
            tier=part.tier,
            quantity=part.quantity,
            each=part.price,
            unit="" if quantity is None else quantity.unit,
            money=(model.terms.scale, model.terms.currency),
        )
        for part in line.parts
    ]


def _how(model: Model, line: Priced) -> str:
    """Say how a line came about; where a bound holds, what the formula gave before it."""
    said = " + ".join(words.said for words in _parts(model, line)) or "nothing"
    bound = next((BOUNDS[flag] for flag in line.flags if flag in BOUNDS), None)
    if bound is None:
        return said
    formula = sum((part.amount for part in line.parts), Fraction(0))
    given = price(formula, model.terms.scale, model.terms.currency)
    if formula == line.exact:
        return f"{said}, the {bound}"
    return f"{said}, which would be {given}, but the {bound} holds"


def _bill_rows(model: Model, bill: Bill) -> Iterator[tuple[str, str, str]]:
    for line in bill.lines:
        if line.payer == model.terms.buyer and not line.once:
            yield line.code, _how(model, line), _money(model, line.minor)


def _shares(model: Model, bill: Bill) -> Iterator[str]:
    """Say who gets what of the bill, and what falls due only once."""
    if len(bill.payouts) > 1:
        for line in bill.lines:
            if line.payer != model.terms.buyer:
                names = [f"{party} {_money(model, minor)}" for party, minor in line.payees]
                how = _how(model, line)
                yield f"{line.payer} pays out of it for {line.code!r}: {how}: {listed(names)}."
        yield f"{model.terms.seller} keeps {_money(model, model.net(bill))}."
    once = model.bill(once=True)
    if once.total != bill.total:
        extra = once.total - bill.total
        yield f"In the period in which it falls due, {_money(model, extra)} come on top, once."


def _usage(model: Model) -> str:
    said = [
        f"{number(driver.example)} {driver.unit or driver.words}"
        + (f" ({driver.words})" if driver.unit else "")
        for driver in model.drivers
    ]
    period = "A full period"
    if any("subscription" in line for line in model.form["line"]):
        period += " after the warranty"
    if any("windows" in line for line in model.form["line"]):
        period += ", everything booked all the time,"
    return f"{period} with {listed(said)}." if said else f"{period.removesuffix(',')}."


def _rules(model: Model) -> Iterator[Section]:
    yield Section(title="When readings are missing", said=tuple(rules.missing(model)))
    yield _with_example("When readings come late", tuple(rules.late(model)))
    yield _with_example("When there is a dispute", tuple(rules.disputes(model)))
    yield Section(title="What makes it trustworthy", said=tuple(rules.trust(model)))


def _with_example(title: str, said: tuple[str, ...]) -> Section:
    """Set sentences that begin with an example apart."""
    return Section(
        title=title,
        said=tuple(text for text in said if not text.startswith("For example")),
        example=tuple(text for text in said if text.startswith("For example")),
    )


def _money(model: Model, minor: int) -> str:
    return amount(minor, model.terms.scale, model.terms.currency)
