"""Disputes on the accounts. Examples of ledger-settlement 4.2 g, 4.4 and the matrix of 4.11."""

from __future__ import annotations

from typing import Any

import pytest
from accounts_bench import KWH, Story
from settlement_bench import draw, use_line

from wattest.settlement.accounts import DUE, ESCROW, INCOME, Phase, broker_account
from wattest.settlement.disputes import DisputeState
from wattest.settlement.statement import Statement

MAY = ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
JUNE = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z")
ENERGY = {"quantity": "import_energy", "unit": "kWh"}


def metering(template: str, **changes: Any) -> dict[str, Any]:
    return {"template": template, "code": "use", **ENERGY, **changes}


def gain_share(**changes: Any) -> dict[str, Any]:
    return metering("GAIN_SHARE", amount="1000", fixed="600", target="10000", **changes)


def test_4_2_g_undisputed_is_posted_and_the_rest_pends_until_it_is_resolved() -> None:
    story = Story()
    story.pay("fund", 20_000)
    digest = story.dispute(6_400_000)
    story.settle(400 * KWH)
    assert (story.paid, story.held) == (9_840, 160)
    story.resolve(digest, 4_000_000)
    ends = [t for t in story.account.book if t.phase is Phase.POST]
    assert [(t.amount, t.code) for t in ends] == [(100, "use")]
    assert (story.paid, story.held) == (9_940, 0)


def test_a_dispute_after_the_settlement_takes_back_what_depends_on_it_and_holds_it() -> None:
    story = Story()
    story.pay("fund", 20_000)
    story.settle(400 * KWH)
    digest = story.dispute(6_400_000)
    assert (story.paid, story.held) == (9_840, 160)
    story.resolve(digest, 0)
    assert (story.paid, story.held) == (9_840, 0)
    assert story.account.disputes[digest].state is DisputeState.RESOLVED


def test_what_escrow_cannot_hold_is_held_as_a_debt() -> None:
    story = Story()
    story.pay("fund", 9_900)
    digest = story.dispute(6_400_000)
    story.settle(400 * KWH)
    assert (story.posted(ESCROW), story.posted(DUE), story.held) == (60, 0, 160)
    story.resolve(digest, 6_400_000)
    assert (story.posted(ESCROW), story.posted(DUE), story.paid) == (0, -100, 10_000)


@pytest.mark.parametrize(
    ("line", "metered", "disputed", "posted", "pending"),
    [
        (gain_share(), 10_100, 200, 60_000, 40_400),
        (gain_share(below="linear"), 10_100, 200, 99_600, 800),
        (gain_share(), 12_500, 200, 109_200, 800),
        (
            metering("GAIN_SHARE_BONUS", amount="1000", target="10000", value="0.12", share="0.3"),
            12_500,
            500,
            100_000 + 7_200,
            1_800,
        ),
        (
            metering("LEASE", amount="250", allowance="2000", overage="0.05"),
            2_345,
            100,
            25_000 + 1_225,
            500,
        ),
        (metering("LEASE", amount="250", allowance="2000", overage="0.05"), 1_900, 100, 25_000, 0),
        (metering("FREEMIUM", free="50", price="0.20"), 70, 30, 0, 400),
        (metering("PAY_PER_USE", price="0.30", minimum="5.00"), 20, 10, 500, 100),
    ],
    ids=["cliff", "linear", "above", "bonus", "overage", "within", "free", "minimum"],
)
def test_every_template_pends_what_depends_on_the_disputed_quantity(
    line: dict[str, Any], metered: int, disputed: int, posted: int, pending: int
) -> None:
    story = Story(line=[line])
    story.pay("fund", 200_000)
    story.dispute(disputed * KWH)
    story.settle(metered * KWH)
    assert (story.paid, story.held) == (posted, pending)


def test_a_shortfall_moves_along_with_the_energy_that_is_disputed() -> None:
    """WIND_SLA: 8,640 kWh are 723.60; without 100 of them 8.50 less and 3.00 more damages."""
    lines = [
        metering("PAY_PER_USE", price="0.085"),
        {**metering("SHORTFALL", target="9000", damages="0.03"), "code": "damages"},
    ]
    story = Story(line=lines)
    story.pay("fund", 100_000)
    digest = story.dispute(100 * KWH)
    story.settle(8_640 * KWH)
    assert (story.paid, story.held) == (72_360 - 1_150, 1_150)
    story.resolve(digest, 100 * KWH)
    assert (story.paid, story.held) == (72_360, 0)


def test_commission_pends_with_its_share_and_is_rated_on_the_whole_period() -> None:
    """4.11: pending gross 1.60; 2.5 % of 98.40 is 2.46, of 100.00 it is 2.50."""
    lines = [
        use_line(price="0.25"),
        {
            "template": "COMMISSION",
            "code": "fee",
            "rate": "0.025",
            "brokers": [{"party": "agent"}],
        },
    ]
    story = Story(line=lines)
    story.pay("fund", 20_000)
    digest = story.dispute(6_400_000)
    story.settle(400 * KWH)
    fee = story.account.book.balance(broker_account("agent"), "EUR")
    assert (fee.posted, fee.credits_pending) == (246, 4)
    assert (story.paid, story.posted(INCOME)) == (9_840, 9_840 - 246)
    story.resolve(digest, 4_000_000)
    assert story.posted(broker_account("agent")) == 248
    assert story.posted(INCOME) == 9_940 - 248


def availability(down_s: int) -> list[dict[str, Any]]:
    """April, up but for some time after the 10th, covered by a record every few days."""
    first = 10 * 86_400_000
    times = [0, 5 * 86_400_000, first, first + down_s * 1000]
    times += [day * 86_400_000 for day in (15, 20, 25, 30)]
    begin = 1_775_001_600_000
    return [
        {"at": begin + time, "import": number, "status_ok": time != first + down_s * 1000}
        for number, time in enumerate(times)
    ]


BANDS = [
    {"from": "0.98", "multiplier": "1"},
    {"from": "0.95", "multiplier": "0.90"},
    {"from": "0.90", "multiplier": "0.75"},
    {"from": "0", "multiplier": "0.50"},
]
SLA: dict[str, Any] = {
    "line": [
        {
            "template": "PAY_FOR_PERFORMANCE",
            "code": "up",
            "amount": "1000",
            "metric": "availability",
            "bands": BANDS,
        }
    ],
    "policy": {"coverage_s": 604_800},
    "maintenance": [{"start": "2026-04-20T00:00:00Z", "end": "2026-04-20T12:00:00Z"}],
}


def sla_statement(story: Story, generation: int = 1) -> Statement:
    return draw(story.form, availability(72_000), generation=generation)


def test_4_11_disputed_down_time_settles_at_the_lower_band_and_pends_the_rest() -> None:
    story = Story(**SLA)
    story.pay("fund", 100_000)
    story.dispute(21_600_000, code="up", party="seller")
    statement = sla_statement(story)
    assert statement.availability is not None
    assert str(statement.availability.value) == "172/177"  # 0.971751...
    story.log(statement)
    assert (story.paid, story.held) == (90_000, 10_000)


@pytest.mark.parametrize(
    ("granted_s", "paid"), [(21_600, 100_000), (21_024, 100_000), (21_023, 90_000), (0, 90_000)]
)
def test_granted_down_time_was_up_and_moves_the_band_or_not(granted_s: int, paid: int) -> None:
    """Of 2,548,800 s at most 50,976 may be down for the first band: 21,024 must be granted."""
    story = Story(**SLA)
    story.pay("fund", 100_000)
    digest = story.dispute(21_600_000, code="up", party="seller")
    story.log(sla_statement(story))
    story.resolve(digest, granted_s * 1000)
    assert (story.paid, story.held) == (paid, 0)


def test_a_pause_can_be_disputed_in_a_subscription() -> None:
    story = Story(line=[{"template": "SUBSCRIPTION", "code": "flat", "amount": "120"}])
    digest = story.dispute(36 * 3_600_000, code="flat")
    story.settle(0)
    assert (story.paid, story.held) == (11_400, 600)
    story.resolve(digest, 18 * 3_600_000)
    assert story.paid == 11_700


@pytest.mark.parametrize("template", ["STARTUP_FEE", "COMMISSION"])
def test_what_follows_others_cannot_be_disputed(template: str) -> None:
    own = {
        "STARTUP_FEE": {"amount": "300"},
        "COMMISSION": {"rate": "0.1", "brokers": [{"party": "agent"}]},
    }[template]
    lines = [use_line(price="0.25"), {"template": template, "code": "other", **own}]
    story = Story(line=lines, start="2026-04-01T00:00:00Z")
    story.dispute(1, code="other")
    assert story.problems == ["nothing of line other can be disputed"]


def test_a_register_fault_can_be_granted_on_top() -> None:
    story = Story()
    story.pay("fund", 20_000)
    digest = story.dispute(4 * KWH, party="seller", on_top=True)
    story.settle(400 * KWH)
    assert (story.paid, story.held) == (10_000, 100)
    story.resolve(digest, 3 * KWH)
    assert (story.paid, story.held) == (10_075, 0)


def test_a_seller_must_say_how_much_more_was_delivered() -> None:
    story = Story()
    story.dispute(None, party="seller", on_top=True)
    assert "how much more was delivered expected" in story.problems[0]


def test_without_a_quantity_what_was_metered_in_the_window_is_disputed() -> None:
    story = Story()
    story.evidence.counts = {-1: 6_400_000}
    story.dispute(None, within=("2026-04-03T00:00:00Z", "2026-04-04T00:00:00Z"))
    story.settle(400 * KWH)
    assert (story.paid, story.held) == (9_840, 160)


def test_later_generations_keep_what_is_held_and_what_was_resolved() -> None:
    story = Story()
    story.pay("fund", 20_000)
    digest = story.dispute(40 * KWH)
    story.settle(400 * KWH)
    story.settle(440 * KWH, generation=2)
    assert (story.paid, story.held) == (10_000, 1_000)
    story.resolve(digest, 20 * KWH)
    assert (story.paid, story.held) == (10_500, 0)
    story.settle(480 * KWH, generation=3)
    assert (story.paid, story.held) == (11_500, 0)


def test_it_takes_both_parties_and_the_same_number() -> None:
    story = Story()
    digest = story.dispute(40 * KWH)
    story.settle(400 * KWH)
    story.resolve(digest, 10 * KWH, "seller")
    story.resolve(digest, 20 * KWH, "buyer")
    assert story.held == 1_000
    story.resolve(digest, 20 * KWH, "seller")
    assert (story.paid, story.held) == (9_500, 0)


def test_an_arbiter_decides_alone() -> None:
    story = Story(arbiter="judge")
    digest = story.dispute(40 * KWH)
    story.settle(400 * KWH)
    story.resolve(digest, 0, "judge")
    assert (story.paid, story.held) == (9_000, 0)


def test_a_resolved_dispute_is_not_resolved_again() -> None:
    story = Story()
    digest = story.dispute(40 * KWH)
    story.resolve(digest, 0)
    story.resolve(digest, KWH, "seller")
    story.resolve(bytes(32), KWH, "seller")
    assert story.problems == [
        "an open dispute expected, got one that is resolved",
        "an open dispute expected, got none",
    ]


def test_nobody_settles_it_and_it_expires_after_two_later_periods() -> None:
    story = Story()
    digest = story.dispute(40 * KWH)
    story.settle(400 * KWH)
    story.settle(0, period=MAY)
    story.settle(0, period=MAY, generation=2)
    assert story.held == 1_000
    story.settle(0, period=JUNE)
    assert (story.paid, story.held) == (10_000, 0)
    assert story.account.disputes[digest].state is DisputeState.EXPIRED


def test_there_is_one_open_dispute_for_an_interval() -> None:
    story = Story()
    first = ("2026-04-03T00:00:00Z", "2026-04-05T00:00:00Z")
    story.dispute(KWH, within=first)
    story.dispute(KWH, within=("2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"))
    story.dispute(KWH, within=("2026-04-05T00:00:00Z", "2026-04-06T00:00:00Z"))
    assert len(story.account.disputes) == 2
    assert story.problems == ["one open dispute for an interval expected, there is one already"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "other"}, "a line out of use expected, got 'other'"),
        ({"within": MAY}, "a window inside of a settlement period expected"),
        (
            {"period": ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z")},
            "a window inside of a settlement period expected",
        ),
    ],
)
def test_a_dispute_of_what_is_not_there_is_told(changes: dict[str, Any], message: str) -> None:
    story = Story()
    story.dispute(KWH, **changes)
    assert not story.account.disputes
    assert message in story.problems[0]


def test_a_final_period_is_only_disputed_where_readings_came_too_late() -> None:
    story = Story()
    story.pay("fund", 20_000)
    story.settle(400 * KWH, final=True)
    story.dispute(4 * KWH, party="seller", on_top=True)
    assert story.problems == ["the period is final since entry 4"]
    story.evidence.late = True
    digest = story.dispute(4 * KWH, party="seller", on_top=True)
    story.resolve(digest, 4 * KWH)
    assert (story.paid, story.held) == (10_100, 0)
