"""Settlement cases as JSON for the page's engine, with the bytes that the Python engine gives."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wattest.settlement import (
    Cutoff,
    MeteringNode,
    SettlementReading,
    Terms,
    Window,
    terms_to_cbor,
)

RUNNER = Path(__file__).resolve().parent / "run_settle.mjs"


def reading_form(reading: SettlementReading) -> dict[str, Any]:
    return {
        "kid": reading.kid.hex(),
        "ctx": reading.ctx,
        "seq": str(reading.seq),
        "bootcount": str(reading.bootcount),
        "mono": str(reading.mono_ms),
        "time": None if reading.time_ms is None else str(reading.time_ms),
        "derived": reading.time_derived,
        "registers": {obis.hex(): str(value) for obis, value in reading.registers.items()},
        "statusOk": reading.status_ok,
        "input": reading.input,
        "inputAfter": reading.input_after,
        "tx": reading.tx,
        "relay": reading.relay,
        "index": reading.index,
        "content": reading.payload_digest.hex(),
    }


def node_form(node: MeteringNode) -> dict[str, Any]:
    return {
        "kid": node.kid.hex(),
        "asset": node.asset,
        "kind": node.kind,
        "demo": node.demo,
        "powerMax": str(node.power_max_milliwatts),
    }


def case_form(
    terms: Terms,
    readings: Iterable[SettlementReading],
    nodes: Iterable[MeteringNode],
    period: Window,
    *,
    cutoff: Cutoff,
    generation: int = 1,
    final: bool = False,
) -> dict[str, Any]:
    return {
        "terms": terms_to_cbor(terms).hex(),
        "readings": [reading_form(reading) for reading in readings],
        "nodes": [node_form(node) for node in nodes],
        "period": [str(period.start_ms), str(period.end_ms)],
        "size": cutoff.size,
        "root": cutoff.root.hex(),
        "generation": str(generation),
        "final": final,
    }


def settle_on_the_page(node: str, cases: list[dict[str, Any]], folder: Path) -> list[str]:
    """Statements in hexadecimal, or what the page says is wrong, in the order of the cases."""
    path = folder / "cases.json"
    path.write_text(json.dumps(cases), encoding="utf-8")
    done = subprocess.run(
        [node, str(RUNNER), str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)
