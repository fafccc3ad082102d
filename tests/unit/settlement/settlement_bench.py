"""Builders for settlement tests: readings, nodes, terms from short maps as vectors have them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

from wattest.settlement import (
    Cutoff,
    MeteringNode,
    SettlementReading,
    Statement,
    Terms,
    Window,
    settle,
    terms_from_table,
)
from wattest.settlement.quantity import OBIS_EXPORT, OBIS_IMPORT, OBIS_USE
from wattest.tables import Table

ROOT = Path(__file__).resolve().parents[3]
VECTORS: dict[str, Any] = json.loads(
    (ROOT / "tests" / "vectors" / "settlement.json").read_text(encoding="utf-8")
)
CUTOFF = Cutoff(size=1_000_000, root=bytes(32))
REGISTERS = {"import": OBIS_IMPORT, "export": OBIS_EXPORT, "use": OBIS_USE}
APRIL = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
KINDS = ("real", "emulated", "bench")


def ms(text: str) -> int:
    """RFC 3339 to ms since 1970."""
    moment = dt.datetime.fromisoformat(text)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def window(start: str, end: str) -> Window:
    return Window(start_ms=ms(start), end_ms=ms(end))


def kid(name: str) -> bytes:
    """A key identifier that shows its name."""
    return name.encode().ljust(8, b"-")


def terms_map(**changes: Any) -> dict[str, Any]:
    """A contract as TOML would give it: April 2026, UTC, one line of imported energy at 0.25."""
    base: dict[str, Any] = {
        "contract": "test",
        "seller": "seller",
        "buyer": "buyer",
        "assets": ["asset"],
        "currency": "EUR",
        "period": {"kind": "calendar", "unit": "month"},
        "line": [use_line(price="0.25")],
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def use_line(**changes: Any) -> dict[str, Any]:
    base = {
        "template": "PAY_PER_USE",
        "code": "use",
        "quantity": "import_energy",
        "unit": "kWh",
    }
    return {**base, **changes}


def make_terms(form: dict[str, Any]) -> Terms:
    return terms_from_table(Table(form, "terms.toml"))


def make_reading(spec: dict[str, Any], *, seq: int, index: int) -> SettlementReading:
    """One reading; ``mono`` defaults to its time, so that node order is the order of time."""
    name = spec.get("key", "a")
    time_ms = spec["at"] if isinstance(spec["at"], int | None) else ms(spec["at"])
    ctx = spec.get("ctx", 0)
    seq = spec.get("seq", seq)
    content = (name, ctx, seq, spec.get("content", ""))
    return SettlementReading(
        kid=kid(name),
        ctx=ctx,
        seq=seq,
        bootcount=spec.get("boot", 1),
        mono_ms=spec["mono"] if "mono" in spec else (time_ms or 0) - ms("2026-01-01T00:00:00Z"),
        time_ms=time_ms,
        time_derived=spec.get("derived", False),
        registers={obis: spec[key] for key, obis in REGISTERS.items() if key in spec},
        status_ok=spec.get("status_ok", True),
        input=spec.get("input", 0),
        input_after=spec.get("input_after", spec.get("input", 0)),
        tx=spec.get("tx", ""),
        relay=spec.get("relay"),
        index=spec.get("index", index),
        payload_digest=hashlib.sha256(repr(content).encode()).digest(),
    )


def make_readings(specs: list[dict[str, Any]]) -> list[SettlementReading]:
    """Readings in the order given; ``seq`` counts by key and ctx unless it is said."""
    seqs: dict[tuple[str, int], int] = {}
    readings = []
    for index, spec in enumerate(specs):
        name = (spec.get("key", "a"), spec.get("ctx", 0))
        seqs[name] = spec.get("seq", seqs.get(name, 0) + 1)
        readings.append(make_reading(spec, seq=seqs[name], index=index))
    return readings


def make_node(
    name: str = "a",
    *,
    asset: str = "asset",
    kind: str = "real",
    demo: bool = False,
    power_max_w: int = 0,
) -> MeteringNode:
    return MeteringNode(
        kid=kid(name),
        asset=asset,
        kind=KINDS.index(kind),
        demo=demo,
        power_max_milliwatts=1000 * power_max_w,
    )


def draw(
    form: dict[str, Any],
    specs: list[dict[str, Any]],
    *,
    period: tuple[str, str] = APRIL,
    nodes: list[MeteringNode] | None = None,
    **options: Any,
) -> Statement:
    """Settle short specs: one real node ``a`` on ``asset`` unless said."""
    return settle(
        make_terms(form),
        make_readings(specs),
        window(*period),
        nodes=[make_node()] if nodes is None else nodes,
        cutoff=CUTOFF,
        **options,
    )
