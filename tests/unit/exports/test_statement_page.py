"""The statement's page: every amount leads to its evidence, nothing runs, nothing is fetched."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from exports_bench import HOUR_MS, MARCH_MS, changed_line, placed
from wattest.exports.statement_page import reasons_in_words, statement_page

VOID = {"meta", "br", "hr", "img", "link", "input", "line", "circle", "rect", "polyline"}


class Reader(HTMLParser):
    """Reads a page as a browser would, and complains about what does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
            if tag == "a" and name == "href":
                self.links.append((value or "", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "a" and self.links:
            self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)
        if "style" not in self.open:
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_every_link_leads_to_a_place_of_the_page() -> None:
    reader = read(statement_page([placed()]))
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.links
    assert {link for link, _ in reader.links} <= {f"#{name}" for name in reader.ids}


def test_every_amount_leads_to_its_evidence() -> None:
    reader = read(statement_page([placed()]))
    leads = {text: link for link, text in reader.links}
    assert leads["1,275.89 EUR"] == "#s800-lines"
    assert leads["75.39 EUR"] == "#s800-energy"
    assert leads["100 kWh"] == leads["550.125 kWh"] == "#s800-energy-evidence"
    assert leads["entry 2"] == "#s800-entry-2"
    assert leads["entry 745"] == "#s800-entry-745"
    assert (743).to_bytes(32).hex() in reader.text  # digest of the record at the end
    assert "wattest verify OUT" in reader.text
    assert "wattest ledger prove OUT 800" in reader.text


def test_page_says_amounts_and_times_as_people_read_them() -> None:
    text = read(statement_page([placed()])).text
    assert "1 March 2026, 00:00 +01:00 to 1 April 2026, 00:00 +02:00" in text
    assert "hansen owes this to windpark-nord." in text
    assert "Exactly 75.3853125, rounded (half even): 75.39 EUR." in text


def test_page_runs_nothing_and_fetches_nothing() -> None:
    page = statement_page([placed()])
    reader = read(page)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import|https?://", page)
    assert "default-src &#x27;none&#x27;" in page


@pytest.mark.parametrize("key", ["title", "contract", "seller", "buyer", "currency"])
def test_names_cannot_become_markup(key: str) -> None:
    page = statement_page([placed(**{key: '"><img src=x onerror=alert(1)>'})])
    assert "<img" not in page
    read(page)


def test_flags_and_reasons_cannot_become_markup() -> None:
    line = changed_line(placed(), "energy", flags=["<b>INTERP"], quantity="import_energy")
    page = statement_page([placed(**line | {"test": True, "test_reasons": ["<img src=x>"]})])
    assert "<img" not in page
    assert "<b>INTERP" not in page


def test_test_statement_is_marked_before_anything_else() -> None:
    page = statement_page([placed(real=False)])
    assert page.index('class="test"') < page.index("<h1>")
    assert "<title>TEST Statement" in page
    assert "TEST" not in read(statement_page([placed()])).text


def test_reasons_name_nodes_in_one_breath() -> None:
    one, two = "00" * 8, "11" * 8
    reasons = [f"node {one} has a demo key", f"node {two} has a demo key", "the moon is full"]
    assert reasons_in_words(reasons) == [
        f"nodes {one} and {two} have a demo key",
        "the moon is full",
    ]


def test_credit_says_who_owes_it() -> None:
    line = changed_line(placed(), "base", amount=-1_000_000)
    text = read(statement_page([placed(**line)])).text
    assert "-9,924.61 EUR" in text
    assert "windpark-nord owes this to hansen: a credit." in text


def test_payees_are_listed_where_there_are_several() -> None:
    split = placed(payouts=[["windpark-nord", 124_399], ["broker-7", 3_190]])
    text = read(statement_page([split])).text
    assert "broker-731.90 EUR" in text


def test_chart_shows_what_was_metered_and_shades_what_was_not() -> None:
    base = placed()
    usage = dict(base.document["lines"][1]["usage"][0])
    usage["unmetered"] = [
        [MARCH_MS, MARCH_MS + HOUR_MS],
        [MARCH_MS + HOUR_MS, MARCH_MS + 2 * HOUR_MS],
    ]
    page = statement_page([placed(**changed_line(base, "energy", usage=[usage]))])
    assert page.count("<polyline") == 1
    assert page.count('<rect class="gap"') == 1
    assert "03-01" in page
    assert "2 hours of the period are covered by no record" in page


def test_statements_of_several_periods_are_several_sheets() -> None:
    reader = read(statement_page([placed(), placed(index=900)]))
    assert [name for name in reader.ids if re.fullmatch(r"s\d+", name)] == ["s800", "s900"]


def test_line_that_rests_on_the_same_readings_refers_to_them() -> None:
    base = placed()
    document = changed_line(base, "energy")
    twin = dict(document["lines"][1], code="shortfall")
    page = statement_page([placed(**document | {"lines": [*document["lines"], twin]})])
    assert page.count("<polyline") == 1
    assert '<a href="#s800-energy-evidence">that of energy</a>' in page
    read(page)


def test_availability_shows_when_assets_were_down_and_when_nobody_knows() -> None:
    asset = {
        "asset": "turbine-1",
        "base": 743 * HOUR_MS,
        "excluded": HOUR_MS,
        "up": 740 * HOUR_MS,
        "down": [[MARCH_MS, MARCH_MS + 2 * HOUR_MS]],
        "unknown": [[MARCH_MS + 3 * HOUR_MS, MARCH_MS + 4 * HOUR_MS]],
    }
    found = {"value": "370/371", "left_out": "0", "base": 1, "up": 1, "down": 0, "unknown": 0}
    text = read(statement_page([placed(availability=found | {"assets": [asset]})])).text
    assert "The assets were up ≈ 99.73 % of the time." in text
    assert "turbine-1: down from 1 March 2026, 00:00 +01:00, for 2 hours" in text
    assert "not known from 1 March 2026, 03:00 +01:00, for 1 hour" in text


def test_many_short_stretches_are_summed_up() -> None:
    down = [
        [MARCH_MS + number * HOUR_MS, MARCH_MS + number * HOUR_MS + 500] for number in range(30)
    ]
    asset = {"asset": "a", "base": 1, "excluded": 0, "up": 1, "down": down, "unknown": []}
    found = {"value": "1", "left_out": "0", "base": 1, "up": 1, "down": 0, "unknown": 0}
    text = read(statement_page([placed(availability=found | {"assets": [asset]})])).text
    assert text.count("a: down from") == 12
    assert "18 shorter ones, 9 seconds together" in text


def test_commission_is_what_the_seller_pays_and_no_part_of_the_total() -> None:
    base = placed()
    document = changed_line(base, "energy")
    fee = {
        "code": "fee",
        "template": "COMMISSION",
        "parts": [
            {"window": "", "tier": 0, "quantity": "5100", "price": "0.025", "amount": "255/2"}
        ],
        "exact": "255/2",
        "amount": 12_750,
        "payer": "windpark-nord",
        "payees": [["broker-7", 12_750]],
        "flags": [],
    }
    split = [["windpark-nord", 114_839], ["broker-7", 12_750]]
    shown = placed(**document | {"payouts": split})
    shown.document["lines"].append(fee)
    text = read(statement_page([shown])).text
    assert "Out of this windpark-nord pays:" in text
    assert "2.5 % of 5,100.00 EUR" in text
    assert "windpark-nord pays this to broker-7 127.50 EUR." in text
    assert "Total1,275.89 EUR" in text


def test_what_happened_since_is_told_and_is_no_markup() -> None:
    page = statement_page([dataclasses.replace(placed(), remarks=("a <b>disputes</b> it",))])
    assert "What happened since" in read(page).text
    assert "a &lt;b&gt;disputes&lt;/b&gt; it" in page
