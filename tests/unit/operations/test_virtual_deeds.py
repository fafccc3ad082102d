"""Parties of a virtual run: they agree with demo keys, and act as the scenario has it."""

from __future__ import annotations

import pytest

from ledger_samples import signer
from wattest.errors import ConfigError
from wattest.ledger import EntryKind, Ledger, NewEntry
from wattest.operations.virtual.deeds import Deeds, party_key
from wattest.scenario import parse_scenario
from wattest.settlement import terms_to_cbor
from wattest.settlement.folding import AccountsFold, problems
from wattest.store import MemoryStore

SCENARIO = """
name = "deeds"
seed = 5
epoch = 2026-01-01T00:00:00Z
duration = "3h"

[[node]]
name = "lamp-1"
load = { kind = "constant", power_w = 60 }

[[party]]
id = "grid"
name = "Grid"

[[party]]
id = "owner"
name = "Owner"

[[contract]]
contract = "supply"
seller = "grid"
buyer = "owner"
assets = ["lamp-1"]
currency = "EUR"
period = { kind = "fixed", start = 2026-01-01T00:00:00Z, duration_s = 3600 }
PINS

[[contract.line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "1"
"""
FUND = '\n[[action]]\nkind = "fund"\ncontract = "supply"\nparty = "owner"\nat = "1h"\n'
DISPUTE = """
[[action]]
kind = "dispute"
name = "first"
contract = "supply"
party = "owner"
line = "energy"
from = "70m"
to = "80m"
reason = "the lamp was off"
at = "90m"
"""


def deeds(text: str = "", pins: str = "") -> tuple[Deeds, Ledger]:
    scenario = parse_scenario(SCENARIO.replace("PINS", pins) + text, "deeds.toml")
    ledger = Ledger(MemoryStore(), signer())
    terms = [terms_to_cbor(each) for each in scenario.contracts]
    ledger.append([NewEntry(kind=EntryKind.TERMS, body=body) for body in terms])
    return Deeds(scenario, ledger), ledger


def fold(ledger: Ledger) -> AccountsFold:
    found = AccountsFold()
    found.take_all(ledger.entries())
    return found


def test_everybody_agrees_with_a_key_of_the_seed() -> None:
    plan, ledger = deeds()
    plan.agree()
    contract = fold(ledger).contracts["supply"]
    assert contract.signed(contract.newest)
    assert problems(fold(ledger)) == []
    assert party_key(5, "grid").public_key != party_key(6, "grid").public_key
    assert fold(ledger).parties.key("supply", "grid") == party_key(5, "grid").public_key


def test_a_party_whose_real_key_the_terms_name_does_not_agree() -> None:
    real = party_key(99, "owner").public_key.hex()
    plan, ledger = deeds(pins=f'party_keys = {{ owner = "{real}" }}')
    plan.agree()
    assert problems(fold(ledger)) == []
    assert fold(ledger).contracts["supply"].agreed.popitem()[1] == {"grid"}


def test_who_agrees_in_the_scenario_does_not_agree_before() -> None:
    plan, ledger = deeds('\n[[action]]\nkind = "agree"\ncontract = "supply"\nat = "1h"\n')
    plan.agree()
    assert fold(ledger).contracts["supply"].agreed == {}
    for deed in plan.within:
        plan.do(deed)
    contract = fold(ledger).contracts["supply"]
    assert contract.signed(contract.newest)


def test_money_is_in_the_currency_of_the_terms_and_has_its_decimals() -> None:
    plan, ledger = deeds(FUND + 'amount = "12.50"\n')
    plan.agree()
    plan.do(plan.within[0])
    book = fold(ledger).contracts["supply"].book
    assert book.balance("buyer:escrow", "EUR").posted == 1_250
    wrong, _ = deeds(FUND + 'amount = "0.001"\n')
    wrong.agree()
    with pytest.raises(ConfigError, match=r"action fund.amount: at most 2 decimals expected"):
        wrong.do(wrong.within[0])


def test_only_contracts_with_disputes_are_settled_on_the_way() -> None:
    plain, _ = deeds(FUND + 'amount = "12.50"\n')
    assert (plain.played, plain.due_times_ms()) == (frozenset(), [])
    plan, _ = deeds(DISPUTE)
    start_ms = 1_767_225_600_000
    assert plan.played == {"supply"}
    assert [(ms - start_ms) // 60_000 for ms in plan.due_times_ms()] == [120]


def test_a_deed_that_moves_nothing_says_why_and_when() -> None:
    twice = DISPUTE + DISPUTE.replace('"first"', '"second"').replace("90m", "95m")
    plan, _ = deeds(twice)
    plan.agree()
    first, second = plan.within
    plan.do(first)
    with pytest.raises(ConfigError, match=r"action dispute at .*: one open dispute for an"):
        plan.do(second)
