"""The price of one session by itself: exact, by the lines that bill use, or none at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unit.verify.chain import START_MS, Node
from wattest.errors import SettlementError
from wattest.settlement import Flag, collect_readings, node_of_enrolment, parse_terms
from wattest.settlement.session import Session, SessionPrice, price_session, sessions_of
from wattest.settlement.statement import Cutoff
from wattest.wire import parse_record

TERMS = """
contract = "charging"
seller = "yard"
buyer = "driver"
assets = {assets}
currency = "EUR"
rounding = "half_up"
zone = "UTC"
{more}

[period]
kind = "calendar"
unit = "day"

[[line]]
template = "PAY_PER_USE"
code = "energy"
quantity = "import_energy"
unit = "kWh"
tiers = [{{ up_to = "1", price = "0.50" }}, {{ price = "0.20" }}]

[[line]]
template = "PAY_PER_USE"
code = "session"
quantity = "transaction_count"
price = "0.35"

[[line]]
template = "SUBSCRIPTION"
code = "place"
amount = "10.00"
"""


class Yard:
    """A node with two sessions of 1.5 kWh, an hour each, and what a ledger knows of it."""

    def __init__(self) -> None:
        node = Node()
        data = [node.first()]
        self.enrolment = node.enrolment(power_max_milliwatts=11_000_000)
        for number in (1, 2):
            before = 1_500_000 * (number - 1)
            data.append(node.seal(1, body={9: "B"}, registers=(before, 0, 0, 0)))
            after = (before + 1_500_000, 0, 3600, 0)
            data.append(node.seal(1, 3_600_000, body={9: "E"}, registers=after))
        self.records = list(enumerate(map(parse_record, data)))

    def price(self, session: Session, **how: Any) -> SessionPrice | None:
        text = TERMS.format(assets=how.get("assets", '["test"]'), more=how.get("more", ""))
        return price_session(
            session,
            parse_terms(text, "charging.toml"),
            collect_readings(self.records),
            asset="test",
            nodes=how.get("nodes", [node_of_enrolment(self.enrolment)]),
            cutoff=Cutoff(size=len(self.records), root=bytes(32)),
        )


def test_each_session_is_priced_by_itself_from_the_first_tier_on() -> None:
    yard = Yard()
    sessions = sessions_of(yard.records)
    assert [session.number for session in sessions] == [1, 2]
    for session in sessions:
        price = yard.price(session)
        assert price is not None
        lines = {line.code: (line.metered, line.minor) for line in price.statement.lines}
        assert lines == {"energy": (1_500_000, 60), "session": (1, 35)}
        assert price.statement.total == "0.95"
        assert price.left_out == ("place",)
        assert price.statement.test


def test_reading_that_cannot_be_is_flagged_in_the_price() -> None:
    yard = Yard()
    yard.enrolment = replace(yard.enrolment, power_max_milliwatts=1_000_000)
    price = yard.price(sessions_of(yard.records)[0])
    assert price is not None
    assert Flag.REGISTER_FAULT in price.statement.flags


def test_asset_of_another_contract_has_no_price() -> None:
    yard = Yard()
    assert yard.price(sessions_of(yard.records)[0], assets='["roof"]') is None


def test_contract_of_several_assets_prices_the_session_of_one() -> None:
    yard = Yard()
    price = yard.price(sessions_of(yard.records)[0], assets='["roof", "test"]')
    assert price is not None
    assert price.statement.total == "0.95"


@pytest.mark.parametrize(
    "more",
    ["start = 2026-01-01T12:30:00Z", "end = 2026-01-01T12:30:00Z"],
)
def test_session_that_reaches_out_of_the_contract_has_no_price(more: str) -> None:
    assert START_MS == 1_767_268_800_000
    yard = Yard()
    assert yard.price(sessions_of(yard.records)[0], more=more) is None


def test_key_nobody_enrolled_is_an_error() -> None:
    yard = Yard()
    with pytest.raises(SettlementError, match="an enrolment expected, got none"):
        yard.price(sessions_of(yard.records)[0], nodes=[])
