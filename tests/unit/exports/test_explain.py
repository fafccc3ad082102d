"""A contract in plain language: every template is said, with amounts that the engine says too."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser

import pytest

from contract_samples import HEAD, LINES, WIND_SLA, contract, line
from wattest.data import data_root
from wattest.exports.explain import Explanation, explain, explanation_json
from wattest.exports.explain_cost import period_cost
from wattest.exports.explain_lines import KINDS, SAYERS
from wattest.exports.explain_page import explanation_page, explanation_text
from wattest.exports.explain_usage import Model
from wattest.settlement import parse_terms
from wattest.settlement.amounts import price_at
from wattest.settlement.price import total_of
from wattest.settlement.templates import TEMPLATES

SAMPLES = sorted((data_root() / "bench" / "contracts").glob("*.toml"))
VOID = {"meta", "br", "line", "circle", "rect", "polyline"}


class Closed(HTMLParser):
    """Complains about an element that does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@cache
def explained(text: str, elsewhere: str | None = None) -> Explanation:
    price = None if elsewhere is None else Fraction(elsewhere)
    return explain(parse_terms(text, "contract.toml"), elsewhere=price)


def said(explanation: Explanation) -> str:
    return explanation_text(explanation, draw=lambda chart: f"<{chart.x_label}>")


def flat(explanation: Explanation) -> str:
    return " ".join(said(explanation).split())


def test_every_template_is_said() -> None:
    assert set(SAYERS) == set(KINDS) == set(TEMPLATES) == set(LINES)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_explained_as_page_text_and_values(path: object) -> None:
    assert hasattr(path, "read_text")
    explanation = explained(path.read_text(encoding="utf-8"))
    page = explanation_page(explanation)
    reader = Closed()
    reader.feed(page)
    assert not reader.open
    assert "<script" not in page
    assert not re.search(r"https?://|url\(|@import", page)
    assert max(len(row) for row in said(explanation).splitlines()) <= 99
    assert explanation_json(explanation)["terms"] in page


SENTENCES = {
    "SUBSCRIPTION": "buyer pays 120.00 EUR a month, whatever is used",
    "PAY_PER_USE": "the first 100 cost 0.30 EUR for each kWh, from 100 to 500 cost 0.25 EUR for "
    "each kWh, what is above 500 costs 0.20 EUR for each kWh. It is at least 5.00 EUR a month",
    "PAY_FOR_PERFORMANCE": "Paid are 100 % at 98 % or more, 90 % at 95 % or more and 50 % below "
    "of it.",
    "GAIN_SHARE": "What is above costs 0.04 EUR for each kWh more. Below 10,000 kWh only 600.00 "
    "EUR are paid: that is a cliff.",
    "GAIN_SHARE_BONUS": "is worth 0.12 EUR; seller gets 30 % of that as a bonus. Each kWh below "
    "it is a loss of as much, of which seller bears 10 %.",
    "LEASE": "It includes 2,000 kWh a month, by energy that the meter counts as delivered; each "
    "kWh above costs 0.05 EUR. A deposit of 500.00 EUR is held",
    "FREEMIUM": "50 kWh a month cost nothing, by energy that the meter counts as delivered; buyer "
    "pays 0.20 EUR for each kWh above. What is left of the free volume stays free for 2 later "
    "periods.",
    "COMMISSION": "seller pays 2.5 % of the net of all lines above as a commission, never more "
    "than that net. buyer pays nothing more because of it. It is shared out: broker-1 ≈ 66.667 % "
    "and broker-2 ≈ 33.333 %.",
    "STARTUP_FEE": "buyer pays 300.00 EUR once, as a start-up fee, with the bill for 1 January "
    "2026, 00:00 UTC.",
    "LICENCE": "buyer pays 5,000.00 EUR once for turbine and mast, with the bill for 1 January "
    "2026, 00:00 UTC. Service costs nothing until 1 January 2028, 00:00 UTC; after that 40.00 EUR "
    "a month.",
    "ADD_ON": "It is booked from 1 March 2026, 00:00 UTC to 1 June 2026, 00:00 UTC.",
    "SHORTFALL": "For each kWh that is missing, 0.03 EUR are taken off the bill. What is taken "
    "off is at most 100.00 EUR a month",
    "SLA_CREDIT": "a part of base goes back to buyer: 0 % at 97 % or more and 10 % below. It is "
    "never more than 50 %.",
}


@pytest.mark.parametrize("template", LINES)
def test_line_of_each_template_says_who_pays_what_for_what(template: str) -> None:
    text = flat(explained(contract(template)))
    assert SENTENCES[template] in text
    title = template.replace("_", "-")
    section = text.split(f"WHAT IS PAID: {title}")[1].split("WHAT IS PAID:")[0]
    assert template in {"STARTUP_FEE", "LICENCE"} or "For example: " in section


EXAMPLES = {
    "PAY_PER_USE": "step 1: 100 kWh x 0.30 EUR + step 2: 400 kWh x 0.25 EUR + step 3: 150 kWh x "
    "0.20 EUR = 160.00 EUR",
    "SHORTFALL": "with 8,100 kWh, missing: 900 kWh x -0.03 EUR = -27.00 EUR",
    "GAIN_SHARE": "base: 1,000.00 EUR + gain: 3,000 kWh x 0.04 EUR = 1,120.00 EUR",
    "LEASE": "250.00 EUR for all of it, 125.00 EUR for half of it",
    "LICENCE": "40.00 EUR for all of it, 20.00 EUR for half of it",
}


@pytest.mark.parametrize("template", EXAMPLES)
def test_example_shows_how_the_amount_comes_about(template: str) -> None:
    assert EXAMPLES[template] in flat(explained(contract(template)))


def test_example_says_when_a_bound_holds_instead_of_the_formula() -> None:
    capped = HEAD + line("GAIN_SHARE_BONUS") + 'maximum = "100"\n'
    assert (
        "bonus: 3,000 kWh x 0.036 EUR, which would be 108.00 EUR, but the largest amount holds = "
        "100.00 EUR"
    ) in flat(explained(capped))


def test_example_bill_says_what_kind_of_period_it_is_for() -> None:
    assert "A full period after the warranty." in flat(explained(HEAD + line("LICENCE")))
    assert "A full period, everything booked all the time, with 480 kWh" in flat(
        explained(contract("ADD_ON"))
    )


def test_time_of_use_is_said_with_its_hours_and_drawn() -> None:
    text = (data_root() / "bench" / "contracts" / "solar_feed_in.toml").read_text(encoding="utf-8")
    explanation = explained(text)
    assert (
        "In the hours 'evening', Monday, Tuesday, Wednesday, Thursday and Friday 17:00 to 21:00: "
        "0.124 EUR for each kWh."
    ) in flat(explanation)
    ((study, _),) = explanation.studies
    ends = {curve.label: curve.points[-1] for curve in study.chart.curves}
    (end, _) = ends["buyer pays, seller receives"]
    assert ends["the same, all of it in 'evening'"][1] == end * Fraction("0.124")
    assert ends["the same, all of it in 'noon'"][1] == end * Fraction("0.052")


def test_curve_is_what_the_engine_says_at_every_point() -> None:
    explanation = explained(WIND_SLA)
    study = explanation.studies[0][0]
    paid = study.chart.curves[0]
    jumps = {jump.at for jump in study.jumps}
    for at, amount in paid.points:
        if at not in jumps:
            lines = price_at(explanation.terms, {"base": at})
            assert amount * 100 == total_of(explanation.terms, lines)


def test_cliff_is_found_at_the_very_count_it_lies_at() -> None:
    text = HEAD + line("GAIN_SHARE").replace('target = "10000"', 'target = "7300.000001"')
    study, sentences = explained(text).studies[0]
    (jump,) = study.jumps
    assert jump.at == Fraction("7300.000001")
    assert (jump.before, jump.after) == (60_000, 100_000)
    assert any("just below the buyer pays 600.00 EUR" in sentence for sentence in sentences)


def test_step_of_a_price_for_single_things_is_no_cliff() -> None:
    text = HEAD + (
        '[[line]]\ntemplate = "PAY_PER_USE"\ncode = "s"\nquantity = "transaction_count"\n'
        'tiers = [{ up_to = "20", price = "0.35" }, { price = "0.90" }]\n'
    )
    study, _ = explained(text).studies[0]
    assert not study.jumps
    assert study.chart.x_max > 20


@pytest.mark.parametrize("below", ["fixed_only", "linear"])
@pytest.mark.parametrize("target", ["1", "99.999999", "1000", "123456.789"])
def test_cliff_is_found_wherever_it_lies(below: str, target: str) -> None:
    text = HEAD + line("GAIN_SHARE").replace('target = "10000"', f'target = "{target}"')
    study, _ = explained(text + f'below = "{below}"\n').studies[0]
    assert [jump.at for jump in study.jumps] == (
        [Fraction(target)] if below == "fixed_only" else []
    )


def test_bands_of_availability_are_cliffs_of_a_chart_of_their_own() -> None:
    explanation = explained(HEAD + line("PAY_FOR_PERFORMANCE"))
    study, _ = explanation.studies[-1]
    assert [jump.at for jump in study.jumps] == [95, 98]
    assert (study.chart.x_min, study.chart.x_max) == (90, 100)


def test_floor_and_cap_are_found_where_they_begin_and_end() -> None:
    study, sentences = explained(HEAD + line("PAY_PER_USE")).studies[0]
    # 5.00 / 0.30 = 16.67 kWh; 30 + 100 + 0.20 x 1,350 = 400.00
    turns = [(turn.code, turn.begins, turn.minor) for turn in study.turns]
    assert turns == [("pay-per-use", False, 500), ("pay-per-use", True, 40_000)]
    floor, cap = (turn.at for turn in study.turns)
    assert 0 <= Fraction(500, 30) - floor < Fraction(1, 10**6)
    assert 0 < cap - 1850 <= Fraction(1, 10**6)
    assert sentences[0].startswith("Up to ≈ 16.667 kWh the least amount")


def test_cost_of_a_period_is_spread_over_the_life_and_rounded_up() -> None:
    # (5,000 + 2,000 + 1,000) / 60 + 120 + 200 = 453.333...
    terms = parse_terms(WIND_SLA, "w")
    assert period_cost(Model(terms)) == 45_334
    assert "that is 453.34 EUR a period" in flat(explain(terms))


def test_what_is_paid_once_makes_the_cost_of_a_period_less() -> None:
    with_fee = WIND_SLA.replace("\n[[line]]", line("STARTUP_FEE") + "\n[[line]]", 1)
    terms = parse_terms(with_fee, "w")
    # the commission takes its part of the fee
    assert period_cost(Model(terms)) == 45_334 - 488


def test_seller_breaks_even_at_the_first_count_that_meets_its_cost() -> None:
    explanation = explained(WIND_SLA)
    study, sentences = explanation.studies[0]
    (crossing,) = study.seller
    model = Model(explanation.terms)
    count = Fraction(1, 10**6)
    assert model.net(model.bill(study.driver, crossing.at)) >= 45_334
    assert model.net(model.bill(study.driver, crossing.at - count)) < 45_334
    assert any("The seller breaks even at" in text for text in sentences)
    assert [mark.label for mark in study.chart.marks] == ["1"]


def test_seller_that_never_earns_it_back_is_told() -> None:
    dear = WIND_SLA.replace('operation = "120"', 'operation = "999999"')
    assert "the seller never has it back" in flat(explained(dear))


def test_buyer_breaks_even_against_a_price_elsewhere() -> None:
    # 120.00 a month and 0.085 a kWh, or 0.335 a kWh: equal at 480 kWh
    study, sentences = explained(contract("SUBSCRIPTION"), "0.335").studies[0]
    (crossing,) = study.buyer
    assert abs(crossing.at - 480) < Fraction(1, 10)
    assert crossing.upwards
    assert any("from there on this contract costs no more than elsewhere" in s for s in sentences)


def test_late_data_and_disputes_are_said_with_numbers() -> None:
    text = flat(explained(HEAD + line("PAY_PER_USE")))
    assert (
        "650 kWh were billed with 160.00 EUR; 65 kWh arrive late. The new total is 173.00 EUR, so "
        "13.00 EUR more is due."
    ) in text
    assert "of 650 kWh, 65 kWh are disputed. 147.00 EUR is due at once, 13.00 EUR is held." in text


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ('unmetered = "zero"', "Time that no reading covers is not billed. It still counts"),
        ('unmetered = "exclude"', "and it leaves the time in force"),
        ('unmetered = "estimate"', "at most 40 kWh for 'pay-per-use' a period"),
        (
            'unmetered = "estimate"\nestimates = "logged"',
            "only by estimates that the ledger holds",
        ),
        ('derived_time = "exclude"', "whose node did not know the time yet is passed over"),
        ('input = "any"', "the statement is then a TEST"),
        ('status = "exclude"', "a fault reported by the sensor is passed over"),
        ("max_gap_s = 5400", "if they are at most 1 hour 30 minutes apart"),
        ("final_after_s = 864000", "arrive up to 10 days after the end"),
        ("cutoff_delay_s = 7200", "The bill is drawn 2 hours after the period's end"),
    ],
)
def test_policy_is_said_by_its_value(policy: str, sentence: str) -> None:
    text = HEAD + f"[policy]\n{policy}\n" + line("PAY_PER_USE") + 'estimate_cap = "40"\n'
    assert sentence in flat(explained(text))


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (
            'end = 2027-01-01T00:00:00Z\nended_by = "seller"',
            "It ends 1 January 2027, 00:00 UTC, by seller.",
        ),
        ('arbiter = "chamber"', "until seller and buyer both say the same, or chamber alone"),
        (f'party_keys = {{ buyer = "{"ab" * 64}" }}', "says which keys buyer sign with"),
        (
            "pauses = [{ start = 2026-02-01T00:00:00Z, end = 2026-02-08T00:00:00Z }]",
            "It is paused from 1 February 2026, 00:00 UTC to 8 February 2026, 00:00 UTC.",
        ),
        ("currency_scale = 0", "to the nearest 1 EUR, ties to the even one"),
    ],
)
def test_what_a_contract_says_beside_its_lines_is_said(extra: str, sentence: str) -> None:
    text = HEAD.replace("[period]", f"{extra}\n[period]") + line("PAY_PER_USE")
    assert sentence in flat(explained(text))


def test_register_of_ones_own_is_said_by_its_code_and_unit() -> None:
    text = HEAD + (
        '[[line]]\ntemplate = "PAY_PER_USE"\ncode = "heat"\nquantity = "register"\n'
        'obis = "6-0:1.0.0*255"\nunit = "GJ"\nbase_per_unit = 1000\nprice = "31.5"\n'
    )
    assert (
        "buyer pays for what register 6-0:1.0.0*255 counts, in GJ: 31.50 EUR for each GJ."
    ) in flat(explained(text))


def test_contract_without_readings_says_that_late_ones_change_nothing() -> None:
    explanation = explained(HEAD + line("SUBSCRIPTION"))
    assert not explanation.studies
    assert "nothing depends on readings" in flat(explanation)


def test_names_and_titles_cannot_become_markup() -> None:
    page = explanation_page(explained(contract("SUBSCRIPTION")))
    assert "<b>everybody" not in page
    assert "&lt;b&gt;everybody&lt;/b&gt; &amp; more" in page


def test_same_contract_gives_the_same_page() -> None:
    assert explanation_page(explained(WIND_SLA)) == explanation_page(explained(WIND_SLA))
