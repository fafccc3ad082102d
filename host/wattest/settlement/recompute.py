"""Check a logged statement by drawing it again from the evidence before its cut-off.

Steps, in this order; the first that fails raises:

    1. the body is a statement of this format and engine version
    2. its terms are in the ledger before the cut-off
    3. settling the evidence before the cut-off gives the same bytes
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wattest.errors import SettlementError, VerificationError
from wattest.settlement.engine import settle
from wattest.settlement.estimate import Estimate
from wattest.settlement.reading import MeteringNode, SettlementReading
from wattest.settlement.render import read_statement
from wattest.settlement.statement import ENGINE_VERSION, Cutoff, State, Statement
from wattest.settlement.terms import Terms, Window


def recompute(
    body: bytes,
    *,
    terms: Mapping[bytes, Terms],
    readings: Iterable[SettlementReading],
    nodes: Iterable[MeteringNode],
    estimates: Iterable[Estimate] = (),
) -> Statement:
    """Draw a logged statement again and compare.

    The caller checks that ``cutoff`` of the result is a checkpoint of the ledger.

    Args:
        body: the logged statement.
        terms: terms of the ledger by their hash.
        readings: every verified record before the cut-off at least; later ones are left out here,
            but a time derived from an event after the cut-off must not be among them.
        nodes: enrolments; later ones are left out here.
        estimates: logged ones; later ones are left out here.

    Raises:
        VerificationError: names the step, and the place in the document where they differ.
    """
    try:
        document = read_statement(body)
        cutoff, period, generation, final, digest = _request(document)
    except (SettlementError, KeyError, TypeError, ValueError) as exc:
        raise VerificationError(f"step 1: a statement expected: {exc}") from exc
    if document.get("engine") != ENGINE_VERSION:
        raise VerificationError(
            f"step 1: engine version {ENGINE_VERSION} expected, got {document.get('engine')}"
        )
    if digest not in terms:
        raise VerificationError(f"step 2: terms {digest.hex()} expected in the ledger, got none")
    try:
        statement = settle(
            terms[digest],
            [reading for reading in readings if reading.index < cutoff.size],
            period,
            nodes=[node for node in nodes if node.index < cutoff.size],
            cutoff=cutoff,
            generation=generation,
            final=final,
            estimates=[estimate for estimate in estimates if estimate.index < cutoff.size],
            opening=document.get("opening"),
        )
    except SettlementError as exc:
        raise VerificationError(f"step 3: the evidence cannot be settled: {exc}") from exc
    if statement.to_cbor() != body:
        place = _first_difference("", statement.to_document(), document)
        raise VerificationError(f"step 3: recomputed statement differs at {place}")
    return statement


def _request(document: Mapping[str, Any]) -> tuple[Cutoff, Window, int, bool, bytes]:
    """Return what has to be settled again; a document of another shape raises."""
    size, root = document["cutoff"]["size"], document["cutoff"]["root"]
    start_ms, end_ms = document["period"]
    generation, digest = document["generation"], document["terms"]
    if not all(type(number) is int for number in (size, start_ms, end_ms, generation)):
        raise TypeError("whole numbers for cutoff, period and generation")
    if type(document.get("opening", 0)) is not int:
        raise TypeError("a whole number for opening")
    if not (isinstance(root, bytes) and isinstance(digest, bytes)):
        raise TypeError("byte strings for root and terms")
    return (
        Cutoff(size=size, root=root),
        Window(start_ms=start_ms, end_ms=end_ms),
        generation,
        State(document["state"]) is State.FINAL,
        digest,
    )


def _first_difference(path: str, ours: Any, logged: Any) -> str:
    """Return where two documents differ first, such as ``lines[0].amount``: expected, got."""
    if isinstance(ours, dict) and isinstance(logged, dict):
        for key in sorted({*ours, *logged}, key=str):
            if key not in ours or key not in logged or ours[key] != logged[key]:
                place = f"{path}.{key}" if path else str(key)
                return _first_difference(place, ours.get(key), logged.get(key))
    if isinstance(ours, list) and isinstance(logged, list) and len(ours) == len(logged):
        for number, (mine, theirs) in enumerate(zip(ours, logged, strict=True)):
            if mine != theirs:
                return _first_difference(f"{path}[{number}]", mine, theirs)
    return f"{path}: {_show(ours)} expected, got {_show(logged)}"


def _show(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
