"""What a node still holds, collected into the ledger before its key is given up.

The same collector as everywhere: verify, commit, acknowledge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wattest.errors import LinkTimeout
from wattest.ledger import LedgerView
from wattest.link import Port
from wattest.operations.collector import Collector
from wattest.operations.commission.boot_record import Stopped
from wattest.operations.commission.ledger_desk import INTERVAL_MS, LedgerDesk
from wattest.operations.events import RecordLogged, RecordRefused
from wattest.operations.expected import ExpectedNode
from wattest.operations.live.restore import restored_verifier
from wattest.system import entropy, monotonic_ns, utc_ms
from wattest.twin import Twin
from wattest.wire import Enrolment

SILENCE_S: Final = 4.0
"""A node that sent nothing for so long has nothing more to send: it repeats after 3 s."""
LIMIT_S: Final = 900.0
_SLICE_S: Final = 0.1
_READ_BYTES: Final = 4096
_NONCE_BYTES: Final = 16
_NS_PER_S: Final = 1_000_000_000
_LANE: Final = "provisioned"


def drain(
    port: Port,
    desk: LedgerDesk,
    enrolment: Enrolment,
    *,
    command_key: bytes,
    backlog: int,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Collect from an enrolled node what it held unacknowledged when it was asked.

    Args:
        port: open.
        desk: the ledger.
        enrolment: of the node, in force.
        command_key: acknowledgements are made with it, 32 bytes.
        backlog: how many records that were.
        stopped: looked at several times a second.

    Returns:
        How many records were logged; it seals new ones meanwhile.

    Raises:
        LinkTimeout: it goes on and on, or what it sends is refused.
        LinkClosed: the port vanished; what was logged stays.
        Stopped: somebody asked to stop; what was logged stays.
    """
    store = desk.folder.store
    view = LedgerView(store, desk.folder.signer.verifier)
    collector = Collector(
        desk.ledger,
        restored_verifier(view, store),
        nonce=lambda _node: entropy(_NONCE_BYTES),
        on_enrolled=lambda _enrolment, _index: None,
    )
    collector.attach(
        _expected(enrolment, command_key),
        Twin(_LANE, asset=enrolment.asset, interval_ms=INTERVAL_MS),
        kid=enrolment.kid,
    )
    return _run(port, desk, collector, backlog, stopped)


def _run(
    port: Port,
    desk: LedgerDesk,
    collector: Collector,
    backlog: int,
    stopped: Callable[[], bool],
) -> int:
    begun_s = heard_s = _now_s()
    offset_ms = utc_ms() - int(begun_s * 1000)  # UTC that is not set while we talk
    logged = refused = 0
    while logged < backlog and (now_s := _now_s()) - heard_s < SILENCE_S:
        if stopped():
            raise Stopped
        if now_s - begun_s > LIMIT_S or refused > 8:
            raise LinkTimeout(
                f"{port.address}: expected the node to run out of records ({refused} refused)",
                deadline_s=now_s - begun_s,
                received_bytes=logged,
            )
        now_ms = offset_ms + int(now_s * 1000)
        out = collector.outgoing(_LANE, now_ms)
        if out:
            port.write(out)
        data = port.read(_READ_BYTES, now_s + _SLICE_S)
        now_ms = offset_ms + int(_now_s() * 1000)
        desk.folder.frames.append((now_ms - desk.folder.begun_ms) * 1_000_000, _LANE, data)
        told = collector.receive(_LANE, data, now_ms)
        if (due_ms := collector.flush_at_ms) is not None and now_ms >= due_ms:
            desk.folder.frames.flush()
            told += collector.flush(now_ms)
        for event in told:
            if isinstance(event, RecordLogged):
                logged += 1
                heard_s = _now_s()
            elif isinstance(event, RecordRefused):
                refused += not event.verdict.duplicate
    return logged


def _expected(enrolment: Enrolment, command_key: bytes) -> ExpectedNode:
    return ExpectedNode(
        name=_LANE,
        asset=enrolment.asset,
        serial=enrolment.serial,
        board=enrolment.board,
        kind=enrolment.kind,
        cfg=enrolment.cfg,
        demo=enrolment.demo,
        power_max_milliwatts=enrolment.power_max_milliwatts,
        command_key=command_key,
    )


def _now_s() -> float:
    return monotonic_ns() / _NS_PER_S
