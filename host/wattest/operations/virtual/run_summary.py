"""The end of a run: what it amounts to, and the files that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import reduce
from operator import add
from typing import Any

from wattest import __version__
from wattest.operations.events import NodeTotals, RunFinished, StatementDrawn
from wattest.operations.kept.statement_files import statement_files
from wattest.operations.rundir import CHECKPOINT_KEY, RunDir, write_whole
from wattest.operations.settler import Drawn
from wattest.operations.virtual.rig import VirtualRig
from wattest.operations.virtual.totals import Comparison, Metered, compare
from wattest.scenario import PreparedNode
from wattest.units import NS_PER_MS


def finish(rig: VirtualRig, *, stopped: bool) -> RunFinished:
    """Sum up a run and, if it is kept, write everything that is not in the ledger.

    Args:
        rig: after its statements were logged.
        stopped: a person ended it early.
    """
    compared = {node.spec.name: _compare(rig, node) for node in rig.prepared.nodes}
    nodes = tuple(comparison.totals(name) for name, comparison in compared.items())
    total = reduce(add, compared.values())
    signed = rig.ledger.checkpoint()
    reasons = tuple(_reasons(rig, compared, stopped=stopped))
    finished = RunFinished(
        now_ms=rig.now_ms,
        passed=not reasons,
        nodes=nodes,
        total=total.totals("all"),
        findings=tuple(rig.findings),
        faults=tuple(rig.conductor.judged),
        statements=tuple(_event(rig, drawn) for drawn in rig.drawn),
        checkpoint=signed.note.decode() if signed else "",
        entries=rig.ledger.size,
        reasons=reasons,
    )
    if rig.run_dir is not None:
        _write(rig, rig.run_dir, finished, stopped=stopped)
    return finished


def _compare(rig: VirtualRig, node: PreparedNode) -> Comparison:
    name = node.spec.name
    record = rig.last_records.get(name)
    metered = Metered(
        import_milliwatthours=(record.import_milliwatthours or 0) if record else 0,
        export_milliwatthours=(record.export_milliwatthours or 0) if record else 0,
        readings=rig.readings.get(name, 0),
    )
    epoch_ms = rig.scenario.epoch_ms
    return compare(
        node,
        metered,
        duration_ns=rig.elapsed_ns,
        interval_ms=rig.scenario.interval_ms,
        unmetered=tuple(
            ((first - epoch_ms) * NS_PER_MS, (last - epoch_ms) * NS_PER_MS)
            for first, last in rig.conductor.watch.power_cuts(name)
        ),
    )


def _reasons(rig: VirtualRig, compared: dict[str, Comparison], *, stopped: bool) -> Iterator[str]:
    """Say what is not as the scenario expects; nothing means the run passed.

    A run that was stopped has no closing readings, so its energy is not judged.
    """
    if stopped:
        yield "stopped before its end"
    for fault in rig.conductor.judged:
        if not fault.passed:
            yield f"{fault.node}: {fault.kind}: expected {fault.expected}, got {fault.got}"
    for node, what in rig.conductor.watch.unexplained:
        yield f"{node}: unexpected {what}"
    if stopped:
        return
    for name in rig.unanswered:
        if not rig.conductor.watch.tampered(name):
            yield f"{name}: gave no closing reading"
    for name, comparison in compared.items():
        if not rig.conductor.watch.tampered(name) and not comparison.within:
            totals = comparison.totals(name)
            yield (
                f"{name}: energy error {totals.error_percent} % is beyond the "
                f"{totals.error_limit_percent} % that was declared"
            )


def _event(rig: VirtualRig, drawn: Drawn) -> StatementDrawn:
    return StatementDrawn(
        now_ms=rig.now_ms,
        contract=drawn.contract,
        statement=drawn.statement,
        index=drawn.index,
    )


def describe(rig: VirtualRig) -> dict[str, Any]:
    """Return what run.json says of a run that has begun and not ended."""
    scenario = rig.scenario
    return {
        "wattest": __version__,
        CHECKPOINT_KEY: rig.signer.verifier.to_text(),
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "epoch_ms": scenario.epoch_ms,
        "duration_ns": scenario.duration_ns,
        "interval_ms": scenario.interval_ms,
        "demo_keys": True,
        "nodes": [_info(rig, name) for name in rig.enrolled],
        "finished": False,
    }


def _write(rig: VirtualRig, run: RunDir, finished: RunFinished, *, stopped: bool) -> None:
    for drawn in rig.drawn:
        assert drawn.index is not None, "settle() logged it"
        for name, content in statement_files(drawn.statement.to_cbor(), index=drawn.index).items():
            write_whole(run.statements / name, content)
    run.write_json(
        {
            **describe(rig),
            "finished": True,
            "stopped": stopped,
            "passed": finished.passed,
            "reasons": list(finished.reasons),
            "nodes": [_node(rig, totals) for totals in finished.nodes],
            "total": asdict(finished.total),
            "findings": dict(sorted(Counter(f.code.value for f in finished.findings).items())),
            "faults": [asdict(fault) for fault in finished.faults],
            "entries": finished.entries,
            "checkpoint": finished.checkpoint,
        }
    )
    run.write_digests()


def _node(rig: VirtualRig, totals: NodeTotals) -> dict[str, Any]:
    return {**_info(rig, totals.node), **asdict(totals)}


def _info(rig: VirtualRig, name: str) -> dict[str, Any]:
    info = asdict(rig.info(name))
    return {**info, "kid": info["kid"].hex()}
