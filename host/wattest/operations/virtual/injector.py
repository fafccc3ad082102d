"""Carries out faults on an emulated bench: one small function a kind, each with its way back.

What a fault does is physical: a wire is pulled, a supply fails, a bit turns, somebody else speaks.
Nothing here tells the collector what to find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.emulator.board import EmulatedBoard
from wattest.emulator.flash import NorFlash
from wattest.operations.collector import Collector
from wattest.operations.virtual.bench import EmulatedBench
from wattest.operations.virtual.links import Links, Tap, Wire
from wattest.scenario import Fault, FaultKind
from wattest.units import NS_PER_MS
from wattest.wire import (
    OBIS_EXPORT,
    OBIS_IMPORT,
    Frame,
    FrameScanner,
    Op,
    cbor,
    encode_frame,
    parse_sign1,
    seal_sign1,
)
from wattest.wire.message import RENEW_INPUT_MS, FrameKind
from wattest.wire.record_schema import BODY_KEY

_HELD = frozenset(
    {
        FaultKind.POWER_CUT,
        FaultKind.UNPLUG,
        FaultKind.WRONG_CHIP,
        FaultKind.INJECT_INPUT,
        FaultKind.NO_TIME,
    }
)
"""Kinds that switch something off: with two of them at once it is off until both are over."""

_RECORDS_KEPT = 64
_POSITION_BYTES = 4
_REGISTERS = 6
_FORGED_BITS = 32
_UW_PER_MILLIWATT = 1000

Undo = Callable[[], None]


@dataclass(slots=True)
class _FrameKeeper:
    """Keeps the newest record frames of a wire, for somebody who will replay them."""

    frames: list[bytes]

    def __call__(self, data: bytes) -> bytes:
        if _record_frame(data) is not None:
            self.frames.append(data)
            del self.frames[:-_RECORDS_KEPT]
        return data


class Injector:
    """Applies faults and takes them back.

    Args:
        bench: whose boards.
        links: whose wires.
        collector: whose sessions.
        open_clone: lays a lane for a cloned board; returns how to close it.
        withhold_time: stops, or lets, the host set a node's clock.
    """

    def __init__(
        self,
        *,
        bench: EmulatedBench,
        links: Links,
        collector: Collector,
        open_clone: Callable[[str, EmulatedBoard], Undo],
        withhold_time: Callable[[str, bool], None],
    ) -> None:
        self._bench = bench
        self._links = links
        self._collector = collector
        self._open_clone = open_clone
        self._withhold_time = withhold_time
        self._keepers: dict[str, _FrameKeeper] = {}
        self._copies: dict[int, NorFlash] = {}
        self._changes: dict[str, list[Tap]] = {}
        self._held: dict[tuple[FaultKind, str], list[Undo]] = {}
        self._injected: dict[str, Fault] = {}

    def keep_frames(self, node: str) -> None:
        """Begin to keep a node's frames, so that one can be replayed later."""
        keeper = _FrameKeeper(frames=[])
        self._keepers[node] = keeper
        self._links.wires[node].taps.append(keeper)

    def prepare(self, fault: Fault) -> None:
        """Do what must happen before a fault's time: copy the flash that will be cloned."""
        if fault.kind is FaultKind.CLONE and fault.copied_ns is not None:
            flash = self._bench.nodes[fault.node].flash
            self._bench.call_at(
                fault.copied_ns, lambda: self._copies.__setitem__(id(fault), flash.copy())
            )

    def apply(self, fault: Fault) -> Undo:
        """Carry out a fault now.

        Returns:
            What ends it; for a fault that takes no time it does nothing.
        """
        undo = _APPLY[fault.kind](self, fault)
        return self._held_together(fault, undo) if fault.kind in _HELD else undo

    def power_cut(self, fault: Fault) -> Undo:
        """Cut the supply now, or inside a flash operation to come."""
        board = self._bench.nodes[fault.node].board
        if fault.flash_operation is None:
            board.power_off()
        else:
            board.flash.cut_after(fault.flash_operation)

        def restore() -> None:
            board.flash.cancel_cut()
            board.power_off()
            board.power_on()

        return restore

    def unplug(self, fault: Fault) -> Undo:
        """Pull the link's plug."""
        wire = self._links.wires[fault.node]
        wire.plugged = False

        def plug() -> None:
            wire.plugged = True
            self._collector.session(fault.node).hello()
            self._links.pump(fault.node)

        return plug

    def flip_bit(self, fault: Fault) -> Undo:
        """Turn one bit of the next record frame on the wire."""
        return self._once(
            fault.node, lambda data: _with_bit_turned(data, len(data) // 2, fault.bit)
        )

    def forge(self, fault: Fault) -> Undo:
        """Change the energy of the next record and make everything whole but its signature."""
        return self._once(fault.node, lambda data: _forged(data, fault.bit))

    def replay(self, fault: Fault) -> Undo:
        """Send an old record frame once more."""
        frames = self._keepers[fault.node].frames
        if frames:
            self._links.inject(fault.node, frames[-1 - min(fault.back, len(frames) - 1)])
        return _nothing

    def clone(self, fault: Fault) -> Undo:
        """Boot a second board from a copy of the flash, on a wire of its own."""
        board = self._bench.clone(fault.node, flash=self._copies.pop(id(fault), None))
        return self._open_clone(fault.node, board)

    def bus_nack(self, fault: Fault) -> Undo:
        """Let the sensor stop answering."""
        return self._bench.nodes[fault.node].sensor.silence()

    def bus_stuck(self, fault: Fault) -> Undo:
        """Hold the sensor's line low."""
        return self._bench.nodes[fault.node].sensor.hold_line()

    def bus_bits(self, fault: Fault) -> Undo:
        """Turn a bit in every so many reads."""
        return self._bench.nodes[fault.node].sensor.disturb(fault.every, fault.bit)

    def wrong_chip(self, fault: Fault) -> Undo:
        """Put another part in the sensor's place; later put the right one back."""
        world = self._bench.world
        return self._bench.nodes[fault.node].sensor.exchange(lambda: world.now_ns)

    def inject_input(self, fault: Fault) -> Undo:
        """Command the node to meter a made-up power."""
        assert fault.power_uw is not None, "the plan gives a power"
        power_milliw = int(fault.power_uw) // _UW_PER_MILLIWATT
        self._injected[fault.node] = fault

        def renew() -> None:
            if self._injected.get(fault.node) is fault:
                self._command(fault.node, Op.TEST_INPUT, 1, power_milliw)
                self._bench.call_at(self._bench.now_ns + RENEW_INPUT_MS * NS_PER_MS, renew)

        def stop() -> None:
            del self._injected[fault.node]
            self._command(fault.node, Op.TEST_INPUT, 0)

        renew()
        return stop

    def no_time(self, fault: Fault) -> Undo:
        """Keep the host from setting the node's clock."""
        self._withhold_time(fault.node, True)
        return lambda: self._withhold_time(fault.node, False)

    def clock_step(self, fault: Fault) -> Undo:
        """Set the node's clock wrong; it stays so until the host sets it again by itself."""
        self._command(fault.node, Op.SET_TIME, self._links.now_ms + fault.by_ms)
        return _nothing

    def overload(self, fault: Fault) -> Undo:  # noqa: ARG002 - nothing is left to do
        """Let pass what the scenario laid over the load beforehand."""
        return _nothing

    def _held_together(self, fault: Fault, undo: Undo) -> Undo:
        """Let faults that overlap end together, in the way back of the first."""
        holders = self._held.setdefault((fault.kind, fault.node), [])
        holders.append(undo)

        def release() -> None:
            first = holders[0]
            holders.pop()
            if holders:
                return
            first()

        return release

    def _command(self, node: str, op: Op, arg: int, arg2: int | None = None) -> None:
        self._collector.session(node).command(op, arg, arg2)
        self._links.pump(node)

    def _once(self, node: str, change: Tap) -> Undo:
        """Change the next chunk that carries a record frame and that nobody has changed yet."""
        waiting = self._changes.setdefault(node, [])
        waiting.append(change)
        wire: Wire = self._links.wires[node]

        def tap(data: bytes) -> bytes:
            if _record_frame(data) is None:
                return data
            if len(waiting) == 1:
                wire.taps.remove(tap)
            return waiting.pop(0)(data)

        if len(waiting) == 1:
            wire.taps.append(tap)
        return _nothing


_APPLY: dict[FaultKind, Callable[[Injector, Fault], Undo]] = {
    FaultKind.POWER_CUT: Injector.power_cut,
    FaultKind.UNPLUG: Injector.unplug,
    FaultKind.FLIP_BIT: Injector.flip_bit,
    FaultKind.FORGE: Injector.forge,
    FaultKind.REPLAY: Injector.replay,
    FaultKind.CLONE: Injector.clone,
    FaultKind.BUS_NACK: Injector.bus_nack,
    FaultKind.BUS_STUCK: Injector.bus_stuck,
    FaultKind.BUS_BITS: Injector.bus_bits,
    FaultKind.WRONG_CHIP: Injector.wrong_chip,
    FaultKind.INJECT_INPUT: Injector.inject_input,
    FaultKind.NO_TIME: Injector.no_time,
    FaultKind.CLOCK_STEP: Injector.clock_step,
    FaultKind.OVERLOAD: Injector.overload,
}


def _nothing() -> None:
    """End a fault that left nothing behind."""


def _record_frame(data: bytes) -> Frame | None:
    if b"\0" not in data:
        return None
    for item in FrameScanner().feed(data):
        if isinstance(item, Frame) and item.kind == FrameKind.RECORD:
            return item
    return None


def _with_bit_turned(data: bytes, at: int, bit: int) -> bytes:
    index = max(at - bit // 8, 1)
    return data[:index] + bytes((data[index] ^ 1 << bit % 8,)) + data[index + 1 :]


def _forged(data: bytes, bit: int) -> bytes:
    """Turn one bit of each energy register of a record, and encode it all again.

    This is what somebody with a keyboard and no key can do: every byte is well-formed, the CRC is
    right, only the signature is over other bytes.
    """
    frame = _record_frame(data)
    assert frame is not None, "only asked for record frames"
    position, encoded = frame.body[:_POSITION_BYTES], frame.body[_POSITION_BYTES:]
    message = parse_sign1(encoded)
    claims = cbor.decode(message.payload)
    for register in claims[BODY_KEY][_REGISTERS]:
        if register[0] in (OBIS_IMPORT, OBIS_EXPORT):
            register[1] ^= 1 << bit % _FORGED_BITS
    forged = seal_sign1(message.kid, cbor.encode(claims), lambda _: message.signature)
    return encode_frame(frame.kind, position + forged)
