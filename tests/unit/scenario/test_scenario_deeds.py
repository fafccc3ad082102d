"""Deeds of parties in a scenario: what is read, what is refused, what is written again."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattest.errors import ConfigError
from wattest.scenario import Deed, DeedKind, parse_scenario, scenario_to_toml
from wattest.units import NS_PER_S

HEAD = """
name = "deeds"
seed = 1
epoch = 2026-01-01T00:00:00Z
duration = "2h"

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
period = { kind = "calendar", unit = "month" }

[[contract.line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
price = "1"
"""
FUND = 'kind = "fund"\ncontract = "supply"\nparty = "owner"\namount = "12.50"\nat = "1h"\n'
DISPUTE = """kind = "dispute"
name = "first"
contract = "supply"
party = "owner"
line = "energy"
from = "10m"
to = "20m"
quantity = "1/3"
reason = "the lamp was off"
at = "90m"
"""
RESOLVE = 'kind = "resolve"\ncontract = "supply"\ndispute = "first"\ngranted = "0.1"\nat = "3h"\n'


def parse(*actions: str) -> tuple[Deed, ...]:
    text = HEAD + "".join(f"\n[[action]]\n{action}" for action in actions)
    return parse_scenario(text, "deeds.toml").deeds


def test_deeds_are_read_in_order_of_time() -> None:
    fund, dispute, resolve = parse(RESOLVE, DISPUTE, FUND)
    assert (fund.kind, fund.amount, fund.reference) == (
        DeedKind.FUND,
        Fraction(25, 2),
        "fund-3600",
    )
    assert (dispute.window_ns, dispute.quantity) == (
        (600 * NS_PER_S, 1200 * NS_PER_S),
        Fraction(1, 3),
    )
    assert (resolve.party, resolve.name, resolve.granted) == ("", "first", Fraction(1, 10))


def test_a_scenario_with_deeds_is_written_as_it_reads() -> None:
    text = HEAD + "".join(f"\n[[action]]\n{action}" for action in (FUND, DISPUTE, RESOLVE))
    scenario = parse_scenario(text, "deeds.toml")
    assert parse_scenario(scenario_to_toml(scenario), "deeds.toml") == scenario


def test_deeds_stand_beside_commands_to_nodes() -> None:
    text = (
        HEAD + f'\n[[action]]\n{FUND}\n[[action]]\nkind = "identify"\nnode = "lamp-1"\nat = "1m"\n'
    )
    scenario = parse_scenario(text, "deeds.toml")
    assert (len(scenario.actions), len(scenario.deeds)) == (1, 1)


def test_a_shorter_run_leaves_later_deeds_out_and_a_longer_one_keeps_them() -> None:
    text = HEAD + f"\n[[action]]\n{FUND}\n[[action]]\n{DISPUTE}\n[[action]]\n{RESOLVE}"
    scenario = parse_scenario(text, "deeds.toml")
    kinds = {
        hours: [deed.kind.value for deed in scenario.lasting(hours * 3600 * NS_PER_S).deeds]
        for hours in (1, 2, 4)
    }
    everything = ["fund", "dispute", "resolve"]
    assert kinds == {1: [], 2: everything, 4: everything}


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (
            (FUND.replace("supply", "farm"),),
            r"action.contract: one of supply expected, got 'farm'",
        ),
        ((FUND.replace("owner", "thief"),), r"action.party: one of grid, owner expected"),
        ((FUND.replace("12.50", "0"),), r"action\[0\].amount: more than 0 expected"),
        ((FUND.replace("12.50", "-1"),), r"action\[0\].amount"),
        ((FUND + 'node = "lamp-1"\n',), r"action\[0\].node: unknown key"),
        ((FUND.replace("fund", "steal"),), r"action\[0\].kind: one of begin, end"),
        ((DISPUTE.replace('"energy"', '"time"'),), r"action.line: one of energy expected"),
        ((DISPUTE.replace('to = "20m"', 'to = "10m"'),), r"action\[0\].to: a time after from"),
        ((DISPUTE, DISPUTE), r"action.name: a name of its own expected, got 'first'"),
        ((RESOLVE,), r"action.dispute: one of nothing expected, got 'first'"),
        ((RESOLVE.replace('"3h"', '"1h"'), DISPUTE), r"action.dispute: one of nothing expected"),
        ((DISPUTE.replace('party = "owner"\n', ""),), r"action\[0\].party"),
    ],
)
def test_a_deed_that_fits_nothing_is_refused(actions: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(*actions)
