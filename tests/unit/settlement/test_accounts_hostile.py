"""What a party or an operator tries on the accounts, and what it moves: nothing."""

from __future__ import annotations

from typing import Any

import pytest
from accounts_bench import KWH, Story
from settlement_bench import draw, make_terms, terms_map, use_line

from wattest.errors import SettlementError
from wattest.settlement.accounts import ESCROW, INCOME
from wattest.settlement.disputes import DisputeState

APRIL = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
JUNE = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z")
NEXT_YEAR = ("2027-05-01T00:00:00Z", "2027-06-01T00:00:00Z")
YEAR_AFTER = ("2028-05-01T00:00:00Z", "2028-06-01T00:00:00Z")


def settled() -> Story:
    story = Story()
    story.pay("fund", 20_000)
    story.settle(400 * KWH)
    return story


def redraft(story: Story, **changes: Any) -> None:
    story.form = terms_map(**changes)
    story.log_terms(make_terms(story.form))


def test_a_draft_that_nobody_agreed_to_changes_no_party() -> None:
    story = settled()
    redraft(story, seller="mallory")
    story.agree("mallory")
    story.pay("payout", 10_000, party="mallory")
    assert story.posted(INCOME) == 10_000
    assert story.account.terms_now.seller == "seller"
    assert "at most 0 minor units in broker:mallory:fee" in story.problems[-1]


@pytest.mark.parametrize(
    ("changes", "parties", "message"),
    [
        ({"buyer": "eve"}, ("seller", "eve"), "buyer buyer of the terms before expected, got eve"),
        ({"seller": "eve"}, ("eve", "buyer"), "seller seller of the terms before expected, got"),
        ({"currency": "USD"}, ("seller", "buyer"), "currency EUR of the terms before expected"),
        ({"currency_scale": 3}, ("seller", "buyer"), "scale 2 of the terms before expected"),
    ],
)
def test_terms_of_others_move_none_of_the_money_of_a_contract_in_force(
    changes: dict[str, Any], parties: tuple[str, str], message: str
) -> None:
    story = settled()
    redraft(story, line=[use_line(price="1.00")], **changes)
    for party in parties:
        story.agree(party)
    story.settle(100 * KWH, period=MAY)
    assert (story.posted(INCOME), story.posted(ESCROW)) == (10_000, 10_000)
    assert [problem for problem in story.problems if message in problem]
    assert story.account.terms_now.buyer == "buyer"


def test_an_old_agreement_that_is_logged_again_brings_old_terms_back_to_nobody() -> None:
    story = settled()
    cheap = story.terms
    redraft(story, line=[use_line(price="0.50")])
    story.agree("seller")
    story.agree("buyer")
    dear = story.terms
    story.terms = cheap
    story.agree("buyer")
    assert story.account.terms_now == dear


def test_a_statement_under_a_draft_moves_nothing() -> None:
    story = settled()
    redraft(story, line=[use_line(price="9")])
    story.settle(400 * KWH, period=MAY)
    assert story.posted(INCOME) == 10_000


def changed(story: Story, **changes: Any) -> dict[str, Any]:
    """The next statement, with other words in it."""
    readings = [{"at": MAY[0], "import": 0}, {"at": MAY[1], "import": 100 * KWH}]
    return {**draw(story.form, readings, period=MAY).to_document(), **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total": 1}, "that sum to 1 expected, got 2500"),
        ({"total": 2_500, "payouts": [["seller", 2_499]]}, "lines and payouts that sum to 2500"),
        ({"payouts": [["mallory", 2_500]]}, "2500 minor units expected for the quantities"),
        ({"lines": []}, "that sum to 2500 expected, got 0"),
        ({"lines": None}, "a statement of these terms expected"),
        ({"cutoff": {}}, "a statement of these terms expected"),
        ({"period": [5]}, "a statement of these terms expected"),
        ({"engine": 1.5}, "a statement of these terms expected"),
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    story = settled()
    with pytest.raises(SettlementError, match=message):
        story.log_document(changed(story, **changes))
    assert (story.posted(INCOME), len(story.account.periods)) == (10_000, 1)


def test_another_price_than_the_terms_have_is_refused() -> None:
    story = settled()
    document = changed(story, total=5_000, payouts=[["seller", 5_000]])
    document["lines"] = [{**document["lines"][0], "amount": 5_000}]
    with pytest.raises(SettlementError, match="2500 minor units expected for the quantities"):
        story.log_document(document)


@pytest.mark.parametrize(
    "period",
    [
        ("2026-05-01T00:00:00Z", "2026-05-15T00:00:00Z"),
        ("2026-04-15T00:00:00Z", "2026-05-15T00:00:00Z"),
    ],
)
def test_a_statement_of_no_period_of_the_terms_is_told(period: tuple[str, str]) -> None:
    story = settled()
    story.settle(400 * KWH, period=period)
    assert story.posted(INCOME) == 10_000
    assert story.problems == ["a settlement period of the terms expected"]


def test_new_terms_with_other_periods_bill_no_time_twice() -> None:
    story = settled()
    redraft(story, period={"kind": "calendar", "unit": "quarter"})
    story.agree("seller")
    story.agree("buyer")
    story.settle(400 * KWH, period=("2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"))
    assert story.posted(INCOME) == 10_000
    assert story.problems == ["no period of a statement before expected, that of entry 4 is"]


def test_statements_far_ahead_let_no_dispute_expire() -> None:
    story = settled()
    digest = story.dispute(40 * KWH)
    story.settle(0, period=NEXT_YEAR)
    story.settle(0, period=YEAR_AFTER)
    assert story.account.disputes[digest].is_open
    story.settle(0, period=MAY)
    assert story.account.disputes[digest].is_open
    story.settle(0, period=JUNE)
    assert story.account.disputes[digest].state is DisputeState.EXPIRED


def test_a_dispute_of_an_old_period_expires_after_two_that_were_settled_since() -> None:
    story = settled()
    story.settle(0, period=MAY)
    digest = story.dispute(40 * KWH)
    story.settle(0, period=JUNE)
    assert story.account.disputes[digest].is_open
    story.settle(0, period=("2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"))
    assert story.account.disputes[digest].state is DisputeState.EXPIRED


def test_only_seller_and_buyer_dispute() -> None:
    story = Story(arbiter="judge")
    story.dispute(KWH, party="judge")
    assert story.problems == ["seller or buyer expected, got judge"]


def test_a_dispute_of_a_line_that_later_terms_do_not_have_keeps_no_statement_from_being_paid() -> (
    None
):
    story = Story()
    story.dispute(KWH)
    redraft(story, line=[use_line(code="energy", price="0.25")])
    story.agree("seller")
    story.agree("buyer")
    story.settle(400 * KWH)
    assert (story.posted(INCOME), story.held) == (10_000, 0)


def test_a_contract_is_not_closed_while_a_period_of_it_has_no_statement() -> None:
    story = Story(start=APRIL[0], end=JUNE[0])
    story.settle(0, period=MAY, final=True)
    assert story.account.closed is None
    story.settle(0, final=True)
    assert story.account.closed is not None
