"""Where contracts and their periods stand: from the log, and from the time that is handed in.

    contract  DRAFT -> SIGNED -> FUNDED -> ACTIVE -> CLOSED
    period    OPEN -> CUTOFF -> SETTLED -> DISPUTED or FINAL

The time decides only when a statement is due. What a statement, a dispute or a payment does is
decided by its place in the log, so that the same log always means the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.period import periods_within
from wattest.settlement.terms import Terms, Window


class PeriodState(StrEnum):
    """Where a period stands."""

    OPEN = "open"
    """It runs, or records may still be on their way."""
    CUTOFF = "cutoff"
    """Its statement is due."""
    SETTLED = "settled"
    """It has a statement; late records may make another generation."""
    DISPUTED = "disputed"
    """A part of it is held until a dispute ends."""
    FINAL = "final"
    """Nothing changes it any more."""


class ContractState(StrEnum):
    """Where a contract stands."""

    DRAFT = "draft"
    """Its terms are logged; not both parties have agreed."""
    SIGNED = "signed"
    FUNDED = "funded"
    """Signed, and money came into escrow."""
    ACTIVE = "active"
    """Signed, and its first instant has come."""
    CLOSED = "closed"
    """Over: reserves were let go and the deposit went back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodStatus:
    """One period and where it stands.

    Args:
        period: its window.
        state: where it stands.
        generation: of its newest statement, 0: none.
        cutoff_ms: from when its statement may be drawn, UTC ms.
        final_ms: from when nothing later is accepted, UTC ms.
    """

    period: Window
    state: PeriodState
    generation: int
    cutoff_ms: int
    final_ms: int


def cutoff_ms(terms: Terms, period: Window) -> int:
    """Return from when a period's statement may be drawn, UTC ms."""
    return period.end_ms + terms.policy.cutoff_delay_ms


def final_ms(terms: Terms, period: Window) -> int:
    """Return from when no more records of a period are accepted, UTC ms."""
    return max(period.end_ms + terms.policy.final_after_ms, cutoff_ms(terms, period))


def due_periods(terms: Terms, *, start_ms: int, end_ms: int, now_ms: int) -> Iterator[Window]:
    """Yield the periods of the evidence whose statement may be drawn by now, in order.

    Args:
        terms: of the contract.
        start_ms: begin of the evidence, UTC ms.
        end_ms: its end.
        now_ms: UTC ms.
    """
    for period in periods_within(terms, start_ms, min(now_ms, end_ms)):
        if cutoff_ms(terms, period) <= now_ms:
            yield period


def period_state(contract: ContractAccount, period: Window, *, now_ms: int) -> PeriodState:
    """Return where a period of a contract stands at a time."""
    account = contract.periods.get(period.start_ms)
    if account is None:
        due = cutoff_ms(contract.terms_now, period) <= now_ms
        return PeriodState.CUTOFF if due else PeriodState.OPEN
    if contract.disputed(account.period):
        return PeriodState.DISPUTED
    return PeriodState.SETTLED if account.final is None else PeriodState.FINAL


def periods_of(contract: ContractAccount, *, start_ms: int, now_ms: int) -> Iterator[PeriodStatus]:
    """Yield the periods of a contract from an instant to now, those with a statement always.

    Args:
        contract: its account.
        start_ms: when its evidence begins, UTC ms.
        now_ms: UTC ms.
    """
    known = {account.period.start_ms: account.period for account in contract.periods.values()}
    within = periods_within(contract.terms_now, start_ms, now_ms)
    known |= {period.start_ms: period for period in within}
    for start in sorted(known):
        period = known[start]
        account = contract.periods.get(start)
        terms = contract.terms_now if account is None else contract.terms[account.terms]
        yield PeriodStatus(
            period=period,
            state=period_state(contract, period, now_ms=now_ms),
            generation=0 if account is None else len(account.generations),
            cutoff_ms=cutoff_ms(terms, period),
            final_ms=final_ms(terms, period),
        )


def contract_state(contract: ContractAccount, *, now_ms: int) -> ContractState:
    """Return where a contract stands at a time."""
    if contract.closed is not None:
        return ContractState.CLOSED
    if not contract.signed(contract.newest):
        return ContractState.DRAFT
    start_ms = contract.terms_now.start_ms
    if contract.periods or (start_ms is not None and start_ms <= now_ms):
        return ContractState.ACTIVE
    return ContractState.FUNDED if contract.funded else ContractState.SIGNED
