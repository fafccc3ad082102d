"""What a finished run amounts to: the table people read and the document scripts read."""

from __future__ import annotations

from typing import Any

from wattest.cli.output import bad, good, marked, print_table
from wattest.cli.statements import placed_json, settled, statement_line
from wattest.operations.events import FaultJudged, NodeTotals, RunFinished, RunStarted
from wattest.verify import Finding

_HEAD = ("node", "import Wh", "metered", "export Wh", "metered", "error %", "limit %", "readings")


def show(started: RunStarted, finished: RunFinished) -> None:
    """Print the summary table, findings, faults, statements, checkpoint and the verdict."""
    rows = [_row(totals) for totals in finished.nodes]
    if len(rows) != 1:
        rows.append(_row(finished.total))
    print_table(_HEAD, rows)
    print()
    _show_findings(started, finished)
    for fault in finished.faults:
        print(_fault_line(fault))
    for drawn in finished.statements:
        print(statement_line(drawn))
    size, root = _checkpoint(finished.checkpoint)
    print(f"ledger: {finished.entries} entries, checkpoint size {size}, root {root}")
    show_verdict(finished, out=started.out)


def show_verdict(finished: RunFinished, *, out: str) -> None:
    """Print where the run is kept, if it is, and whether every verdict is as expected."""
    if out:
        print(f"kept in {out}: wattest verify {out}")
    if finished.passed:
        print(good("PASS: every verdict is as the scenario expects"))
    for reason in finished.reasons:
        print(bad(f"FAIL: {reason}"))
    if not finished.passed and not finished.reasons:
        print(bad("FAIL: a verdict is not as the scenario expects"))


def as_json(started: RunStarted, finished: RunFinished) -> dict[str, Any]:
    """Return the run as plain values; energies in watt-hours, amounts as decimal strings."""
    return {
        "scenario": started.scenario,
        "seed": started.seed,
        "passed": finished.passed,
        "reasons": list(finished.reasons),
        **_energies(finished.total),
        "findings": [_finding_json(finding) for finding in finished.findings],
        "settled": settled(finished.statements),
        "checkpoint": finished.checkpoint,
        "entries": finished.entries,
        "nodes": [{"node": totals.node, **_energies(totals)} for totals in finished.nodes],
        "faults": [_fault_json(fault) for fault in finished.faults],
        "statements": [
            placed_json(drawn.index, drawn.statement.to_document())
            for drawn in finished.statements
        ],
        "out": started.out,
    }


def _row(totals: NodeTotals) -> tuple[str, ...]:
    return (
        totals.node,
        totals.load_import_wh,
        totals.metered_import_wh,
        totals.load_export_wh,
        totals.metered_export_wh,
        totals.error_percent,
        totals.error_limit_percent,
        str(totals.readings),
    )


def _energies(totals: NodeTotals) -> dict[str, Any]:
    return {
        "load_import_wh": float(totals.load_import_wh),
        "load_export_wh": float(totals.load_export_wh),
        "metered_import_wh": float(totals.metered_import_wh),
        "metered_export_wh": float(totals.metered_export_wh),
        "error_percent": float(totals.error_percent),
        "error_limit_percent": float(totals.error_limit_percent),
        "readings": totals.readings,
    }


def _show_findings(started: RunStarted, finished: RunFinished) -> None:
    if not finished.findings:
        print("findings: none")
        return
    names = {node.kid: node.name for node in started.nodes}
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in finished.findings:
        node = names.get(finding.kid, "no known node")
        grouped.setdefault((node, finding.code.value), []).append(finding)
    print("findings:")
    for (node, code), found in sorted(grouped.items()):
        times = f" ({len(found)} times)" if len(found) > 1 else ""
        print(f"  {node}: {marked(code)}{times}: {found[0].message}")


def _fault_line(fault: FaultJudged) -> str:
    verdict = good("as expected") if fault.passed else bad(f"expected {fault.expected}")
    return f"fault: {fault.node}: {fault.kind} was answered with {fault.got}: {verdict}"


def _fault_json(fault: FaultJudged) -> dict[str, Any]:
    return {
        "node": fault.node,
        "kind": fault.kind,
        "expected": fault.expected,
        "got": fault.got,
        "passed": fault.passed,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code.value,
        "severity": finding.severity.name.lower(),
        "kid": finding.kid.hex(),
        "ctx": finding.ctx,
        "seq": finding.seq,
        "message": finding.message,
        "evidence": dict(finding.evidence),
    }


def _checkpoint(note: str) -> tuple[str, str]:
    """Return size and root of a checkpoint note: its second and third line."""
    lines = note.splitlines()
    return (lines[1], lines[2]) if len(lines) > 2 else ("0", "none")
