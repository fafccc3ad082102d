"""Nodes of a live collection, from what is known of them before they have said a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wattest.data import data_root
from wattest.errors import WattestError
from wattest.operations.events import ConsolePrinted, FaultJudged, NodeInfo
from wattest.operations.live.ports import LivePort
from wattest.operations.settler import Settler
from wattest.scenario import load_scenario
from wattest.settlement import Terms
from wattest.twin import Twin
from wattest.verify import Enrolment, Verdict
from wattest.wire import Record, kid_of, spki_der

_UNKNOWN_KID = bytes(8)


class Memory:
    """Hands what was logged before to twins and contracts."""

    def __init__(
        self, ports: Sequence[LivePort], twins: dict[str, Twin], settler: Settler
    ) -> None:
        self._by_serial = {live.expected.serial: twins[live.expected.name] for live in ports}
        self._by_kid: dict[bytes, Twin] = {}
        self._settler = settler

    def enrolled(self, enrolment: Enrolment, index: int) -> None:
        """Remember whose key it is."""
        self._settler.enrol(enrolment, index)
        twin = self._by_serial.get(enrolment.serial)
        if twin is not None:
            self._by_kid[enrolment.kid] = twin

    def logged(self, record: Record, index: int, verdict: Verdict) -> None:
        """Fold a record that was verified when it was logged, with what was found in it."""
        self._settler.add(record, index=index)
        twin = self._by_kid.get(record.kid)
        if twin is not None:
            twin.apply(record, index=index, verdict=verdict)


def twin_of(live: LivePort) -> Twin:
    """Return a mirror without a plant model: nobody stated one."""
    return Twin(live.expected.name, asset=live.expected.asset, interval_ms=live.interval_ms)


def enrolment_of(live: LivePort, *, enrolled_ms: int) -> Enrolment | None:
    """Return the enrolment of a node whose public key is known; its kind is what was stated."""
    if live.public_key is None:
        return None
    return live.expected.enrolment(spki_der(live.public_key), enrolled_ms=enrolled_ms)


def info_of(live: LivePort) -> NodeInfo:
    """Return how the faces label the node; its kid is zeros until its key is known."""
    expected = live.expected
    return NodeInfo(
        name=expected.name,
        asset=expected.asset,
        board=expected.board,
        serial=expected.serial,
        kid=_UNKNOWN_KID if live.public_key is None else kid_of(spki_der(live.public_key)),
        load=live.load,
    )


def default_contracts(ports: Sequence[LivePort]) -> tuple[Terms, ...]:
    """Return the default contracts, at the prices their titles state, over every asset."""
    base = load_scenario(data_root() / "bench" / "scenarios" / "replay.toml")
    assets = tuple(sorted({live.expected.asset for live in ports}))
    return tuple(replace(terms, assets=assets) for terms in base.contracts)


def host_line(node: str, now_ms: int, text: WattestError | str) -> ConsolePrinted:
    """Tell what the host did, or what happened to a node's port, in one line."""
    return ConsolePrinted(node=node, now_ms=now_ms, text=f"wattest: {text}\n")


def refused_fault(node: str, kind: str, now_ms: int) -> FaultJudged:
    """Say no to a fault that a person asked for."""
    return FaultJudged(
        now_ms=now_ms,
        node=node,
        kind=kind,
        expected="an emulated bench of this program",
        got="not done: the boards on these ports are not ours to break",
        passed=False,
    )
