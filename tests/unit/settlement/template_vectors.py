"""Vectors of every template: readings from their short form, and the statement of each."""

from __future__ import annotations

import json
from typing import Any

from settlement_bench import (
    CUTOFF,
    ROOT,
    make_node,
    make_readings,
    make_terms,
    ms,
    terms_map,
    window,
)

from wattest.settlement import Estimate, MeteringNode, Statement, settle

TEMPLATE_VECTORS: list[dict[str, Any]] = json.loads(
    (ROOT / "tests" / "vectors" / "settlement_templates.json").read_text(encoding="utf-8")
)["vectors"]


def series(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Readings at ``from + n * step_s``; number ``n + 1`` each, so that missing ones show."""
    steps, total = spec["steps"], spec.get("import_total", 1_000 * spec["steps"])
    missing = {n for low, high in spec["missing"] for n in range(low, high + 1)}
    bad = {n for low, high in spec["bad"] for n in range(low, high + 1)}
    only = {n for low, high in spec.get("only", [[0, steps]]) for n in range(low, high + 1)}
    found = []
    for n in range(steps + 1):
        if n in missing or n not in only:
            continue
        value = total * n // steps
        found.append(
            {
                "key": spec.get("key", "a"),
                "at": ms(spec["from"]) + 1000 * n * spec["step_s"],
                "import": value // 2 if n >= spec.get("falls_at", steps + 1) else value,
                "seq": n + 1,
                "status_ok": n not in bad,
            }
        )
    return found


def specs_of(vector: dict[str, Any], *, late: bool = False) -> list[dict[str, Any]]:
    """Every reading of a vector with its number; with those that came late if asked."""
    given = [*vector["readings"], *(vector["late"]["readings"] if late else [])]
    seqs: dict[tuple[str, int], int] = {}
    found = []
    for entry in given:
        for spec in series(entry["series"]) if "series" in entry else [entry]:
            name = (spec.get("key", "a"), spec.get("ctx", 0))
            seqs[name] = spec.get("seq", seqs.get(name, 0) + 1)
            found.append({**spec, "seq": seqs[name]})
    return found


def nodes_of(vector: dict[str, Any]) -> list[MeteringNode]:
    return [
        make_node(node["key"], **{k: v for k, v in node.items() if k != "key"})
        for node in vector.get("nodes", [{"key": "a"}])
    ]


def estimates_of(vector: dict[str, Any]) -> list[Estimate]:
    return [
        Estimate(
            asset=item["asset"],
            quantity=item["quantity"],
            start_ms=ms(item["start"]),
            end_ms=ms(item["end"]),
            count=item["count"],
            index=item["index"],
        )
        for item in vector.get("estimates", [])
    ]


def form_of(vector: dict[str, Any]) -> dict[str, Any]:
    return terms_map(**vector["terms"])


def statement_of(
    vector: dict[str, Any], *, late: bool = False, readings: list[Any] | None = None
) -> Statement:
    """Settle a vector; ``readings`` in place of its own, for another order of arrival."""
    return settle(
        make_terms(form_of(vector)),
        make_readings(specs_of(vector, late=late)) if readings is None else readings,
        window(*vector["period"]),
        nodes=nodes_of(vector),
        cutoff=CUTOFF,
        generation=2 if late else 1,
        final=vector.get("final", False),
        estimates=estimates_of(vector),
    )
