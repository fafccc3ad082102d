"""What falls due once, and commissions over generations. Examples 4.8 and 4.9."""

from __future__ import annotations

from typing import Any

import pytest
from accounts_bench import KWH, Story
from settlement_bench import make_terms, use_line

from wattest.settlement.accounts import DUE, ESCROW, INCOME, broker_account, startup_id

FEE = {"template": "STARTUP_FEE", "code": "start", "amount": "300"}
APRIL = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
JUNE = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z")


def started(**changes: Any) -> Story:
    line = [use_line(price="0.25"), {**FEE, **changes}]
    return Story(line=line, start=APRIL[0], seller="maker", buyer="user")


def fees(story: Story) -> list[int]:
    return [t.amount for t in story.account.book if t.code == "start"]


def sign(story: Story) -> None:
    for party in ("maker", "user"):
        story.agree(party)


def test_4_9_a_start_up_fee_is_posted_once_under_an_id_of_the_contract_alone() -> None:
    story = started()
    sign(story)
    story.pay("fund", 50_000, party="user")
    story.settle(0)
    story.settle(0, period=MAY)
    assert fees(story) == [30_000]
    (transfer,) = [t for t in story.account.book if t.code == "start"]
    assert transfer.id == startup_id("test", f"start {ESCROW} {INCOME}")


def test_4_9_c_a_contract_that_is_taken_up_again_pays_no_second_fee() -> None:
    story = started()
    sign(story)
    story.pay("fund", 100_000, party="user")
    story.settle(0)
    story.form = {**story.form, "start": JUNE[0]}
    story.log_terms(make_terms(story.form))
    sign(story)
    story.settle(100 * KWH, period=JUNE)
    assert fees(story) == [30_000]
    assert story.posted(INCOME) == 30_000 + 2_500
    assert story.problems == ["line start: charged once already, not a second time"]


def test_a_fee_that_was_not_charged_again_is_not_given_back_when_later_terms_drop_it() -> None:
    story = started()
    sign(story)
    story.pay("fund", 100_000, party="user")
    story.settle(0)
    for line in (story.form["line"], [use_line(price="0.25")]):
        story.form = {**story.form, "start": JUNE[0], "line": line}
        story.log_terms(make_terms(story.form))
        sign(story)
        story.settle(100 * KWH, period=JUNE, generation=1 if len(line) == 2 else 2)
    assert fees(story) == [30_000]
    assert story.posted(INCOME) == 30_000 + 2_500


def test_a_fee_that_escrow_does_not_reach_is_owed_for_the_rest() -> None:
    story = started()
    sign(story)
    story.pay("fund", 10_000, party="user")
    story.settle(0)
    assert (story.posted(INCOME), story.posted(DUE)) == (30_000, -20_000)
    assert fees(story) == [10_000, 20_000]


def test_a_later_generation_does_not_charge_the_fee_again() -> None:
    story = started()
    sign(story)
    story.settle(100 * KWH)
    story.settle(120 * KWH, generation=2)
    assert fees(story) == [30_000]
    assert story.posted(INCOME) == 30_000 + 3_000


def test_4_9_the_refund_of_a_contract_the_seller_ended_goes_back_once() -> None:
    """U = 300.00 over 12 months, ended by the seller after one: 275.00 go back."""
    story = started(periods=12, refund=True)
    sign(story)
    story.pay("fund", 30_000, party="user")
    story.settle(0)
    story.form = {**story.form, "end": MAY[0], "ended_by": "seller"}
    story.log_terms(make_terms(story.form))
    sign(story)
    story.form["line"][1] = story.form["line"][1] | {"at": APRIL[0]}
    statement = story.settle(0, generation=2)
    refund = [line.minor for line in statement.lines if line.code == "start.refund"]
    assert refund == [-27_500]
    assert (story.posted(INCOME), story.posted(ESCROW)) == (2_500, 27_500)


def with_brokers(*brokers: dict[str, Any], **changes: Any) -> Story:
    fee = {"template": "COMMISSION", "code": "fee", "rate": "0.025", "brokers": list(brokers)}
    return Story(line=[use_line(price="0.25"), {**fee, **changes}])


def earned(story: Story, *names: str) -> list[int]:
    return [story.posted(broker_account(name)) for name in names]


def test_4_8_a_credit_note_reverses_commission_on_the_new_total_not_on_the_difference() -> None:
    """160.10 at 2.5 % is 4.0025: 4.00; 1.25 less is 158.85: 3.97125, 3.97."""
    story = with_brokers({"party": "agent"})
    story.pay("fund", 20_000)
    story.settle(640_400_000)
    assert (earned(story, "agent"), story.posted(INCOME)) == ([400], 15_610)
    story.settle(635_400_000, generation=2)
    assert (earned(story, "agent"), story.posted(INCOME)) == ([397], 15_885 - 397)


@pytest.mark.parametrize(
    ("metered", "options", "agent", "seller"),
    [
        (640_400_000, {"minimum": "5"}, 500, 15_510),
        (8_000_000, {"minimum": "5"}, 200, 0),
        (640_400_000, {"maximum": "1"}, 100, 15_910),
    ],
)
def test_4_8_bounds_hold_for_the_period(
    metered: int, options: dict[str, Any], agent: int, seller: int
) -> None:
    story = with_brokers({"party": "agent"}, **options)
    story.pay("fund", 20_000)
    story.settle(metered)
    assert (earned(story, "agent"), story.posted(INCOME)) == ([agent], seller)


def test_4_8_three_equal_brokers_share_ten_to_the_last_cent() -> None:
    story = with_brokers({"party": "a"}, {"party": "b"}, {"party": "c"}, rate="1")
    story.pay("fund", 20_000)
    story.settle(40 * KWH)
    assert earned(story, "a", "b", "c") == [334, 333, 333]
    assert story.posted(INCOME) == 0
    story.pay("payout", 334, party="a")
    assert earned(story, "a") == [0]
