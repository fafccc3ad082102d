"""Statements as text and JSON."""

from __future__ import annotations

import json

import pytest
from settlement_bench import APRIL, VECTORS, draw, make_node, terms_map, use_line
from template_vectors import TEMPLATE_VECTORS, statement_of
from test_settlement_vectors import settle_vector

from wattest.settlement import Flag, format_minor, read_statement, statement_json, statement_text
from wattest.settlement.money import decimal_text, parse_exact
from wattest.settlement.render import NOTES

TIERS = [{"up_to": "100", "price": "0.30"}, {"price": "0.25"}]
SPECS = [
    {"at": "2026-03-31T23:59:30Z", "import": 1_000_000},
    {"at": "2026-04-01T00:00:30Z", "import": 1_001_001},
    {"at": "2026-04-20T00:00:00Z", "import": 412_345_678},
]
EXPECTED = """\
STATEMENT test                                        TEST: no claim for money
Energy, by the kilowatt-hour

period    2026-04-01T00:00:00Z to 2026-05-01T00:00:00Z
payee     seller
payer     buyer
state     final, generation 2
evidence  ledger of 1,000,000 entries, root 0000000000000000
terms     {terms}

use                                                                 107.84 EUR
  tier 1                         100 kWh x 0.3 = 30
  tier 2                  311.345178 kWh x 0.25 = 77.836294...
  asset, key 612d2d2d2d2d2d2d: 411.345178 kWh in 3 records
    from 2026-04-01T00:00:00Z (INTERP, entries 0 and 1)
    to   2026-04-20T00:00:00Z (LAST, entry 2)
    950,400 s covered by no record
  INTERP: a register was read between two records, pro rata to time
  UNMETERED: some time is covered by no record; see the evidence

base                                                                 10.00 EUR
                                   1 of the period x 10 = 10

TOTAL                                                               117.84 EUR
TEST because node 612d2d2d2d2d2d2d is emulated
"""


def test_text_is_what_a_person_reads() -> None:
    form = terms_map(
        title="Energy, by the kilowatt-hour",
        line=[
            use_line(tiers=TIERS),
            {"template": "SUBSCRIPTION", "code": "base", "amount": "10"},
        ],
    )
    statement = draw(form, SPECS, nodes=[make_node(kind="emulated")], final=True, generation=2)
    expected = EXPECTED.format(terms=statement.terms_digest.hex()[:16])
    assert statement_text(statement.to_document()) == expected


COMPOSITE = """\
sla                                                                 -73.44 EUR
  credit                       734.4 x -0.1 = -73.44
  performance 0.96

fee                                                                  16.25 EUR
                              650.16 x 0.025 = 16.254
  seller pays 16.25 to broker

availability 0.96
  2,488,320 s up, 103,680 s down, 0 s unknown

TOTAL                                                               650.16 EUR
  to seller                                                         633.91 EUR
  to broker                                                          16.25 EUR
"""


def example(name: str) -> str:
    vector = next(vector for vector in TEMPLATE_VECTORS if vector["name"] == name)
    return statement_text(statement_of(vector).to_document())


def test_text_of_a_composite_says_who_gets_what() -> None:
    assert example("4.10c and availability 0.96").endswith(COMPOSITE)


def test_text_says_which_factors_are_shares_of_the_period_and_what_was_estimated() -> None:
    text = example("4.4f a slope without end, above")
    assert "1 of the period x 1000 = 1000" in text
    assert "700 kWh x 0.061643... = 43.150684..." in text
    assert "20 kWh of them from the estimate of entry 900" in example(
        "a logged estimate is capped"
    )


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: str(vector["name"]))
def test_every_statement_has_a_narrow_text_and_plain_json(vector: dict[str, object]) -> None:
    statement = settle_vector(vector)
    document = read_statement(statement.to_cbor())
    assert document == statement.to_document()
    text = statement_text(document)
    assert max(len(line) for line in text.splitlines()) <= 78
    assert f"{statement.total} EUR" in text or statement.currency != "EUR"
    form = json.loads(json.dumps(statement_json(document)))
    assert form["total"] == statement.total
    assert form["digest"] == statement.digest.hex()
    assert sum(int(line["amount"].replace(".", "")) for line in form["lines"]) == (
        statement.total_minor
    )


def test_json_shows_instants_and_keys_readably() -> None:
    form = statement_json(draw(terms_map(), SPECS).to_document())
    usage = form["lines"][0]["usage"][0]
    assert form["period"] == list(APRIL)
    assert usage["keys"][0]["kid"] == b"a-------".hex()
    assert usage["keys"][0]["start"]["time"] == APRIL[0]
    assert usage["keys"][0]["start"]["records"][0]["time"] == "2026-03-31T23:59:30Z"
    assert usage["unmetered"] == [["2026-04-20T00:00:00Z", APRIL[1]]]


def test_every_flag_is_explained() -> None:
    assert set(NOTES) == set(Flag)


@pytest.mark.parametrize(
    ("minor", "scale", "text"),
    [
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-725, 2, "-7.25"),
        (-5, 2, "-0.05"),
        (76, 0, "76"),
        (1, 6, "0.000001"),
    ],
)
def test_minor_units_are_written_as_decimals(minor: int, scale: int, text: str) -> None:
    assert format_minor(minor, scale) == text


@pytest.mark.parametrize("text", ["", "1.5", "2/4", "1/0", "+1", "01", "-0", "1/1", "1/-2", " 1"])
def test_rational_in_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rational in lowest terms expected"):
        parse_exact(text)


def test_decimal_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="finite decimal expected, got 1/3"):
        decimal_text(parse_exact("1/3"))
