"""What disputes and resolutions do to a contract's accounts."""

from __future__ import annotations

from wattest.errors import SettlementError
from wattest.settlement.contract_account import ContractAccount
from wattest.settlement.disputes import Claim, DisputeCase, DisputeState
from wattest.settlement.period import period_at
from wattest.settlement.postings import periods_of, refresh, tidy
from wattest.settlement.terms import Basis, find_line
from wattest.wire.act import ResolutionAct


def take_dispute(contract: ContractAccount, case: DisputeCase, origin: bytes) -> None:
    """Take a dispute: what depends on it is held from now on, in settled periods too.

    Args:
        contract: whose.
        case: what is disputed; nothing happens yet where its period has no statement.
        origin: digest of what the entry says, 32 bytes.
    """
    terms = contract.terms_now
    if case.party not in ("", terms.seller, terms.buyer):
        text = f"{terms.seller} or {terms.buyer} expected, got {case.party}"
        contract.problems.append((case.index, text))
        return
    if case.on_top and case.quantity is None:
        text = "how much more was delivered expected, for the seller disputes a quantity"
        contract.problems.append((case.index, text))
        return
    problems = {claim: problem for claim in case.claims if (problem := _refuse(contract, claim))}
    if not case.party:  # the evidence disputes what nobody disputes already, and is open to it
        case.claims = tuple(claim for claim in case.claims if claim not in problems)
    if not case.claims or (case.party and problems):
        why = next(iter(problems.values()), "nothing of this contract is disputed")
        contract.problems.append((case.index, why))
        return
    settled = [each.period.end_ms for each in contract.periods.values()]
    case.next_ms = max(*(claim.period.end_ms for claim in case.claims), *settled, 0)
    contract.disputes[case.digest] = case
    moves = contract.moves(case.index, origin)
    refresh(contract, periods_of(contract, case), moves)
    tidy(contract, case.index, moves)


def take_resolution(
    contract: ContractAccount, index: int, origin: bytes, act: ResolutionAct
) -> None:
    """Take what a party says of a dispute.

    It takes effect when seller and buyer said the same, or the terms' arbiter said it.
    """
    case = contract.disputes.get(act.dispute)
    if case is None or not case.is_open:
        state = "none" if case is None else f"one that is {case.state.value}"
        contract.problems.append((index, f"an open dispute expected, got {state}"))
        return
    terms = contract.terms_now
    case.said[act.party] = (act.granted, index)
    both = [case.said.get(party, (None, 0))[0] for party in (terms.seller, terms.buyer)]
    if act.party != terms.arbiter and both != [act.granted, act.granted]:
        return
    case.state, case.granted, case.closed = DisputeState.RESOLVED, act.granted, index
    moves = contract.moves(index, origin)
    refresh(contract, periods_of(contract, case), moves)
    tidy(contract, index, moves)


def _refuse(contract: ContractAccount, claim: Claim) -> str:
    """Say why a claim cannot be taken, or nothing."""
    window = claim.window
    try:
        basis = find_line(contract.terms_now, claim.code).needs.basis
        whole = period_at(contract.terms_now, claim.period.start_ms)
    except SettlementError as error:
        return str(error)
    if basis is Basis.NOTHING:
        return f"nothing of line {claim.code} can be disputed"
    inside = whole.start_ms <= window.start_ms < window.end_ms <= whole.end_ms
    if whole != claim.period or not inside:
        return "a window inside of a settlement period expected"
    if any(known.touches(claim) for known in contract.open_disputes):
        return "one open dispute for an interval expected, there is one already"
    account = contract.periods.get(claim.period.start_ms)
    if account is None or account.final is None:
        return ""
    if contract.evidence.arrived_late(contract.terms_now, window, account.size):
        return ""
    return f"the period is final since entry {account.final}"
