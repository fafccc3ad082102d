"""Whatever is agreed, paid, settled, disputed and resolved, in whatever order: the books hold.

I1 debits are credits; I2 escrow is never overdrawn; I3 what is posted and held is what the newest
statement says; I4 the same again moves nothing; I9 splits conserve.
"""

from __future__ import annotations

from collections import Counter

from accounts_bench import KWH, Story
from hypothesis import given, settings
from hypothesis import strategies as st
from settlement_bench import use_line

from wattest.settlement.accounts import GUARDED, Book, Phase
from wattest.settlement.disputes import split
from wattest.settlement.movements import FeeKey, LineKey
from wattest.settlement.postings import extremes

PERIODS = tuple(
    (f"2026-{month:02}-01T00:00:00Z", f"2026-{month + 1:02}-01T00:00:00Z")
    for month in (4, 5, 6, 7, 8)
)
LINES = [
    use_line(tiers=[{"up_to": "100", "price": "0.31"}, {"price": "0.17"}], minimum="3"),
    {
        "template": "GAIN_SHARE",
        "code": "gain",
        "quantity": "import_energy",
        "unit": "kWh",
        "amount": "50",
        "fixed": "30",
        "target": "200",
    },
    {
        "template": "SHORTFALL",
        "code": "missing",
        "quantity": "import_energy",
        "unit": "kWh",
        "target": "150",
        "damages": "0.03",
    },
    {
        "template": "COMMISSION",
        "code": "fee",
        "rate": "0.033",
        "brokers": [{"party": "agent"}, {"party": "broker", "weight": 2}],
    },
]
amounts = st.integers(1, 20_000)
energies = st.integers(0, 400 * KWH)
period = st.integers(0, len(PERIODS) - 1)
STEPS = st.one_of(
    st.tuples(st.just("fund"), amounts),
    st.tuples(st.just("settle"), period, energies),
    st.tuples(st.just("final"), period, energies),
    st.tuples(st.just("dispute"), period, st.integers(0, 500 * KWH), st.integers(1, 27)),
    st.tuples(st.just("resolve"), st.integers(0, 5), energies),
    st.tuples(st.just("payout"), amounts),
    st.tuples(st.just("deposit"), amounts),
    st.tuples(st.just("damage"), amounts),
    st.tuples(st.just("refund"), amounts),
)


def play(story: Story, steps: list[tuple]) -> None:
    for step in steps:
        play_one(story, step)
        check(story)


def play_one(story: Story, step: tuple) -> None:
    kind, *values = step
    match kind:
        case "settle" | "final":
            number, metered = values
            account = story.account.periods.get(story.start_of(PERIODS[number]))
            generation = 1 + (len(account.generations) if account else 0)
            story.settle(
                metered, generation=generation, period=PERIODS[number], final=kind == "final"
            )
        case "dispute":
            number, quantity, day = values
            start = PERIODS[number][0]
            within = (f"{start[:8]}{day:02}{start[10:]}", f"{start[:8]}{day + 1:02}{start[10:]}")
            story.dispute(quantity, period=PERIODS[number], within=within)
        case "resolve":
            cases = list(story.account.disputes)
            if cases:
                story.resolve(cases[values[0] % len(cases)], values[1])
        case _:
            party = "seller" if kind in ("payout", "damage") else "buyer"
            story.pay(kind, values[0], party=party)


def check(story: Story) -> None:
    recount(story.account.book)
    for account in story.account.periods.values():
        found = extremes(story.account, account)
        low, high = sorted((found.buyer, found.seller), key=lambda each: each.total)
        for kind, least, most in (
            (LineKey, low.lines, high.lines),
            (FeeKey, low.payouts, high.payouts),
        ):
            upper = dict(most)
            for name, minor in least:
                if kind is FeeKey and name == "seller":
                    continue
                key = kind(name)
                hold = account.holds.get(key)
                assert account.posted.get(key, 0) == minor
                assert (hold.amount if hold else 0) == upper[name] - minor
                ids = hold.ids if hold else ()
                pending = [t for t in story.account.book.pending() if t.id in ids]
                assert sum(t.amount for t in pending) == abs(upper[name] - minor)
        assert sum(minor for _, minor in low.payouts) == low.total
    moved = sum(
        account.posted.get(LineKey(code), 0)
        for account in story.account.periods.values()
        for code in ("use", "gain", "missing")
    )
    damages = sum(t.amount for t in story.account.book if t.code == "damage")
    assert story.paid == moved + damages - sum(
        t.amount for t in story.account.book if t.debit == "deposit"
    )


def recount(book: Book) -> None:
    """Add the transfers up again, by their phases alone."""
    posted: Counter[str] = Counter()
    held: dict[bytes, tuple[str, int]] = {}
    for transfer in book:
        if transfer.phase is Phase.PENDING:
            held[transfer.id] = (transfer.debit, transfer.amount)
        else:
            if transfer.pending_id is not None:
                debit, amount = held.pop(transfer.pending_id)
                assert (debit, transfer.amount <= amount) == (transfer.debit, True)
            if transfer.phase is not Phase.VOID:
                posted[transfer.debit] -= transfer.amount
                posted[transfer.credit] += transfer.amount
        for account in GUARDED:
            pending = sum(amount for debit, amount in held.values() if debit == account)
            assert posted[account] - pending >= 0
    assert sum(posted.values()) == 0
    for (account, _), balance in book.balances().items():
        assert balance.posted == posted[account]
        assert balance.debits_pending == sum(n for debit, n in held.values() if debit == account)


@given(steps=st.lists(STEPS, max_size=14))
@settings(max_examples=200, deadline=None)
def test_books_hold_after_every_step_and_the_same_log_makes_the_same_books(
    steps: list[tuple],
) -> None:
    story, again = Story(line=LINES), Story(line=LINES)
    play(story, steps)
    for step in steps:
        play_one(again, step)
    assert list(again.account.book) == list(story.account.book)
    assert again.problems == story.problems


@given(steps=st.lists(STEPS, max_size=8), metered=energies)
@settings(max_examples=30, deadline=None)
def test_what_is_logged_again_moves_nothing(steps: list[tuple], metered: int) -> None:
    story = Story(line=LINES)
    play(story, steps)
    story.pay("fund", 500, reference="twice")
    before = len(story.account.book)
    story.pay("fund", 500, reference="twice")
    story.agree("buyer")
    for account in list(story.account.periods.values()):
        story.log_document(account.document)
    assert len(story.account.book) == before


@given(
    counts=st.dictionaries(st.integers(-1, 5), st.integers(0, 10**12), max_size=5),
    part=st.integers(0, 10**12),
)
def test_splits_conserve_and_take_no_more_than_there_is(counts: dict[int, int], part: int) -> None:
    shares = split(counts, part)
    assert sum(shares.values()) == min(part, sum(counts.values()))
    assert all(0 <= shares[label] <= counts[label] for label in counts)
