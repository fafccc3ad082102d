"""What the bench knows of a node before it has spoken."""

from __future__ import annotations

from dataclasses import dataclass

from wattest.wire import Enrolment, EnrolmentKind, kid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedNode:
    """What the bench knows of a node before it has spoken.

    Args:
        name: the node's name in the run.
        asset: what it meters.
        serial: the serial it must state.
        board: its board file.
        kind: real, emulated or bench.
        cfg: digest of the files it must run, 16 bytes.
        demo: its keys derive from a seed.
        power_max_milliwatts: largest plausible power.
        command_key: 32 bytes, shared with the node at provisioning.
        may_enrol: a new key of it is enrolled once it answers; else only known keys count.
    """

    name: str
    asset: str
    serial: str
    board: str
    kind: EnrolmentKind
    cfg: bytes
    demo: bool
    power_max_milliwatts: int
    command_key: bytes
    may_enrol: bool = True

    def enrolment(self, spki: bytes, *, enrolled_ms: int) -> Enrolment:
        """Return the enrolment of this node under a key, SPKI DER."""
        return Enrolment(
            kid=kid_of(spki),
            spki=spki,
            serial=self.serial,
            kind=self.kind,
            board=self.board,
            cfg=self.cfg,
            demo=self.demo,
            power_max_milliwatts=self.power_max_milliwatts,
            enrolled_ms=enrolled_ms,
            asset=self.asset,
        )
