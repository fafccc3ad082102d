"""Double-entry text for beancount: one transaction a statement, accounts by contract, no slack.

The books are those of the contract: what the buyer owes is an asset of it, what seller and brokers
receive its income. Of several generations of one period only the differences are booked.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wattest.errors import one_line
from wattest.exports.placed import TEST_MARK, PlacedStatement, bought
from wattest.settlement.money import format_minor
from wattest.settlement.period import format_instant

_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]*")
_FIRST_DAY = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One leg of a booking.

    Args:
        account: of beancount.
        minor: minor units, either sign.
        note: shown as metadata, or ``""``.
    """

    account: str
    minor: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One transaction; its postings add up to nothing.

    Args:
        date: the day it counts for.
        payee: who is behind it.
        narration: what it is.
        currency: three capital letters.
        scale: decimals of the currency.
        postings: at least two.
        test: no claim for money.
        meta: facts beside it, by lower-case name.
    """

    date: dt.date
    payee: str
    narration: str
    currency: str
    scale: int
    postings: tuple[Posting, ...]
    test: bool = False
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark on an account."""

    date: dt.date
    account: str
    text: str


def account(*names: str, root: str, test: bool) -> str:
    """Return an account below a root such as ``Assets``; different names stay different."""
    return ":".join((root, *(("Test",) if test else ()), *(component(name) for name in names)))


def component(name: str) -> str:
    """Return a name as beancount spells parts of accounts: ``roof`` is ``Roof``.

    What has to change more than its first letter gets a piece of its hash, so that no two names
    meet in one account.
    """
    if _PLAIN.fullmatch(name):
        return name[0].upper() + name[1:]
    bare = re.sub(r"[^A-Za-z0-9-]", "-", name).lstrip("-") or "X"
    return f"{bare[0].upper()}{bare[1:]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def beancount_text(
    bookings: Iterable[Booking], *, notes: Sequence[Note] = (), title: str = "wattest"
) -> str:
    """Return a file that ``bean-check`` takes: options, accounts, transactions, balances."""
    found = sorted(bookings, key=lambda item: item.date)
    currencies = sorted({item.currency for item in found})
    parts = [f'option "title" {_quoted(title)}']
    parts += [f'option "operating_currency" "{currency}"' for currency in currencies]
    parts.append('option "tolerance_multiplier" "0"')
    if any(item.test for item in found):
        parts.insert(0, f"; {TEST_MARK}. Accounts below Test hold what nobody owes.")
    parts.append("")
    parts += list(_opens(found, notes))
    for item in found:
        parts += ["", *_transaction(item)]
    parts += ["", *(f"{n.date} note {n.account} {_quoted(n.text)}" for n in notes)]
    parts += ["", *_balances(found)]
    return "\n".join(parts) + "\n"


def statement_bookings(statements: Iterable[PlacedStatement]) -> Iterator[Booking]:
    """Yield what each statement adds to the one before it of the same contract and period."""
    before: dict[tuple[str, int, int], PlacedStatement] = {}
    order = sorted(statements, key=lambda item: (item.document["generation"], item.index))
    for placed in order:
        document = placed.document
        key = (str(document["contract"]), *document["period"])
        postings = tuple(_differences(placed, before.get(key)))
        before[key] = placed
        if not postings:
            continue
        start, end = (format_instant(time_ms) for time_ms in document["period"])
        mark = f"{TEST_MARK}: " if placed.test else ""
        yield Booking(
            date=placed.last_day,
            payee=str(document["buyer"]),
            narration=f"{mark}{document['title'] or document['contract']}, {start} to {end}",
            currency=str(document["currency"]),
            scale=int(document["scale"]),
            postings=postings,
            test=placed.test,
            meta={
                "contract": str(document["contract"]),
                "generation": str(document["generation"]),
                "state": str(document["state"]),
                "entry": str(placed.index),
                "statement": placed.digest,
            },
        )


def _differences(placed: PlacedStatement, earlier: PlacedStatement | None) -> Iterator[Posting]:
    """Yield what the buyer owes more by line, and what each payee receives more."""
    document, test = placed.document, placed.test
    contract = str(document["contract"])
    owed = {str(line["code"]): int(line["amount"]) for line in bought(document)}
    paid: dict[str, int] = {}
    for party, minor in placed.payouts():
        paid[party] = paid.get(party, 0) - minor
    if earlier is not None:
        for line in bought(earlier.document):
            owed[line["code"]] = owed.get(line["code"], 0) - line["amount"]
        for party, minor in earlier.payouts():
            paid[party] = paid.get(party, 0) + minor
    due = account(contract, "buyer", "due", root="Assets", test=test)
    for code, minor in owed.items():
        if minor:
            yield Posting(account=due, minor=minor, note=code)
    for party, minor in paid.items():
        role = ("seller",) if party == document["seller"] else ("broker", party)
        if minor:
            yield Posting(account=account(contract, *role, root="Income", test=test), minor=minor)


def _opens(bookings: Sequence[Booking], notes: Sequence[Note]) -> Iterator[str]:
    used: dict[str, set[str]] = {}
    for item in bookings:
        for posting in item.postings:
            used.setdefault(posting.account, set()).add(item.currency)
    for note in notes:
        used.setdefault(note.account, set())
    for name in sorted(used):
        yield f"{_FIRST_DAY} open {name} {','.join(sorted(used[name]))}".rstrip()


def _transaction(item: Booking) -> Iterator[str]:
    flag, tag = ("!", " #TEST") if item.test else ("*", "")
    yield f"{item.date} {flag} {_quoted(item.payee)} {_quoted(item.narration)}{tag}"
    for name, value in item.meta.items():
        yield f"  {name}: {_quoted(value)}"
    for posting in item.postings:
        yield f"  {posting.account}  {format_minor(posting.minor, item.scale)} {item.currency}"
        if posting.note:
            yield f"    line: {_quoted(posting.note)}"


def _balances(bookings: Sequence[Booking]) -> Iterator[str]:
    """Yield what every account holds in the end, so that a lost line is noticed."""
    sums: dict[tuple[str, str, int], int] = {}
    for item in bookings:
        for posting in item.postings:
            key = (posting.account, item.currency, item.scale)
            sums[key] = sums.get(key, 0) + posting.minor
    if not bookings:
        return
    day = bookings[-1].date + dt.timedelta(days=1)
    for (name, currency, scale), minor in sorted(sums.items()):
        yield f"{day} balance {name}  {format_minor(minor, scale)} ~ 0 {currency}"


def _quoted(text: str) -> str:
    return '"' + one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
