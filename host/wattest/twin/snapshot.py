"""A twin as plain values for JSON: features with properties, metadata beside every one of them."""

from __future__ import annotations

from typing import Any

from wattest.twin.state import Proof, TwinState, Value


def snapshot(state: TwinState, now_ms: int) -> dict[str, Any]:
    """Return the twin as a JSON document.

    Args:
        state: the mirror.
        now_ms: the instant ages are counted to, ms since 1970 UTC.

    Returns:
        Strings, integers, booleans, None, lists and maps only. Values the mirror does not know are
        None; a value whose record is contradicted, or which is stale, says so in its metadata.
    """
    return {
        "thing": state.name,
        "revision": state.revision,
        "attributes": {
            "asset": state.asset,
            "serial": state.serial,
            "kid": state.kid.hex(),
        },
        "features": {
            "energy": _energy(state, now_ms),
            "health": _health(state, now_ms),
            "settings": {
                "relay_closed": _setting(state.relay_closed, state, now_ms),
                "interval_ms": _setting(state.interval_ms, state, now_ms),
            },
            "expectation": _expectation(state),
            "refused": dict(state.refused),
        },
        "stale": state.stale(now_ms),
        "verified": state.verified,
    }


def _energy(state: TwinState, now_ms: int) -> dict[str, Any] | None:
    energies = state.energies
    if energies is None:
        return None
    return {
        "import_milliwatthours": energies.import_milliwatthours,
        "export_milliwatthours": energies.export_milliwatthours,
        "use_s": energies.use_s,
        "power_milliwatts": energies.power_milliwatts,
        "_metadata": _metadata(energies.proof, state, now_ms),
    }


def _health(state: TwinState, now_ms: int) -> dict[str, Any] | None:
    health = state.health
    if health is None:
        return None
    return {
        "status": health.status,
        "err": health.err,
        "input": health.input.name.lower(),
        "tsync": health.tsync.name.lower(),
        "bootcount": health.bootcount,
        "cfg": health.cfg.hex(),
        "_metadata": _metadata(health.proof, state, now_ms),
    }


def _setting(value: Value | None, state: TwinState, now_ms: int) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"value": value.value, "_metadata": _metadata(value.proof, state, now_ms)}


def _expectation(state: TwinState) -> dict[str, Any] | str:
    expectation = state.expectation
    if expectation is None:
        return "no expectation" if not state.has_plant else "not yet"
    return {
        "start_ms": expectation.start_ms,
        "end_ms": expectation.end_ms,
        "expected_milliwatts": expectation.expected_milliwatts,
        "metered_milliwatts": expectation.metered_milliwatts,
        "residual_milliwatts": expectation.residual_milliwatts,
        "basis": expectation.basis,
    }


def _metadata(proof: Proof, state: TwinState, now_ms: int) -> dict[str, Any]:
    age_ms = proof.age_ms(now_ms)
    return {
        "ctx": int(proof.ctx),
        "seq": proof.seq,
        "index": proof.index,
        "time_ms": proof.time_ms,
        "time_derived": proof.derived,
        "age_ms": age_ms,
        "verified": proof.verified,
        "doubts": list(proof.doubts),
        "stale": age_ms is None or age_ms > state.stale_after_ms,
    }
