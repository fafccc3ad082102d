"""Settlement cases as JSON for the page's engine, and the bytes that the Python engine gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from random_contracts import Scene

from wattest.errors import SettlementError
from wattest.settlement import MeteringNode, SettlementReading, settle, terms_to_cbor

REFUSED = "refused"


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


def case_form(scene: Scene) -> dict[str, Any]:
    return {
        "terms": terms_to_cbor(scene.terms).hex(),
        "readings": [reading_form(reading) for reading in scene.readings],
        "nodes": [node_form(node) for node in scene.nodes],
        "period": [str(scene.period.start_ms), str(scene.period.end_ms)],
        "size": scene.cutoff.size,
        "root": scene.cutoff.root.hex(),
        "generation": "1",
        "final": scene.final,
        "opening": scene.opening,
        "estimates": [
            {
                "asset": each.asset,
                "quantity": each.quantity,
                "window": [str(each.start_ms), str(each.end_ms)],
                "count": str(each.count),
                "index": each.index,
            }
            for each in scene.estimates
        ],
    }


def statements(scenes: Iterable[Scene]) -> list[str]:
    """What the Python engine gives, in hexadecimal."""
    found = []
    for scene in scenes:
        try:
            drawn = settle(
                scene.terms,
                scene.readings,
                scene.period,
                nodes=scene.nodes,
                cutoff=scene.cutoff,
                final=scene.final,
                opening=scene.opening,
                estimates=scene.estimates,
            )
        except SettlementError:
            found.append(REFUSED)
        else:
            found.append(drawn.to_cbor().hex())
    return found
