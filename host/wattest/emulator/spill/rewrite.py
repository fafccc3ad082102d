"""The rewriting half of the spill pass: give functions a frame, and store roots into it.

A function that keeps a possible pointer across a collecting call gets a frame on the shadow
stack (the module's own C stack in linear memory, addressed by global 0). The body is wrapped in
a block so that every ``return`` passes the epilogue. Slots are written late, just before a
call, and only when the local changed since; a slot that is stale afterwards can only keep an
object alive too long, never free one.
"""

from __future__ import annotations

from dataclasses import dataclass

from wattest.emulator.spill import wasm
from wattest.emulator.spill.flow import Flow
from wattest.emulator.spill.stack import OperandStack, is_derived, locals_behind, walk
from wattest.emulator.spill.wasm import I32, Function, Module, signed, unsigned

PASS_VERSION = 1
"""Part of the cache key; raise it with every change of the output."""

_STACK_POINTER_GLOBAL = 0
_FRAME_ALIGNMENT = 16
_SLOT_BYTES = 4
_BASES_KEPT = 2
_TEMPORARY_BASES_KEPT = 3


@dataclass(slots=True)
class SpillCounts:
    """What the pass did: functions seen, able to collect, given a frame; values stored."""

    functions: int = 0
    collecting: int = 0
    framed: int = 0
    spilled_locals: int = 0
    spilled_temporaries: int = 0
    derived_locals: int = 0


def spill_pointers(data: bytes) -> tuple[bytes, SpillCounts]:
    """Rewrite a module so that a stack-scanning collector inside it sees every root.

    Args:
        data: a ``.wasm`` file whose global 0 is the shadow stack pointer.

    Returns:
        The rewritten file, the same on every machine, and what was done.

    Raises:
        ValueError: the module uses an instruction or section the pass does not understand.
    """
    module = Module(data)
    collecting = _collecting_functions(module)
    counts = SpillCounts(functions=len(module.functions), collecting=len(collecting))
    bodies = []
    for function in module.functions:
        calls = frozenset(
            index
            for index, (op, immediate, *_) in enumerate(function.instructions)
            if op == wasm.CALL_INDIRECT or (op == wasm.CALL and immediate in collecting)
        )
        bodies.append(_rewrite(module, function, calls, counts) if calls else function.body)
    return module.with_bodies(bodies), counts


def _collecting_functions(module: Module) -> frozenset[int]:
    """Return the functions that may run the collector: all that can reach an indirect call.

    The allocator itself always can (finalisers, the error path), so a function that reaches no
    indirect call cannot reach the allocator either.
    """
    callers: dict[int, set[int]] = {}
    found: set[int] = set()
    for number, function in enumerate(module.functions, module.imported_functions):
        for op, immediate, *_ in function.instructions:
            if op == wasm.CALL_INDIRECT:
                found.add(number)
            elif op == wasm.CALL:
                callers.setdefault(immediate, set()).add(number)
    work = list(found)
    while work:
        fresh = callers.get(work.pop(), set()) - found
        found |= fresh
        work += fresh
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _LocalWrite:
    """A write to a spilled local: where its bases go, and which locals they are."""

    local: int
    bases: tuple[int, ...]
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where in the frame everything goes.

    Attributes:
        live: collecting call -> bit set of i32 locals still needed after it.
        slots: local -> offset in the frame.
        base_slots: local that may hold a derived pointer -> offsets for its bases.
        writes: instruction that writes a spilled local -> what is known about the value.
        temporary_slots: producer -> (offset, local or None for the value itself).
        frame_bytes: size of the frame, a multiple of 16.
        enclosing: instruction -> the blocks around it, as in `Flow`.
    """

    live: dict[int, int]
    slots: dict[int, int]
    base_slots: dict[int, tuple[int, int]]
    writes: dict[int, _LocalWrite]
    temporary_slots: dict[int, list[tuple[int, int | None]]]
    frame_bytes: int
    enclosing: list[tuple[int, ...]]


def _local_writes(
    function: Function, stack: OperandStack, used: int
) -> tuple[dict[int, _LocalWrite], list[int]]:
    """Return the writes to the ``used`` locals, and the locals that may hold derived pointers."""
    writes: dict[int, _LocalWrite] = {}
    derived: set[int] = set()
    for index, (op, local, *_) in enumerate(function.instructions):
        if op not in (wasm.LOCAL_SET, wasm.LOCAL_TEE) or not used >> local & 1:
            continue
        operands = stack.operands.get(index, ())
        behind: frozenset[int] = frozenset()
        if operands:
            behind = locals_behind(function, stack, operands[0])
            if behind and is_derived(function.instructions[operands[0]].op):
                derived.add(local)
        bases = tuple(sorted(behind - {local})[:_BASES_KEPT])
        writes[index] = _LocalWrite(local, bases, is_fresh=not behind)
    return writes, sorted(derived)


def _plan(module: Module, function: Function, calls: frozenset[int]) -> _Plan | None:
    """Decide what must be stored; None if the function keeps nothing across its calls."""
    types = function.signature.parameters + function.local_types
    pointers = sum(1 << local for local, kind in enumerate(types) if kind == I32)
    flow = Flow(function.instructions)
    stack = walk(module, function, calls)
    live = {index: flow.live_after(index) & pointers for index in sorted(calls)}
    used = 0
    for mask in live.values():
        used |= mask
    if not used and not stack.temporaries:
        return None
    writes, derived = _local_writes(function, stack, used)
    offset = 0
    slots = {}
    for local in range(len(types)):
        if used >> local & 1:
            slots[local] = offset
            offset += _SLOT_BYTES
    base_slots = {}
    for local in derived:
        base_slots[local] = (offset, offset + _SLOT_BYTES)
        offset += _BASES_KEPT * _SLOT_BYTES
    temporary_slots: dict[int, list[tuple[int, int | None]]] = {}
    for index in sorted(stack.temporaries):
        kept: list[int | None] = [None]
        if function.instructions[index].op not in (wasm.LOCAL_GET, wasm.LOCAL_TEE):
            behind = sorted(locals_behind(function, stack, index))
            kept += behind[:_TEMPORARY_BASES_KEPT]
        temporary_slots[index] = []
        for source in kept:
            temporary_slots[index].append((offset, source))
            offset += _SLOT_BYTES
    frame = (offset + _FRAME_ALIGNMENT - 1) // _FRAME_ALIGNMENT * _FRAME_ALIGNMENT
    return _Plan(live, slots, base_slots, writes, temporary_slots, frame, flow.enclosing)


class _Emitter:
    """Writes the new body of one function."""

    def __init__(self, module: Module, function: Function, plan: _Plan) -> None:
        self.module = module
        self.function = function
        self.plan = plan
        first_new = len(function.signature.parameters) + len(function.local_types)
        self.frame_local = first_new
        self.spare_local = first_new + 1
        self.out = bytearray()
        self.stored = 0
        self.spilled = 0

    def body(self) -> bytes:
        """Return locals and code of the new body."""
        self._prologue()
        last = len(self.function.instructions) - 1
        for index, (op, _, start, stop) in enumerate(self.function.instructions):
            if index in self.plan.live:
                self._store_live_locals(self.plan.live[index])
            if index == last:
                break
            if op == wasm.RETURN:  # leave through the wrapping block, so the epilogue runs
                self.out += bytes((wasm.BR,)) + unsigned(len(self.plan.enclosing[index]))
            else:
                self.out += self.module.data[start:stop]
            self._after(index, op)
        self._epilogue()
        types = (*self.function.local_types, I32, I32)
        return wasm.encode_locals(types) + bytes(self.out)

    def _move_stack_pointer(self, op: int) -> bytes:
        return bytes((wasm.I32_CONST,)) + signed(self.plan.frame_bytes) + bytes((op,))

    def _prologue(self) -> None:
        self.out += bytes((wasm.GLOBAL_GET, _STACK_POINTER_GLOBAL))
        self.out += self._move_stack_pointer(wasm.I32_SUB)
        self.out += bytes((wasm.LOCAL_TEE,)) + unsigned(self.frame_local)
        self.out += bytes((wasm.GLOBAL_SET, _STACK_POINTER_GLOBAL))
        self.out += bytes((wasm.BLOCK,)) + self.module.block_type(self.function.signature.results)

    def _epilogue(self) -> None:
        self.out += bytes((wasm.END, wasm.LOCAL_GET)) + unsigned(self.frame_local)
        self.out += self._move_stack_pointer(wasm.I32_ADD)
        self.out += bytes((wasm.GLOBAL_SET, _STACK_POINTER_GLOBAL, wasm.END))

    def _store(self, local: int, offset: int) -> None:
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(self.frame_local)
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(local)
        self.out += bytes((wasm.I32_STORE, 2)) + unsigned(offset)

    def _store_live_locals(self, live: int) -> None:
        for local, offset in self.plan.slots.items():
            if live >> local & 1 and not self.stored >> local & 1:
                self._store(local, offset)
                self.stored |= 1 << local
                self.spilled += 1

    def _after(self, index: int, op: int) -> None:
        """Do what has to follow the instruction just copied."""
        if op in (wasm.LOCAL_SET, wasm.LOCAL_TEE):
            self.stored &= ~(1 << self.function.instructions[index].immediate)
        elif op in (wasm.LOOP, wasm.IF, wasm.ELSE, wasm.END, wasm.TRY_TABLE):
            self.stored = 0  # control may arrive here by another way
        write = self.plan.writes.get(index)
        if write is not None and write.local in self.plan.base_slots:
            self._store_bases(write)
        if index in self.plan.temporary_slots:
            self._store_temporary(self.plan.temporary_slots[index])

    def _store_bases(self, write: _LocalWrite) -> None:
        offsets = self.plan.base_slots[write.local]
        if write.bases:
            for local, offset in zip(write.bases, offsets, strict=False):
                self._store(local, offset)
        elif write.is_fresh:
            self._store(write.local, offsets[0])

    def _store_temporary(self, kept: list[tuple[int, int | None]]) -> None:
        self.out += bytes((wasm.LOCAL_SET,)) + unsigned(self.spare_local)
        for offset, local in kept:
            self._store(self.spare_local if local is None else local, offset)
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(self.spare_local)


def _rewrite(
    module: Module, function: Function, calls: frozenset[int], counts: SpillCounts
) -> bytes:
    """Return the new body of ``function``, or its old one if nothing must be kept."""
    plan = _plan(module, function, calls)
    if plan is None:
        return function.body
    emitter = _Emitter(module, function, plan)
    body = emitter.body()
    counts.framed += 1
    counts.spilled_locals += emitter.spilled
    counts.spilled_temporaries += len(plan.temporary_slots)
    counts.derived_locals += len(plan.base_slots)
    return body
