"""The planning half of the spill pass: what goes into a function's frame, when, and where.

A slot is written just before a call, if the local may have changed since, or where the local is
written, whichever is done less often; a slot that is stale can only keep an object alive too
long, never free one. Only what may be a pointer is kept, and for a pointer into a block the
local it was computed from. Where a function can end without a collecting call, as on the fast
path of most of the interpreter's operations, its frame is made at the first store.
"""

from __future__ import annotations

from dataclasses import dataclass

from wattest.emulator.spill import wasm
from wattest.emulator.spill.flow import Flow
from wattest.emulator.spill.stack import (
    OperandStack,
    is_derived,
    locals_behind,
    may_be_pointer,
    pointer_locals,
    walk,
)
from wattest.emulator.spill.wasm import I32, Function, Module

STACK_POINTER_GLOBAL = 0
ENTRY = -1
"""Stands for the moment before the first instruction."""

_FRAME_ALIGNMENT = 16
_SLOT_BYTES = 4
_BASES_KEPT = 2
_TEMPORARY_BASES_KEPT = 3


@dataclass(frozen=True, slots=True)
class LocalWrite:
    """A write to a local: which locals its value was computed from, other than itself.

    Attributes:
        local: what is written.
        bases: the locals, two at most.
        is_fresh: computed from no local.
        keeps_base: computed from itself, so that the base it had is still its base.
    """

    local: int
    bases: tuple[int, ...]
    is_fresh: bool
    keeps_base: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in the frame everything goes.

    Attributes:
        slots: local -> offset in the frame.
        base_slots: local that may hold a derived pointer -> offsets for its bases.
        temporary_slots: producer -> (offset, local or None for the value itself).
        frame_bytes: size of the frame, a multiple of 16.
    """

    slots: dict[int, int]
    base_slots: dict[int, tuple[int, int]]
    temporary_slots: dict[int, list[tuple[int, int | None]]]
    frame_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is stored when.

    Attributes:
        layout: where.
        stores: collecting call -> bit set of locals to be stored before it.
        write_stores: write of a local -> bit set of that local, to be stored after it; `ENTRY`
            -> bit set of parameters to be stored on entry.
        base_writes: instruction after which bases must be stored -> what it writes.
        frame_made: instruction -> the frame is there before it on every way to it; None if it
            is made on entry.
        enclosing: instruction -> the blocks around it, as in `Flow`.
    """

    layout: Layout
    stores: dict[int, int]
    write_stores: dict[int, int]
    base_writes: dict[int, LocalWrite]
    frame_made: list[int] | None
    enclosing: list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Places:
    """What needs a place in the frame: locals, bases of locals, temporaries with their bases."""

    used: int
    derived: list[int]
    temporaries: dict[int, list[int | None]]


def _local_writes(
    function: Function, stack: OperandStack, used: int, pointers: int
) -> tuple[dict[int, LocalWrite], list[int]]:
    """Return the writes to the ``used`` locals, and the locals that may hold derived pointers."""
    writes: dict[int, LocalWrite] = {}
    derived: set[int] = set()
    for index, (op, local, *_) in enumerate(function.instructions):
        if op not in (wasm.LOCAL_SET, wasm.LOCAL_TEE) or not used >> local & 1:
            continue
        operands = stack.operands.get(index, ())
        behind: frozenset[int] = frozenset()
        if operands:
            behind = _pointers_behind(function, stack, operands[0], pointers)
            if behind and is_derived(function.instructions[operands[0]].op):
                derived.add(local)
        bases = tuple(sorted(behind - {local})[:_BASES_KEPT])
        keeps = local in behind
        writes[index] = LocalWrite(local, bases, is_fresh=not behind, keeps_base=keeps)
    return writes, sorted(derived)


def _pointers_behind(
    function: Function, stack: OperandStack, index: int, pointers: int
) -> frozenset[int]:
    """Return the locals that may hold the base of the i32 made at ``index``."""
    behind = locals_behind(function, stack, index)
    return frozenset(local for local in behind if pointers >> local & 1)


def _changes(function: Function) -> dict[int, int]:
    """Return instruction -> bit set of the local it writes."""
    return {
        index: 1 << local
        for index, (op, local, *_) in enumerate(function.instructions)
        if op in (wasm.LOCAL_SET, wasm.LOCAL_TEE)
    }


def _write_stores(
    function: Function, flow: Flow, live: dict[int, int], stores: dict[int, int]
) -> dict[int, int]:
    """Choose the locals to be stored where they are written, and take them out of ``stores``.

    They are those whose needed writes are done less often than the stores before calls.
    """
    changes = _changes(function)
    needed = flow.backward(live, changes)
    places = {index: bit for index, bit in changes.items() if flow.after(index, needed) & bit}
    places[ENTRY] = needed[0]
    often = flow.frequencies()
    balance: dict[int, int] = {}
    for uses, sign in ((stores, 1), (places, -1)):
        for index, mask in uses.items():
            for local in members(mask):
                balance[local] = balance.get(local, 0) + sign * often[max(index, 0)]
    chosen = sum(1 << local for local, gain in balance.items() if gain > 0)
    for index in stores:
        stores[index] &= ~chosen
    return {index: mask & chosen for index, mask in places.items() if mask & chosen}


def members(mask: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [local for local in range(mask.bit_length()) if mask >> local & 1]


def _base_writes(
    flow: Flow, live: dict[int, int], writes: dict[int, LocalWrite], derived: list[int]
) -> dict[int, LocalWrite]:
    """Return the writes whose bases a later collecting call needs, and which have any."""
    wanted = sum(1 << local for local in derived)
    begins = {index: mask & wanted for index, mask in live.items()}
    ends = {index: 1 << write.local for index, write in writes.items() if not write.keeps_base}
    needed = flow.backward(begins, ends)
    return {
        index: write
        for index, write in writes.items()
        if (write.bases or write.is_fresh) and flow.after(index, needed) >> write.local & 1
    }


def _late_frame(function: Function, flow: Flow, places: set[int]) -> list[int] | None:
    """Decide where the frame is made: ``frame_made`` of `Plan`, if ``places`` need it.

    A function with a frame of its own puts the stack pointer back by itself, so its second frame
    must lie around the first: made on entry.
    """
    own = (wasm.GLOBAL_SET, STACK_POINTER_GLOBAL)
    if any((op, value) == own for op, value, *_ in function.instructions):
        return None
    if ENTRY in places or not flow.avoids(places):
        return None
    return flow.forward(dict.fromkeys(places, 1), {})


def _call_stores(flow: Flow, function: Function, live: dict[int, int]) -> dict[int, int]:
    """Return what to store before each call, if all is stored before calls."""
    stored = flow.forward(live, _changes(function))
    return {index: mask & ~stored[index] for index, mask in live.items()}


def _temporaries(
    function: Function, stack: OperandStack, pointers: int
) -> dict[int, list[int | None]]:
    """Return producer -> what to keep: None for the value itself, and locals behind it."""
    kept: dict[int, list[int | None]] = {}
    for index in sorted(stack.temporaries):
        if not may_be_pointer(function, stack, index, pointers):
            continue
        kept[index] = [None]
        if function.instructions[index].op not in (wasm.LOCAL_GET, wasm.LOCAL_TEE):
            behind = sorted(_pointers_behind(function, stack, index, pointers))
            kept[index] += behind[:_TEMPORARY_BASES_KEPT]
    return kept


def plan_frame(module: Module, function: Function, calls: frozenset[int]) -> Plan | None:
    """Decide what must be stored.

    Args:
        module: the module it belongs to.
        function: the function.
        calls: indices of its calls that may collect.

    Returns:
        The plan, or None if the function keeps nothing across its calls.

    Raises:
        ValueError: the code is not valid, or uses what the pass does not support.
    """
    types = function.signature.parameters + function.local_types
    flow = Flow(function.instructions)
    stack = walk(module, function, calls)
    pointers = pointer_locals(function, stack)
    pointers &= sum(1 << local for local, kind in enumerate(types) if kind == I32)
    live = {index: flow.live_after(index) & pointers for index in sorted(calls)}
    temporaries = _temporaries(function, stack, pointers)
    used = 0
    for mask in live.values():
        used |= mask
    if not used and not temporaries:
        return None
    stores = _call_stores(flow, function, live)
    write_stores = _write_stores(function, flow, live, stores)
    writes, derived = _local_writes(function, stack, used, pointers)
    base_writes = _base_writes(flow, live, writes, derived)
    stored_at = {index for index, mask in stores.items() if mask}
    return Plan(
        layout=_layout(_Places(used, derived, temporaries)),
        stores=stores,
        write_stores=write_stores,
        base_writes=base_writes,
        frame_made=_late_frame(
            function, flow, stored_at.union(temporaries, base_writes, write_stores)
        ),
        enclosing=flow.enclosing,
    )


def _layout(places: _Places) -> Layout:
    """Give everything its place in the frame."""
    offset = 0
    slots = {}
    for local in members(places.used):
        slots[local] = offset
        offset += _SLOT_BYTES
    base_slots = {}
    for local in places.derived:
        base_slots[local] = (offset, offset + _SLOT_BYTES)
        offset += _BASES_KEPT * _SLOT_BYTES
    temporary_slots: dict[int, list[tuple[int, int | None]]] = {}
    for index, sources in places.temporaries.items():
        temporary_slots[index] = []
        for source in sources:
            temporary_slots[index].append((offset, source))
            offset += _SLOT_BYTES
    frame_bytes = (offset + _FRAME_ALIGNMENT - 1) // _FRAME_ALIGNMENT * _FRAME_ALIGNMENT
    return Layout(slots, base_slots, temporary_slots, frame_bytes)
