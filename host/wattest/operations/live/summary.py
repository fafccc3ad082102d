"""The end of a live collection: what it amounts to, as an event and for run.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from wattest.ledger import Ledger
from wattest.operations.events import NodeTotals, RunFinished
from wattest.twin import TwinState
from wattest.units import format_decimal
from wattest.verify import Finding, Severity

_UNKNOWN = ""


def finished(
    *,
    now_ms: int,
    ledger: Ledger,
    twins: Sequence[TwinState],
    readings: Mapping[str, int],
    findings: Sequence[Finding],
) -> tuple[RunFinished, dict[str, Any]]:
    """Sum up: registers as the nodes last stated them, beside no truth, because nobody knows it.

    Args:
        now_ms: the host's clock.
        ledger: of the collection.
        twins: newest state of every node.
        readings: logged by this collector, by node.
        findings: of severity warning and above.

    Returns:
        The event, and what run.json keeps of it.
    """
    nodes = tuple(_totals(twin, readings[twin.name]) for twin in twins)
    signed = ledger.checkpoint()
    errors = Counter(f.code.value for f in findings if f.severity >= Severity.ERROR)
    reasons = tuple(f"{code}: {count} times" for code, count in sorted(errors.items()))
    event = RunFinished(
        now_ms=now_ms,
        passed=not reasons,
        nodes=nodes,
        total=_sum(nodes, twins),
        findings=tuple(findings),
        faults=(),
        statements=(),
        checkpoint=signed.note.decode() if signed else "",
        entries=ledger.size,
        reasons=reasons,
    )
    values = {
        "passed": event.passed,
        "reasons": list(event.reasons),
        "nodes": [_node(twin, totals) for twin, totals in zip(twins, nodes, strict=True)],
        "total": asdict(event.total),
        "findings": dict(sorted(Counter(f.code.value for f in findings).items())),
        "faults": [],
        "entries": event.entries,
        "checkpoint": event.checkpoint,
    }
    return event, values


def _totals(twin: TwinState, readings: int) -> NodeTotals:
    energies = twin.energies
    return NodeTotals(
        node=twin.name,
        load_import_wh=_UNKNOWN,
        load_export_wh=_UNKNOWN,
        metered_import_wh=_wh(energies.import_milliwatthours if energies else 0),
        metered_export_wh=_wh(energies.export_milliwatthours if energies else 0),
        error_percent=_UNKNOWN,
        error_limit_percent=_UNKNOWN,
        readings=readings,
    )


def _sum(nodes: Sequence[NodeTotals], twins: Sequence[TwinState]) -> NodeTotals:
    known = [twin.energies for twin in twins if twin.energies is not None]
    return NodeTotals(
        node="all",
        load_import_wh=_UNKNOWN,
        load_export_wh=_UNKNOWN,
        metered_import_wh=_wh(sum(energies.import_milliwatthours for energies in known)),
        metered_export_wh=_wh(sum(energies.export_milliwatthours for energies in known)),
        error_percent=_UNKNOWN,
        error_limit_percent=_UNKNOWN,
        readings=sum(totals.readings for totals in nodes),
    )


def _wh(milliwatthours: int) -> str:
    return format_decimal(Fraction(milliwatthours, 1000), 3)


def _node(twin: TwinState, totals: NodeTotals) -> dict[str, Any]:
    return {
        "name": twin.name,
        "asset": twin.asset,
        "serial": twin.serial,
        "kid": twin.kid.hex() if twin.kid else "",
        **asdict(totals),
    }
