"""Terms of every template and of the parties: what is refused and how, what is canonical."""

from __future__ import annotations

import re
from typing import Any

import pytest
from settlement_bench import make_terms, terms_map, use_line
from template_vectors import TEMPLATE_VECTORS, form_of

from wattest.errors import ConfigError, SettlementError
from wattest.settlement import (
    TEMPLATES,
    line_codes,
    terms_from_cbor,
    terms_hash,
    terms_to_cbor,
    terms_to_map,
)
from wattest.settlement.parties import parties_of
from wattest.settlement.terms import find_line

ENERGY = {"quantity": "import_energy", "unit": "kWh"}
BANDS = [{"from": "0.9", "multiplier": "1"}, {"from": "0", "multiplier": "0.5"}]
CREDITS = [{"from": "0.9", "credit": "0"}, {"from": "0", "credit": "0.5"}]
JANUARY = "2026-01-01T00:00:00Z"
VKEY = "witness.example+0080fed4+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
GOOD: dict[str, dict[str, Any]] = {
    "SUBSCRIPTION": {"amount": "1"},
    "PAY_PER_USE": {**ENERGY, "price": "1"},
    "PAY_FOR_PERFORMANCE": {"amount": "1", "metric": "availability", "bands": BANDS},
    "GAIN_SHARE": {**ENERGY, "amount": "2", "fixed": "1", "target": "5"},
    "GAIN_SHARE_BONUS": {**ENERGY, "amount": "2", "target": "5", "value": "1", "share": "0.5"},
    "LEASE": {**ENERGY, "amount": "1", "allowance": "5", "overage": "1"},
    "FREEMIUM": {**ENERGY, "free": "5", "price": "1"},
    "COMMISSION": {"rate": "0.1", "brokers": [{"party": "broker"}]},
    "STARTUP_FEE": {"amount": "1", "at": JANUARY},
    "LICENCE": {"amount": "1", "at": JANUARY, "warranty_end": JANUARY, "afterwards": "nothing"},
    "ADD_ON": {"amount": "1", "windows": [{"start": JANUARY, "end": "2026-02-01T00:00:00Z"}]},
    "SHORTFALL": {**ENERGY, "target": "5", "damages": "1"},
    "SLA_CREDIT": {"on": ["use"], "bands": CREDITS},
}
USE = use_line(price="1")


def line(template: str, **changes: Any) -> dict[str, Any]:
    """A good line of a template with some keys changed; ``None`` leaves one out."""
    form = {"template": template, "code": "line", **GOOD[template], **changes}
    return {key: value for key, value in form.items() if value is not None}


BROKEN: dict[str, tuple[list[dict[str, Any]], str]] = {
    "metric": (
        [line("PAY_FOR_PERFORMANCE", metric="luck")],
        r"line\[0\].metric: one of availability, energy_ratio, both expected, got 'luck'",
    ),
    "no bands": (
        [line("PAY_FOR_PERFORMANCE", bands=[])],
        r"line\[0\].bands: 1 to 32 bands expected, got 0",
    ),
    "bands ascend": (
        [line("PAY_FOR_PERFORMANCE", bands=BANDS[::-1])],
        r"line\[0\].bands\[1\].from: less than 0 expected, got 0.9",
    ),
    "last band above 0": (
        [line("PAY_FOR_PERFORMANCE", bands=BANDS[:1])],
        r"line\[0\].bands\[0\].from: 0 expected in the last band, got 0.9",
    ),
    "multiplier of 11": (
        [line("PAY_FOR_PERFORMANCE", bands=[{"from": "0", "multiplier": "11"}])],
        r"line\[0\].bands\[0\].multiplier: 0 to 10 expected, got 11",
    ),
    "credit cap above 1": (
        [line("PAY_FOR_PERFORMANCE", credit_cap="1.5")],
        r"line\[0\].credit_cap: 0 to 1 expected",
    ),
    "a reference for availability": (
        [line("PAY_FOR_PERFORMANCE", reference="5")],
        r"line\[0\].reference: unknown key",
    ),
    "a ratio without reference": (
        [line("PAY_FOR_PERFORMANCE", metric="energy_ratio", **ENERGY)],
        r"line\[0\].reference: value expected, got nothing",
    ),
    "a reference of nothing": (
        [line("PAY_FOR_PERFORMANCE", metric="both", reference="0", **ENERGY)],
        r"line\[0\].reference: more than 0 expected, got 0",
    ),
    "fixed above the amount": (
        [line("GAIN_SHARE", fixed="3")],
        r"line\[0\].fixed: at most the amount expected, got 3",
    ),
    "a target of nothing": (
        [line("GAIN_SHARE", target="0")],
        r"line\[0\].target: more than 0 expected, got 0",
    ),
    "below": (
        [line("GAIN_SHARE", below="square")],
        r"line\[0\].below: one of fixed_only, linear expected, got 'square'",
    ),
    "gain share bounds": (
        [line("GAIN_SHARE", minimum="5", maximum="4")],
        r"line\[0\].maximum: at least the minimum expected, got 4",
    ),
    "share above 1": (
        [line("GAIN_SHARE_BONUS", share="2")],
        r"line\[0\].share: 0 to 1 expected",
    ),
    "a bonus line of another": (
        [{**USE, "code": "line.bonus"}, line("GAIN_SHARE_BONUS")],
        r"line\[1\].code: a code of its own expected, got 'line.bonus' again",
    ),
    "a code too long for its second line": (
        [line("LEASE", code="a" * 25)],
        r"line\[0\].code: at most 24 characters expected, because .* a line '.*\.overage'",
    ),
    "overage without quantity": (
        [line("LEASE", quantity=None, unit=None, allowance=None)],
        r"line\[0\].overage: unknown key",
    ),
    "an allowance left out": (
        [line("LEASE", allowance=None)],
        r"line\[0\].allowance: value expected, got nothing",
    ),
    "carry over years": (
        [line("FREEMIUM", carry=13)],
        r"line\[0\].carry: 0 to 12 expected, got 13",
    ),
    "no brokers": (
        [USE, line("COMMISSION", brokers=[])],
        r"line\[1\].brokers: 1 to 32 brokers expected, got 0",
    ),
    "the seller as broker": (
        [USE, line("COMMISSION", brokers=[{"party": "seller"}])],
        r"line\[1\].brokers\[0\].party: a party of its own expected, got 'seller' again",
    ),
    "a broker twice": (
        [USE, line("COMMISSION", brokers=[{"party": "b"}, {"party": "b"}])],
        r"line\[1\].brokers\[1\].party: a party of its own expected, got 'b' again",
    ),
    "a broker of no weight": (
        [USE, line("COMMISSION", brokers=[{"party": "b", "weight": 0}])],
        r"line\[1\].brokers\[0\].weight: 1 to 1000000 expected, got 0",
    ),
    "a rate of 2": ([USE, line("COMMISSION", rate="2")], r"line\[1\].rate: 0 to 1 expected"),
    "commission on a line below": (
        [line("COMMISSION", on=["use"]), USE],
        r"line\[0\].on: codes of lines above this one expected, got 'use'",
    ),
    "a line after a commission": (
        [line("COMMISSION"), USE],
        r"line\[1\].template: a line that follows the others expected, got PAY_PER_USE",
    ),
    "a fee without a day": (
        [line("STARTUP_FEE", at=None)],
        r"line\[0\].at: an instant expected because the contract has no start, got nothing",
    ),
    "purpose": (
        [line("STARTUP_FEE", purpose="fun")],
        r"line\[0\].purpose: one of startup, investment, installation expected, got 'fun'",
    ),
    "recognised over nothing": (
        [line("STARTUP_FEE", periods=0)],
        r"line\[0\].periods: 1 to 600 expected, got 0",
    ),
    "a warranty that ended before": (
        [line("LICENCE", warranty_end="2025-01-01T00:00:00Z")],
        r"line\[0\].warranty_end: an instant not before the price falls due expected",
    ),
    "a subscription of nothing afterwards": (
        [line("LICENCE", subscription="5")],
        r"line\[0\].subscription: unknown key",
    ),
    "afterwards": (
        [line("LICENCE", afterwards="rent")],
        r"line\[0\].afterwards: one of nothing, subscription expected, got 'rent'",
    ),
    "a bundle of control characters": (
        [line("LICENCE", bundle=["a\nb"])],
        r"line\[0\].bundle: at most 64 printable names expected",
    ),
    "no windows": (
        [line("ADD_ON", windows=[])],
        r"line\[0\].windows: one window or more expected, got none",
    ),
    "windows out of order": (
        [line("ADD_ON", windows=GOOD["ADD_ON"]["windows"] * 2)],
        r"line\[0\].windows\[1\].start: windows in order and apart from each other expected",
    ),
    "a credit on nothing": (
        [USE, line("SLA_CREDIT", on=[])],
        r"line\[1\].on: one code or more, none twice, expected",
    ),
    "a credit on an unknown line": (
        [USE, line("SLA_CREDIT", on=["usage"])],
        r"line\[1\].on: codes of lines above this one expected, got 'usage'",
    ),
    "a credit of twice the price": (
        [USE, line("SLA_CREDIT", bands=[{"from": "0", "credit": "2"}])],
        r"line\[1\].bands\[0\].credit: 0 to 1 expected",
    ),
    "damages in words": (
        [line("SHORTFALL", damages="some")],
        r"line\[0\].damages: a number such as",
    ),
}
HEAD: dict[str, tuple[dict[str, Any], str]] = {
    "ended by nobody known": (
        {"end": JANUARY, "ended_by": "rain"},
        "ended_by: one of seller, buyer expected, got 'rain'",
    ),
    "ended without end": (
        {"ended_by": "seller"},
        "ended_by: no such key expected in a contract without end, got one",
    ),
    "the buyer as arbiter": (
        {"arbiter": "buyer"},
        "arbiter: a party that is not paid and does not pay expected, got 'buyer'",
    ),
    "key of a stranger": (
        {"party_keys": {"nobody": "0" * 128}},
        "party_keys.nobody: one of buyer, seller expected as party",
    ),
    "key of no key": (
        {"party_keys": {"buyer": "00"}},
        "party_keys.buyer: x and y, 128 small hex digits, expected, got '00'",
    ),
    "witness without keys": (
        {"witness": {"threshold": 1, "keys": []}},
        "witness.keys: 1 to 16 keys, none twice, expected, got 0",
    ),
    "witness of no key": (
        {"witness": {"threshold": 1, "keys": ["me"]}},
        "witness.keys: note: verifier-key at byte 0 .expected name.key id.key, a witness's key",
    ),
    "witness of a wrong key id": (
        {"witness": {"threshold": 1, "keys": [VKEY.replace("0080", "0081")]}},
        "witness.keys: note: verifier-key",
    ),
    "more witnesses than keys": (
        {"witness": {"threshold": 2, "keys": [VKEY]}},
        "witness.threshold: 1 to 1 expected, got 2",
    ),
    "life of no period": (
        {"life_cycle": {"delivery": "5"}},
        "life_cycle.periods: value expected, got nothing",
    ),
    "maintenance upside down": (
        {"maintenance": [{"start": JANUARY, "end": JANUARY}]},
        r"maintenance\[0\].end: an instant after start expected",
    ),
    "estimates": (
        {"policy": {"estimates": "guess"}},
        "policy.estimates: one of rule, logged expected, got 'guess'",
    ),
    "too much unknown": (
        {"policy": {"max_unknown_percent": 101}},
        "policy.max_unknown_percent: 0 to 100 expected, got 101",
    ),
}


def refused(form: dict[str, Any]) -> str:
    with pytest.raises(ConfigError, match=r"terms\.toml: ") as caught:
        make_terms(form)
    text = caught.value.diagnostics()
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", BROKEN)
def test_broken_line_is_refused_in_one_line_that_names_the_place(name: str) -> None:
    lines, message = BROKEN[name]
    text = refused(terms_map(line=lines))
    assert re.search(message, text), text


@pytest.mark.parametrize("name", HEAD)
def test_broken_head_is_refused_in_one_line_that_names_the_place(name: str) -> None:
    changes, message = HEAD[name]
    text = refused(terms_map(**changes))
    assert re.search(message, text), text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_refuses_a_key_it_does_not_know(template: str) -> None:
    text = refused(terms_map(line=[USE, line(template, colour="blue")]))
    assert "line[1].colour: unknown key" in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_names_a_key_that_is_missing(template: str) -> None:
    for key in GOOD[template]:
        text = refused(terms_map(line=[USE, line(template, **{key: None})]))
        assert "line[1]." in text


@pytest.mark.parametrize("vector", TEMPLATE_VECTORS, ids=lambda vector: str(vector["name"]))
def test_terms_of_every_example_have_one_canonical_form(vector: dict[str, Any]) -> None:
    terms = make_terms(form_of(vector))
    assert terms_from_cbor(terms_to_cbor(terms)) == terms


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_key_of_a_template_changes_the_hash(template: str) -> None:
    base = make_terms(terms_map(line=[USE, line(template)]))
    changes = {"amount": "7", "rate": "0.7", "price": "7", "target": "7", "on": None}
    for key in set(GOOD[template]) & {"amount", "rate", "price", "target"}:
        other = make_terms(terms_map(line=[USE, line(template, **{key: changes[key]})]))
        assert terms_hash(other) != terms_hash(base)


def test_head_of_everything_round_trips_and_names_the_parties() -> None:
    terms = make_terms(
        terms_map(
            line=[USE, line("COMMISSION", brokers=[{"party": "zoe"}, {"party": "amy"}])],
            end=JANUARY,
            ended_by="buyer",
            arbiter="judge",
            party_keys={"zoe": "ab" * 64, "judge": "cd" * 64},
            witness={"threshold": 1, "keys": [VKEY]},
            life_cycle={"delivery": "5", "periods": 12},
            maintenance=[{"start": JANUARY, "end": "2026-01-02T00:00:00Z"}],
        )
    )
    assert terms_from_cbor(terms_to_cbor(terms)) == terms
    assert terms.brokers == ("amy", "zoe")
    assert parties_of(terms) == {
        "seller": None,
        "buyer": None,
        "amy": None,
        "zoe": bytes.fromhex("ab" * 64),
        "judge": bytes.fromhex("cd" * 64),
    }
    form = terms_to_map(terms)
    assert form["life_cycle"]["operation"] == "0"


def test_statement_codes_of_a_line_are_known() -> None:
    terms = make_terms(terms_map(line=[line("LEASE"), {**USE, "code": "use"}]))
    assert line_codes(terms.lines[0]) == ("line", "line.overage")
    assert find_line(terms, "line.overage") is terms.lines[0]
    with pytest.raises(SettlementError, match="a line out of line, use expected, got 'rent'"):
        find_line(terms, "rent")
