"""What agreements and statements do to a contract's accounts.

A pure fold: the same entries in the same order give the same transfers under the same ids.

    FUND     external -> buyer:cash -> buyer:escrow                               payments.py
    RESERVE  what is free in escrow is pending to seller:income while a period runs
    SETTLE   the reserve is let go; undisputed lines are posted, disputed parts held pending
    RESOLVE  a part of what is held is posted, the rest let go                 dispute_acts.py
    CLOSE    deposit and escrow go back, less damages

A statement's lines and commissions have targets: so much posted, so much held. Every event moves
the difference between what stands in the book and the newest targets, so a later generation posts
differences of rounded totals and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from wattest.errors import SettlementError
from wattest.settlement.accounts import CASH, DEPOSIT, DUE, ESCROW, INCOME
from wattest.settlement.amounts import Amounts, amounts_with, settled_from
from wattest.settlement.contract_account import ContractAccount, PeriodAccount
from wattest.settlement.disputes import (
    EXPIRY_PERIODS,
    Claim,
    DisputeCase,
    DisputeState,
    split,
    struck,
)
from wattest.settlement.movements import NO_HOLD, RESERVE, FeeKey, Key, LineKey, Moves
from wattest.settlement.period import period_at, periods_within
from wattest.settlement.revision import Extremes, amounts_of
from wattest.settlement.terms import Basis, Terms, Window, find_line
from wattest.wire import cbor


def run_id(document: Mapping[str, Any]) -> bytes:
    """Return the id of the settlement run that drew a statement, 32 bytes.

    It names the contract, the period, the generation, the terms, the evidence and the engine: all
    that the statement is a function of.
    """
    cutoff = document["cutoff"]
    return hashlib.sha256(
        cbor.encode(
            [
                document["contract"],
                list(document["period"]),
                document["generation"],
                document["terms"],
                cutoff["size"],
                cutoff["root"],
                document["engine"],
            ]
        )
    ).digest()


def take_agreement(
    contract: ContractAccount, index: int, origin: bytes, *, party: str, terms: bytes
) -> None:
    """Take an agreement to terms; with the second one, what is settled already is posted.

    Terms come into force when the second party agrees, once: an old agreement that is logged again
    brings nothing back.
    """
    problem = contract.strangers_to(terms)
    if problem:
        contract.problems.append((index, problem))
        return
    before = contract.signed(terms)
    contract.agreed.setdefault(terms, set()).add(party)
    if contract.signed(terms) and not before:
        contract.newest = terms
        contract.first = contract.first or terms
        moves = contract.moves(index, origin)
        refresh(contract, [p for p in contract.periods.values() if p.terms == terms], moves)
        tidy(contract, index, moves)


def take_statement(contract: ContractAccount, index: int, document: Mapping[str, Any]) -> None:
    """Take a statement: the next generation of its period.

    Raises:
        SettlementError: its amounts do not follow from its own quantities; nothing was changed.
    """
    problem = _refuse(contract, document)
    if problem:
        contract.problems.append((index, problem))
        return
    start, end = document["period"]
    known = contract.periods.get(start)
    account = known or PeriodAccount(period=Window(start_ms=start, end_ms=end))
    contract.periods[start] = account
    account.document, account.index = document, index
    account.generations.append(index)
    if document["state"] == "final":
        account.final = index
    touched = [account]
    if known is None:
        touched += _expire(contract, index, account.period)
    moves = contract.moves(index, run_id(document))
    refresh(contract, touched, moves)
    tidy(contract, index, moves)


def _refuse(contract: ContractAccount, document: Mapping[str, Any]) -> str:
    """Say why a statement cannot be taken, or nothing.

    Raises:
        SettlementError: it is no statement of these terms at all.
    """
    terms = contract.terms[document["terms"]]
    _check_amounts(terms, document)
    start, end = document["period"]
    period = Window(start_ms=start, end_ms=end)
    if period_at(terms, start) != period:
        return "a settlement period of the terms expected"
    account = contract.periods.get(start)
    one_cut = len(contract.terms) == 1  # periods of one set of terms share no time
    for other in () if one_cut else contract.periods.values():
        shared = other.period.start_ms < end and start < other.period.end_ms
        if shared and other.period != period:
            return f"no period of a statement before expected, that of entry {other.index} is"
    expected = 1 if account is None else len(account.generations) + 1
    if account is not None and account.final is not None:
        return f"the period is final since entry {account.final}"
    if document["generation"] != expected:
        return f"generation {expected} expected, got {document['generation']}"
    return ""


def _check_amounts(terms: Terms, document: Mapping[str, Any]) -> None:
    """A statement must come to the same amounts when its own quantities are priced again."""
    try:
        run_id(document)
        stated = amounts_of(document)
        priced = amounts_with(settled_from(terms, document), {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SettlementError(f"a statement of these terms expected: {error}") from error
    if stated != priced:
        raise SettlementError(
            f"contract {terms.contract}: {priced.total} minor units expected for the quantities "
            f"it states, got {stated.total}"
        )


def refresh(contract: ContractAccount, accounts: Sequence[PeriodAccount], moves: Moves) -> None:
    """Move the difference between what is posted and held in periods and what should be."""
    for number, account in enumerate(accounts):
        if not contract.signed(account.terms):
            continue
        found = extremes(contract, account)
        low, high = found.buyer, found.seller
        if low.total > high.total:
            low, high = high, low
        seller = contract.terms[account.terms].seller
        moves.place = f"{account.period.start_ms} " if number else ""
        _move_to(contract, account, _targets(low, seller), _targets(high, seller), moves)
        moves.place = ""


def tidy(contract: ContractAccount, index: int, moves: Moves) -> None:
    """Pay debts out of escrow, close what is over, reserve what is free."""
    if contract.closed is None and _is_over(contract):
        release_reserve(contract, moves)
        _close(contract, moves)
        contract.closed = index
    if moves.debt and moves.available(ESCROW) <= 0:
        release_reserve(contract, moves)
    moves.post(ESCROW, DUE, min(moves.debt, max(0, moves.available(ESCROW))), "debt")
    if contract.closed is not None:
        moves.post(ESCROW, CASH, max(0, moves.available(ESCROW)), "returned")
    elif contract.signed(contract.newest):
        held = moves.hold(ESCROW, INCOME, max(0, moves.available(ESCROW)), RESERVE)
        contract.reserves += [held] if held else []


def release_reserve(contract: ContractAccount, moves: Moves) -> None:
    """Let go of what is reserved; ``tidy`` reserves again what is free then."""
    moves.release(contract.reserves)
    contract.reserves.clear()


def extremes(contract: ContractAccount, account: PeriodAccount) -> Extremes:
    """Return the amounts of a period when the buyer, and when the seller, is right.

    Where no dispute of the period is open, both are the same.
    """
    as_drawn = amounts_of(account.document)
    terms = contract.terms[account.terms]
    buyer: dict[str, dict[int, int]] = {}
    seller: dict[str, dict[int, int]] = {}
    for case in contract.disputes.values():
        for claim in case.claims:
            about = claim.period == account.period and _can_be_disputed(terms, claim.code)
            if about and case.state is not DisputeState.EXPIRED:
                counts = disputed_counts(contract, account, case, claim)
                for_buyer, for_seller = _sides(terms, case, claim, counts)
                _add(buyer, claim.code, for_buyer)
                _add(seller, claim.code, for_seller)
    if not (buyer or seller):
        return Extremes(buyer=as_drawn, seller=as_drawn)
    settled = settled_from(terms, account.document)
    return Extremes(
        buyer=amounts_with(settled, buyer, clip=True) if buyer else as_drawn,
        seller=amounts_with(settled, seller, clip=True) if seller else as_drawn,
    )


def _can_be_disputed(terms: Terms, code: str) -> bool:
    """Whether terms have a line, for a dispute may be older than the terms of a statement."""
    return any(line.code == code and line.needs.basis is not Basis.NOTHING for line in terms.lines)


def _sides(
    terms: Terms, case: DisputeCase, claim: Claim, counts: Mapping[int, int]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Return what is otherwise than the statement says, as the buyer and as the seller has it.

    Of a resolved dispute both are the same. What is granted is decided for the seller: a quantity
    that was delivered after all, time that was up, time that was active.
    """
    whole = sum(counts.values())
    given = [0, whole] if case.granted is None else [min(case.granted, whole)] * 2
    if case.on_top:
        shares = [{label: -n for label, n in split(counts, part).items()} for part in given]
    else:
        line = find_line(terms, claim.code)
        shares = [struck(line, counts, part) for part in given]
    return shares[0], shares[1]


def disputed_counts(
    contract: ContractAccount, account: PeriodAccount, case: DisputeCase, claim: Claim
) -> Mapping[int, int]:
    """Return the disputed counts of a claim by time-of-use window: base counts or ms."""
    terms = contract.terms[account.terms]
    if case.quantity is not None and not find_line(terms, claim.code).needs.windows:
        return {-1: case.quantity}
    metered = contract.evidence.metered(account.document, terms, claim)
    if case.quantity is None:
        return metered
    return split(metered, case.quantity) if sum(metered.values()) else {-1: case.quantity}


def _add(removed: dict[str, dict[int, int]], code: str, counts: Mapping[int, int]) -> None:
    """Add counts that are not 0."""
    for label, count in counts.items():
        if count:
            known = removed.setdefault(code, {})
            known[label] = known.get(label, 0) + count


def _targets(amounts: Amounts, seller: str) -> dict[Key, int]:
    """Return what every line and every broker's fee should have; 0 where nothing."""
    targets: dict[Key, int] = {LineKey(code): minor for code, minor in amounts.lines}
    return targets | {FeeKey(p): minor for p, minor in amounts.payouts if p != seller}


def _move_to(
    contract: ContractAccount,
    account: PeriodAccount,
    low: Mapping[Key, int],
    high: Mapping[Key, int],
    moves: Moves,
) -> None:
    left: dict[Key, int] = {}
    for key in (*low, *(key for key in account.posted if key not in low)):
        due = low.get(key, 0) - account.posted.get(key, 0)
        wanted = high.get(key, 0) - low.get(key, 0)
        if due or wanted != account.holds.get(key, NO_HOLD).amount:
            left[key] = due
    if not left:
        return
    release_reserve(contract, moves)
    for key, due in left.items():
        left[key] = moves.end(account.holds.pop(key, NO_HOLD), due)
        account.posted[key] = low.get(key, 0)
    for key, due in sorted(left.items(), key=lambda item: item[1] > 0):  # what comes back first
        _charge(contract, account, key, due, moves)
    for key in left:
        wanted = high.get(key, 0) - low.get(key, 0)
        if wanted:
            account.holds[key] = moves.withhold(key, wanted)


def _charge(
    contract: ContractAccount, account: PeriodAccount, key: Key, due: int, moves: Moves
) -> None:
    """Move what a key is due; what falls due once falls due in one period only."""
    if not due or not isinstance(key, LineKey) or not _is_once(account, key.code):
        moves.charge(key, due)
        return
    place = contract.once.setdefault(key.code, account.period.start_ms)
    if place != account.period.start_ms:
        text = f"line {key.code}: charged once already, not a second time"
        contract.problems.append((account.index, text))
        account.posted[key] -= due  # nothing moved, so nothing can come back
    elif len(account.generations) == 1:
        moves.charge_once(key.code, due)
    else:
        moves.charge(key, due)


def _is_once(account: PeriodAccount, code: str) -> bool:
    lines = account.document["lines"]
    return any(line["code"] == code and line.get("once", False) for line in lines)


def _expire(contract: ContractAccount, index: int, period: Window) -> list[PeriodAccount]:
    """Count a newly settled period for older disputes; return the periods this changes.

    Only the periods count that follow directly on what was disputed and settled: statements far
    ahead, which nobody can draw honestly, let no dispute expire.
    """
    touched: list[PeriodAccount] = []
    for case in contract.open_disputes:
        if period.start_ms != case.next_ms:
            continue
        case.later += 1
        case.next_ms = period.end_ms
        if case.later >= EXPIRY_PERIODS:
            case.state, case.closed = DisputeState.EXPIRED, index
            touched += [p for p in periods_of(contract, case) if p not in touched]
    return touched


def periods_of(contract: ContractAccount, case: DisputeCase) -> list[PeriodAccount]:
    """Return the settled periods that a dispute is about."""
    starts = dict.fromkeys(claim.period.start_ms for claim in case.claims)
    return [contract.periods[start] for start in starts if start in contract.periods]


def held_for(contract: ContractAccount, case: DisputeCase) -> int:
    """Return what is held in the periods of an open dispute, minor units of the lines' sum.

    Several disputes of one period hold together; what is held stands with each of them.
    """
    if not case.is_open:
        return 0
    return sum(
        hold.amount
        for account in periods_of(contract, case)
        for key, hold in account.holds.items()
        if isinstance(key, LineKey)
    )


def _is_over(contract: ContractAccount) -> bool:
    """Whether the contract has ended, every period of it is final and nothing is disputed."""
    terms: Terms = contract.terms_now
    accounts = contract.periods.values()
    if terms.end_ms is None or not accounts or contract.open_disputes:
        return False
    if not contract.signed(contract.newest) or any(each.final is None for each in accounts):
        return False
    first_ms = min(contract.periods) if terms.start_ms is None else terms.start_ms
    try:
        expected = list(periods_within(terms, first_ms, terms.end_ms))
    except SettlementError:  # more periods than anybody settles
        return False
    return all(period.start_ms in contract.periods for period in expected)


def _close(contract: ContractAccount, moves: Moves) -> None:
    """Take damages out of the deposit and let the rest of it go."""
    taken = moves.end_with(contract.deposits, contract.damages)
    moves.post(DEPOSIT, INCOME, taken, "damage")
