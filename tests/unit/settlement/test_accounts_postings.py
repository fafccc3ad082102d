"""From agreement to close: what each entry moves. Examples of ledger-settlement 4.2 f g, 4.9."""

from __future__ import annotations

import pytest
from accounts_bench import KWH, Story
from settlement_bench import use_line

from wattest.errors import SettlementError
from wattest.settlement.accounts import CASH, DEPOSIT, DUE, ESCROW, INCOME, Phase
from wattest.settlement.postings import take_statement

TIERS = [
    {"up_to": "100", "price": "0.30"},
    {"up_to": "500", "price": "0.25"},
    {"price": "0.20"},
]
MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
JUNE = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z")


def test_funding_goes_through_cash_to_escrow_and_is_reserved() -> None:
    story = Story()
    story.pay("fund", 10_000)
    assert (story.posted(CASH), story.posted(ESCROW)) == (0, 10_000)
    (reserve,) = story.account.book.pending()
    assert (reserve.code, reserve.amount) == ("reserve", 10_000)


def test_a_settlement_is_paid_from_escrow() -> None:
    story = Story()
    story.pay("fund", 12_000)
    story.settle(400 * KWH)
    assert (story.posted(INCOME), story.posted(ESCROW), story.posted(DUE)) == (10_000, 2_000, 0)
    assert [t.amount for t in story.account.book.pending()] == [2_000]


def test_what_escrow_cannot_cover_is_owed_and_paid_by_the_next_funds() -> None:
    story = Story()
    story.pay("fund", 6_000)
    story.settle(400 * KWH)
    assert (story.posted(INCOME), story.posted(ESCROW), story.posted(DUE)) == (10_000, 0, -4_000)
    story.pay("fund", 5_000)
    assert (story.posted(ESCROW), story.posted(DUE)) == (1_000, 0)


def test_4_2_f_late_records_post_the_difference_of_rounded_totals() -> None:
    story = Story(line=[use_line(tiers=TIERS)])
    story.pay("fund", 20_000)
    story.settle(480 * KWH)
    assert story.paid == 12_500
    story.settle(520 * KWH, generation=2)
    assert story.paid == 13_400
    late = [t for t in story.account.book if t.code == "use"]
    assert [(t.phase, t.amount) for t in late] == [(Phase.POSTED, 12_500), (Phase.POSTED, 900)]


def test_a_correction_downwards_comes_back() -> None:
    story = Story(line=[use_line(tiers=TIERS)])
    story.pay("fund", 13_000)
    story.settle(520 * KWH)
    assert (story.posted(ESCROW), story.posted(DUE)) == (0, -400)
    story.settle(480 * KWH, generation=2)
    assert (story.paid, story.posted(ESCROW), story.posted(DUE)) == (12_500, 500, 0)


def test_the_same_statement_again_moves_nothing() -> None:
    story = Story()
    statement = story.settle(400 * KWH)
    before = list(story.account.book)
    story.log(statement)
    assert list(story.account.book) == before
    assert story.problems == ["generation 2 expected, got 1"]


def test_a_statement_without_money_in_it_moves_nothing() -> None:
    story = Story()
    story.settle(0)
    assert len(story.account.book) == 0


def test_nothing_moves_before_both_have_agreed_and_then_what_is_settled_does() -> None:
    story = Story(signed=False)
    story.agree("seller")
    story.settle(400 * KWH)
    assert len(story.account.book) == 0
    story.agree("buyer")
    assert (story.posted(INCOME), story.posted(DUE)) == (10_000, -10_000)


def test_after_the_final_statement_nothing_is_posted() -> None:
    story = Story()
    story.settle(400 * KWH, final=True)
    story.settle(500 * KWH, generation=2)
    assert story.paid == 10_000
    assert story.problems == ["the period is final since entry 3"]


def test_a_statement_whose_lines_do_not_sum_up_is_refused() -> None:
    story = Story()
    statement = story.settle(400 * KWH)
    document = {**statement.to_document(), "generation": 2, "total": 1}
    with pytest.raises(SettlementError, match="that sum to 1 expected, got 10000"):
        take_statement(story.account, 9, document)


def test_a_payment_counts_once_for_its_reference() -> None:
    story = Story()
    story.pay("fund", 5_000, reference="transfer 1")
    story.pay("fund", 5_000, reference="transfer 1", party="seller")
    story.pay("fund", 6_000, reference="transfer 1")
    assert story.posted(ESCROW) == 5_000
    assert story.problems == ["reference 'transfer 1' was 5000 minor units before"]


@pytest.mark.parametrize(
    ("what", "party", "amount", "message"),
    [
        ("payout", "seller", 10_001, "at most 10000 minor units in seller:income expected"),
        ("payout", "buyer", 1, "payouts are confirmed by who gets them"),
        ("refund", "buyer", 1, "at most 0 minor units in buyer:cash expected"),
        ("damage", "buyer", 1, "damages are stated by seller, got buyer"),
        ("fund", "stranger", 1, "seller or buyer expected, got stranger"),
    ],
)
def test_a_payment_that_cannot_be_is_told_and_moves_nothing(
    what: str, party: str, amount: int, message: str
) -> None:
    story = Story()
    story.pay("fund", 20_000)
    story.settle(400 * KWH)
    before = list(story.account.book)
    story.pay(what, amount, party=party)
    assert list(story.account.book) == before
    assert message in story.problems[0]


def test_a_payment_in_another_currency_is_told() -> None:
    story = Story()
    story.pay("fund", 1, currency="USD")
    assert story.problems == ["EUR expected, got USD"]


def test_the_seller_is_paid_out_what_was_posted() -> None:
    story = Story()
    story.pay("fund", 20_000)
    story.settle(400 * KWH)
    story.pay("payout", 9_000, party="seller")
    assert story.posted(INCOME) == 1_000


def ended(**changes: object) -> Story:
    """A contract of one month, with a deposit of 500.00 and 150.00 in escrow."""
    story = Story(start="2026-04-01T00:00:00Z", end="2026-05-01T00:00:00Z", **changes)
    story.pay("deposit", 50_000)
    story.pay("fund", 15_000)
    return story


def test_a_deposit_is_held_and_comes_back_at_the_close_less_damages() -> None:
    story = ended()
    assert story.account.book.balance(CASH, "EUR").available == 0
    story.pay("damage", 12_000, party="seller")
    story.settle(400 * KWH, final=True)
    assert story.account.closed == 6
    assert (story.posted(INCOME), story.posted(DEPOSIT)) == (10_000 + 12_000, 0)
    assert story.posted(CASH) == 50_000 - 12_000 + 5_000
    assert story.account.book.pending() == ()


def test_damages_take_no_more_than_the_deposit_whatever_the_seller_states() -> None:
    story = ended()
    story.pay("damage", 30_000, party="seller")
    story.pay("damage", 20_001, party="seller")
    story.pay("damage", 20_000, party="seller")
    story.settle(400 * KWH, final=True)
    assert story.problems == ["at most 20000 minor units of the deposit expected, got 20001"]
    assert (story.posted(INCOME), story.posted(CASH)) == (10_000 + 50_000, 5_000)
    assert (story.posted(ESCROW), story.posted(DUE)) == (0, 0)


def test_an_open_dispute_keeps_a_contract_from_closing() -> None:
    story = ended()
    digest = story.dispute(KWH)
    story.settle(400 * KWH, final=True)
    assert story.account.closed is None
    story.resolve(digest, 0)
    assert story.account.closed is not None
    assert story.posted(INCOME) == 9_975


def test_after_the_close_cash_is_refunded_and_nothing_comes_in() -> None:
    story = ended()
    story.settle(400 * KWH, final=True)
    story.pay("fund", 1)
    story.pay("refund", 55_000)
    assert story.problems == ["the contract is closed since entry 5"]
    assert story.posted(CASH) == 0
