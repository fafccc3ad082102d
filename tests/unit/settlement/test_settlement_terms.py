"""Terms: what a contract file may say, what is refused and how, and the canonical form."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from settlement_bench import ROOT, make_terms, terms_map, use_line

from wattest.errors import ConfigError, SettlementError
from wattest.settlement import (
    PayPerUse,
    Subscription,
    parse_terms,
    terms_from_cbor,
    terms_hash,
    terms_to_cbor,
    terms_to_map,
)
from wattest.wire import cbor

CONTRACTS = sorted((ROOT / "bench" / "contracts").glob("*.toml"))
TOU = {"name": "peak", "from": "08:00", "to": "20:00", "price": "0.3"}
SUBSCRIPTION = {"template": "SUBSCRIPTION", "code": "base", "amount": "10"}


def tou(**changes: Any) -> dict[str, Any]:
    return {"line": [use_line(price="1", time_of_use=[{**TOU, **changes}])]}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no contract": ({"contract": None}, "contract: value expected, got nothing"),
    "contract of no name": ({"contract": "two words"}, "contract: a name of letters"),
    "seller is a number": ({"seller": 7}, "seller: a string expected, got 7"),
    "seller is buyer": ({"buyer": "seller"}, "buyer: another party than the seller expected"),
    "no assets": ({"assets": []}, "assets: 1 to 256 names expected, got 0"),
    "assets is text": ({"assets": "asset"}, "assets: a list of strings expected"),
    "asset of no name": ({"assets": ["a b"]}, r"assets\[0\]: a name of letters"),
    "asset twice": ({"assets": ["a", "a"]}, "assets: names that differ expected"),
    "currency": ({"currency": "euro"}, "currency: three capital letters expected, got 'euro'"),
    "currency scale": ({"currency_scale": 7}, "currency_scale: 0 to 6 expected, got 7"),
    "rounding": ({"rounding": "half_evn"}, "rounding: one of half_even, half_up, down expected"),
    "zone": ({"zone": "Mars/Olympus"}, "zone: an IANA time zone known to this machine expected"),
    "zone is a path": ({"zone": "../../passwd"}, "zone: an IANA zone expected"),
    "end before start": (
        {"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        "end: an instant after start expected",
    ),
    "start without offset": (
        {"start": "2026-02-01T00:00:00"},
        "start: a date-time with offset.* got '2026-02-01T00:00:00'",
    ),
    "start is no time": ({"start": "soon"}, "start: a date-time with offset"),
    "start too early": (
        {"start": "1900-01-01T00:00:00Z"},
        "start: whole milliseconds between 1990 and 2200 expected",
    ),
    "no period": ({"period": None}, "period.kind: value expected, got nothing"),
    "period kind": ({"period": {"kind": "lunar"}}, "period.kind: one of calendar, fixed expected"),
    "period unit": (
        {"period": {"kind": "calendar", "unit": "moon"}},
        "period.unit: one of day, week, month, quarter, year expected, got 'moon'",
    ),
    "fixed without start": (
        {"period": {"kind": "fixed", "duration_s": 60}},
        "period.start: value expected, got nothing",
    ),
    "fixed of nothing": (
        {"period": {"kind": "fixed", "start": "2026-01-01T00:00:00Z", "duration_s": 0}},
        "period.duration_s: 1 to 316224000 expected, got 0",
    ),
    "duration on a calendar": (
        {"period": {"kind": "calendar", "unit": "day", "duration_s": 60}},
        "period.duration_s: unknown key",
    ),
    "pause upside down": (
        {"pauses": [{"start": "2026-02-02T00:00:00Z", "end": "2026-02-01T00:00:00Z"}]},
        r"pauses\[0\].end: an instant after start expected",
    ),
    "pauses overlap": (
        {
            "pauses": [
                {"start": "2026-02-01T00:00:00Z", "end": "2026-02-03T00:00:00Z"},
                {"start": "2026-02-02T00:00:00Z", "end": "2026-02-04T00:00:00Z"},
            ]
        },
        r"pauses\[1\].start: pauses in order and apart from each other expected",
    ),
    "policy word": (
        {"policy": {"unmetered": "guess"}},
        "policy.unmetered: one of zero, estimate, exclude expected, got 'guess'",
    ),
    "policy key": (
        {"policy": {"max_gap": 3}},
        "policy.max_gap: unknown key; did you mean 'max_gap_s'",
    ),
    "gap of a year": (
        {"policy": {"max_gap_s": 31_536_000}},
        "policy.max_gap_s: 1 to 604800 expected",
    ),
    "derived time": ({"policy": {"derived_time": True}}, "policy.derived_time: one of accept"),
    "input policy": ({"policy": {"input": "all"}}, "policy.input: one of sensor, any expected"),
    "tolerance": ({"policy": {"tolerance_percent": 101}}, "policy.tolerance_percent: 0 to 100"),
    "estimate without cap": (
        {"policy": {"unmetered": "estimate"}},
        r'line\[0\].estimate_cap: value expected because policy.unmetered is "estimate"',
    ),
    "no lines": ({"line": []}, "line: 1 to 64 lines expected, got 0"),
    "lines is a table": ({"line": {"code": "x"}}, "line: an array of tables expected"),
    "template": (
        {"line": [use_line(template="BARTER", price="1")]},
        r"line\[0\].template: one of SUBSCRIPTION, PAY_PER_USE, .* expected, got 'BARTER'",
    ),
    "code twice": (
        {"line": [use_line(price="1"), use_line(price="2")]},
        r"line\[1\].code: a code of its own expected, got 'use' again",
    ),
    "subscription without amount": (
        {"line": [{"template": "SUBSCRIPTION", "code": "base"}]},
        r"line\[0\].amount: value expected, got nothing",
    ),
    "subscription with a price": (
        {"line": [{**SUBSCRIPTION, "price": "1"}]},
        r"line\[0\].price: unknown key",
    ),
    "no price": ({"line": [use_line()]}, r"line\[0\].price: value expected, got nothing"),
    "negative price": (
        {"line": [use_line(price="-0.10")]},
        r"line\[0\].price: 0 to 1000000000000 expected, got -0.1",
    ),
    "price in words": ({"line": [use_line(price="cheap")]}, r"line\[0\].price: a number such as"),
    "price without end": (
        {"line": [use_line(price="1/3")]},
        r"line\[0\].price: at most nine decimals expected",
    ),
    "price and tiers": (
        {"line": [use_line(price="1", tiers=[{"price": "1"}])]},
        r"line\[0\].price: either price or tiers expected, got both",
    ),
    "no tiers": (
        {"line": [use_line(tiers=[])]},
        r"line\[0\].tiers: 1 to 32 tiers expected, got 0",
    ),
    "tiers descend": (
        {
            "line": [
                use_line(
                    tiers=[
                        {"up_to": "5", "price": "1"},
                        {"up_to": "5", "price": "1"},
                        {"price": "1"},
                    ]
                )
            ]
        },
        r"line\[0\].tiers\[1\].up_to: more than 5 expected, got 5",
    ),
    "last tier ends": (
        {"line": [use_line(tiers=[{"up_to": "5", "price": "1"}])]},
        r"line\[0\].tiers\[0\].up_to: no upper end expected in the last tier",
    ),
    "tier without end": (
        {"line": [use_line(tiers=[{"price": "1"}, {"price": "1"}])]},
        r"line\[0\].tiers\[0\].up_to: value expected, got nothing",
    ),
    "tier with a typing error": (
        {"line": [use_line(tiers=[{"prize": "1"}])]},
        r"line\[0\].tiers\[0\].price: value expected, got nothing; found 'prize'",
    ),
    "quantity": (
        {"line": [use_line(quantity="energy", price="1")]},
        r"line\[0\].quantity: one of import_energy, export_energy, use_time",
    ),
    "unit of another quantity": (
        {"line": [use_line(quantity="use_time", price="1")]},
        r"line\[0\].unit: one of s, min, h, d expected, got 'kWh'",
    ),
    "unit left out": (
        {
            "line": [
                {"template": "PAY_PER_USE", "code": "use", "quantity": "use_time", "price": "1"}
            ]
        },
        r"line\[0\].unit: one of s, min, h, d expected, got nothing",
    ),
    "OBIS code": (
        {"line": [use_line(quantity="register", obis="1-0:1.8", base_per_unit=1, price="1")]},
        r"line\[0\].obis: OBIS code like 1-0:1.8.0\*255 expected, got '1-0:1.8'",
    ),
    "OBIS code on energy": (
        {"line": [use_line(obis="1-0:1.8.0*255", price="1")]},
        r"line\[0\].obis: unknown key",
    ),
    "modulus of a count": (
        {"line": [use_line(quantity="record_count", unit="each", modulus=9, price="1")]},
        r"line\[0\].modulus: a register as quantity expected, got a count of records",
    ),
    "maximum below minimum": (
        {"line": [use_line(price="1", minimum="5", maximum="4")]},
        r"line\[0\].maximum: at least the minimum expected, got 4",
    ),
    "prorate in words": (
        {"line": [use_line(price="1", prorate_bounds="no")]},
        r"line\[0\].prorate_bounds: true or false expected, got 'no'",
    ),
    "time of use on a count": (
        {"line": [use_line(quantity="record_count", unit="each", price="1", time_of_use=[TOU])]},
        r"line\[0\].time_of_use: a register as quantity expected",
    ),
    "day": (
        tou(days=["mon", "someday"]),
        r"line\[0\].time_of_use\[0\].days: days out of mon, .* expected, got 'someday'",
    ),
    "no days": (tou(days=[]), r"time_of_use\[0\].days: one to seven days, none twice, expected"),
    "time of day": (
        tou(**{"from": "8 o'clock"}),
        r"time_of_use\[0\].from: a time of day like 06:30 expected, got \"8 o'clock\"",
    ),
    "window of nothing": (tou(to="08:00"), r"time_of_use\[0\].to: another time of day than from"),
    "window without price": (tou(price="x"), r"time_of_use\[0\].price: a number such as"),
    "unknown key": ({"curency": "EUR"}, "curency: unknown key; did you mean 'currency'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_terms_are_refused_in_one_line_that_names_the_place(name: str) -> None:
    changes, message = BROKEN[name]
    with pytest.raises(ConfigError, match=r"terms\.toml: ") as caught:
        make_terms(terms_map(**changes))
    line = caught.value.diagnostics()
    assert re.search(message, line), line
    assert line.startswith("terms.toml: ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contract = ", "mine.toml: broken TOML"),
        ("a = 1\na = 2", "mine.toml: broken TOML"),
        ("currency = nan", "mine.toml: broken TOML"),
        ("", "mine.toml: contract: value expected, got nothing"),
    ],
)
def test_text_that_is_no_contract_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_terms(text, "mine.toml")


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_every_sample_contract_parses_and_round_trips(path: Path) -> None:
    terms = parse_terms(path.read_text(encoding="utf-8"), path.name)
    assert terms.contract == path.stem.replace("_", "-")
    assert terms_from_cbor(terms_to_cbor(terms)) == terms


def test_the_sample_contracts_are_the_promised_ones() -> None:
    names = {path.stem for path in CONTRACTS}
    promised = "wind_pay_per_use solar_feed_in ev_session cabin_subscription machine_hours"
    assert set(promised.split()) <= names


def test_defaults_are_the_documented_ones() -> None:
    terms = make_terms(terms_map())
    form = terms_to_map(terms)
    assert form["policy"] == {
        "max_gap_s": 3600,
        "unmetered": "zero",
        "derived_time": "accept",
        "input": "sensor",
        "status": "accept",
        "tolerance_percent": 10,
        "estimates": "rule",
        "coverage_s": 900,
        "max_unknown_percent": 5,
        "cutoff_delay_s": 3600,
        "final_after_s": 2_592_000,
    }
    assert (form["rounding"], form["currency_scale"], form["zone"]) == ("half_even", 2, "UTC")


def test_prices_are_exact_whether_quoted_or_not() -> None:
    lines = [
        "contract='c'\nseller='s'\nbuyer='b'\nassets=['a']\ncurrency='EUR'",
        "period={kind='calendar',unit='day'}",
        "[[line]]\ntemplate='PAY_PER_USE'\ncode='u'\nquantity='import_energy'\nunit='kWh'",
    ]
    plain = parse_terms("\n".join([*lines, "price=0.1834"]), "x")
    quoted = parse_terms("\n".join([*lines, "price='0.18340'"]), "x")
    assert plain == quoted
    line = plain.lines[0]
    assert isinstance(line, PayPerUse)
    assert line.tiers[0].price == Fraction(1834, 10_000)


def test_spelling_and_order_of_a_file_do_not_change_the_hash() -> None:
    one = terms_map(assets=["b", "a"], line=[use_line(tiers=[{"price": "0.10"}])])
    other = dict(reversed(terms_map(assets=["a", "b"], line=[use_line(price="0.1")]).items()))
    assert terms_hash(make_terms(one)) == terms_hash(make_terms(other))


@pytest.mark.parametrize(
    "changes",
    [
        {"line": [use_line(price="0.11")]},
        {"line": [use_line(price="0.1", minimum="1")]},
        {"line": [use_line(price="0.1"), SUBSCRIPTION]},
        {"rounding": "down"},
        {"zone": "Europe/Berlin"},
        {"title": "another"},
        {"start": "2026-01-01T00:00:00Z"},
        {"pauses": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}]},
        {"policy": {"max_gap_s": 60}},
        {"assets": ["other"]},
        {"currency_scale": 3},
        {"period": {"kind": "calendar", "unit": "day"}},
    ],
)
def test_every_term_changes_the_hash_and_round_trips(changes: dict[str, Any]) -> None:
    base = make_terms(terms_map(line=[use_line(price="0.1")]))
    terms = make_terms({**terms_map(line=[use_line(price="0.1")]), **changes})
    assert terms_hash(terms) != terms_hash(base)
    assert terms_from_cbor(terms_to_cbor(terms)) == terms


def test_canonical_terms_of_everything_round_trip() -> None:
    line = use_line(
        tiers=[{"up_to": "1.5", "price": "0.000000001"}, {"price": "3"}],
        time_of_use=[{**TOU, "days": ["sun", "mon"], "to": "24:00"}, {**TOU, "from": "22:00"}],
        minimum="1",
        maximum="2",
        prorate_bounds=False,
        estimate_cap="7",
        modulus=2**32,
    )
    own = use_line(
        code="own", quantity="register", obis="0100010800FF", base_per_unit=7, price="1"
    )
    terms = make_terms(
        terms_map(title="All", line=[line, own, SUBSCRIPTION], end="2027-01-01T00:00:00.250Z")
    )
    assert terms_from_cbor(terms_to_cbor(terms)) == terms
    assert isinstance(terms.lines[2], Subscription)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "wattest-terms/1"}, "terms: format wattest-terms/2 expected, got .*/1"),
        ({"rounding": "up"}, "terms: rounding: one of"),
        ({"currency_scale": 9}, "terms: currency_scale: 0 to 6 expected"),
        ({"extra": 1}, "terms: extra: unknown key"),
        ({"assets": ["b", "a"]}, "terms: canonical form expected"),
        ({"start": "2026-01-01T01:00:00+01:00"}, "terms: canonical form expected"),
    ],
)
def test_logged_terms_are_refused_unless_canonical(change: dict[str, Any], message: str) -> None:
    form = {**terms_to_map(make_terms(terms_map())), **change}
    with pytest.raises(SettlementError, match=message):
        terms_from_cbor(cbor.encode(form))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x80", b"\xa1\x01\x02", b"\xa0\x00"])
def test_bytes_that_are_no_terms_are_refused(data: bytes) -> None:
    with pytest.raises(SettlementError, match="terms: "):
        terms_from_cbor(data)
