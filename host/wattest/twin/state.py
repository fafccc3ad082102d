"""State of a twin: values that each say which signed, logged record they rest on."""

from __future__ import annotations

from dataclasses import dataclass

from wattest.wire.record import Ctx, Input, Tsync


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Where a value can be checked.

    Args:
        ctx: stream of the record.
        seq: its number in the stream.
        index: its entry in the ledger.
        time_ms: instant of the register latch, ms since 1970 UTC, or None: not known yet.
        derived: the time was derived from a later time-set event, not signed in the record.
        doubts: codes of findings that contradict the record; empty is as it should be.
    """

    ctx: Ctx
    seq: int
    index: int
    time_ms: int | None
    derived: bool = False
    doubts: tuple[str, ...] = ()

    @property
    def verified(self) -> bool:
        """Signed by the node's key, logged, and not contradicted by any finding."""
        return not self.doubts

    def age_ms(self, now_ms: int) -> int | None:
        """Return how old the value is, or None when its time is not known."""
        return None if self.time_ms is None else now_ms - self.time_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number of the mirror and its proof."""

    value: int
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Energies:
    """The registers of one record; import and export in milliwatt-hours, use in seconds."""

    import_milliwatthours: int
    export_milliwatthours: int
    use_s: int
    power_milliwatts: int
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the plant model says about an interval, beside what was metered in it.

    Args:
        start_ms: begin of the interval.
        end_ms: its end, exclusive.
        expected_milliwatts: mean power of the model, import positive.
        metered_milliwatts: mean power from the registers, import positive.
        basis: what the model was worked out from.
    """

    start_ms: int
    end_ms: int
    expected_milliwatts: int
    metered_milliwatts: int
    basis: str

    @property
    def residual_milliwatts(self) -> int:
        """Metered minus expected."""
        return self.metered_milliwatts - self.expected_milliwatts


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the node said about itself in its newest record."""

    status: str
    err: str
    input: Input
    tsync: Tsync
    bootcount: int
    cfg: bytes
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinState:
    """The mirror of one node at one point of the ledger.

    Args:
        name: of the node.
        asset: what it meters.
        serial: of the node, once it has said so under its signature.
        kid: its key, likewise.
        revision: +1 with every change.
        energies: newest registers, or None before the first record.
        fiscal: registers of the newest fiscal reading, where the next expectation begins.
        health: newest self-description.
        relay_closed: 1 or 0, from the newest relay event; None: never switched.
        interval_ms: record interval from the newest config event; None: as configured.
        transaction: seq of the record that began the open transaction, or None.
        expectation: of the newest interval between two readings; None: no expectation.
        has_plant: a model exists; without one there is never an expectation.
        refused: (finding code, count) of what was not taken, ascending.
        stale_after_ms: age from which values are called stale.
    """

    name: str
    asset: str
    serial: str = ""
    kid: bytes = b""
    revision: int = 0
    energies: Energies | None = None
    fiscal: Energies | None = None
    health: Health | None = None
    relay_closed: Value | None = None
    interval_ms: Value | None = None
    transaction: Value | None = None
    expectation: Expectation | None = None
    has_plant: bool = False
    refused: tuple[tuple[str, int], ...] = ()
    stale_after_ms: int = 180_000

    @property
    def verified(self) -> bool:
        """There are registers, and nothing contradicts the record they come from."""
        return self.energies is not None and self.energies.proof.verified

    def stale(self, now_ms: int) -> bool:
        """Tell whether the newest registers are too old, or of unknown age, or missing."""
        if self.energies is None:
            return True
        age_ms = self.energies.proof.age_ms(now_ms)
        return age_ms is None or age_ms > self.stale_after_ms
