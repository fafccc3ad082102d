"""The rewriting half of the spill pass: give functions a frame, and store roots into it.

A function that keeps a possible pointer across a collecting call gets a frame on the shadow
stack (the module's own C stack in linear memory, addressed by global 0). The body is wrapped in
a block so that every ``return`` passes the epilogue. `plan` says what is stored when.
"""

from __future__ import annotations

from dataclasses import dataclass

from wattest.emulator.spill import wasm
from wattest.emulator.spill.plan import (
    ENTRY,
    STACK_POINTER_GLOBAL,
    LocalWrite,
    Plan,
    members,
    plan_frame,
)
from wattest.emulator.spill.wasm import I32, Function, Module, signed, unsigned

PASS_VERSION = 3
"""Part of the cache key; raise it with every change of the output."""

_VOID = 0x40
_JOINS = wasm.BLOCKS | {wasm.ELSE, wasm.END}


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


class _Emitter:
    """Writes the new body of one function."""

    def __init__(self, module: Module, function: Function, plan: Plan) -> None:
        self.module = module
        self.function = function
        self.plan = plan
        first_new = len(function.signature.parameters) + len(function.local_types)
        self.frame_local = first_new
        self.spare_local = first_new + 1
        self.out = bytearray()
        self.spilled = 0

    def body(self) -> bytes:
        """Return locals and code of the new body."""
        if self.plan.frame_made is None:
            self._make_frame()
        for local in members(self.plan.write_stores.get(ENTRY, 0)):
            self._store_local(local)
        self.out += bytes((wasm.BLOCK,)) + self.module.block_type(self.function.signature.results)
        for index, (op, _, start, stop) in enumerate(self.function.instructions[:-1]):
            if self.plan.stores.get(index):
                self._store_locals(index, self.plan.stores[index])
            if op == wasm.RETURN:  # leave through the wrapping block, so the epilogue runs
                self.out += bytes((wasm.BR,)) + unsigned(len(self.plan.enclosing[index]))
            else:
                self.out += self.module.data[start:stop]
            if index in self.plan.write_stores:
                self._store_locals(index, self.plan.write_stores[index])
            if index in self.plan.base_writes:
                self._store_bases(index, self.plan.base_writes[index])
            if index in self.plan.layout.temporary_slots:
                self._store_temporary(index, self.plan.layout.temporary_slots[index])
        self._epilogue()
        types = (*self.function.local_types, I32, I32)
        return wasm.encode_locals(types) + bytes(self.out)

    def _move_stack_pointer(self, op: int) -> bytes:
        return bytes((wasm.I32_CONST,)) + signed(self.plan.layout.frame_bytes) + bytes((op,))

    def _make_frame(self) -> None:
        self.out += bytes((wasm.GLOBAL_GET, STACK_POINTER_GLOBAL))
        self.out += self._move_stack_pointer(wasm.I32_SUB)
        self.out += bytes((wasm.LOCAL_TEE,)) + unsigned(self.frame_local)
        self.out += bytes((wasm.GLOBAL_SET, STACK_POINTER_GLOBAL))

    def _ensure_frame(self, index: int) -> None:
        """Make the frame if it may not be there yet; its local is zero until then.

        What follows the end of a block is also reached by branches, of which the facts before
        that end know nothing.
        """
        made = self.plan.frame_made
        joins = self.function.instructions[index].op in _JOINS
        if made is None or (made[index] and not joins):
            return
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(self.frame_local)
        self.out += bytes((wasm.I32_EQZ, wasm.IF, _VOID))
        self._make_frame()
        self.out.append(wasm.END)

    def _epilogue(self) -> None:
        frame = bytes((wasm.LOCAL_GET,)) + unsigned(self.frame_local)
        self.out.append(wasm.END)
        if self.plan.frame_made is not None:
            self.out += frame + bytes((wasm.IF, _VOID))
        self.out += frame + self._move_stack_pointer(wasm.I32_ADD)
        self.out += bytes((wasm.GLOBAL_SET, STACK_POINTER_GLOBAL))
        if self.plan.frame_made is not None:
            self.out.append(wasm.END)
        self.out.append(wasm.END)

    def _store(self, local: int, offset: int) -> None:
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(self.frame_local)
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(local)
        self.out += bytes((wasm.I32_STORE, 2)) + unsigned(offset)

    def _store_locals(self, index: int, wanted: int) -> None:
        self._ensure_frame(index)
        for local in members(wanted):
            self._store_local(local)

    def _store_local(self, local: int) -> None:
        self._store(local, self.plan.layout.slots[local])
        self.spilled += 1

    def _store_bases(self, index: int, write: LocalWrite) -> None:
        self._ensure_frame(index)
        offsets = self.plan.layout.base_slots[write.local]
        if write.bases:
            for local, offset in zip(write.bases, offsets, strict=False):
                self._store(local, offset)
        else:
            self._store(write.local, offsets[0])

    def _store_temporary(self, index: int, kept: list[tuple[int, int | None]]) -> None:
        self.out += bytes((wasm.LOCAL_SET,)) + unsigned(self.spare_local)
        self._ensure_frame(index)
        for offset, local in kept:
            self._store(self.spare_local if local is None else local, offset)
        self.out += bytes((wasm.LOCAL_GET,)) + unsigned(self.spare_local)


def _rewrite(
    module: Module, function: Function, calls: frozenset[int], counts: SpillCounts
) -> bytes:
    """Return the new body of ``function``, or its old one if nothing must be kept."""
    plan = plan_frame(module, function, calls)
    if plan is None:
        return function.body
    emitter = _Emitter(module, function, plan)
    body = emitter.body()
    counts.framed += 1
    counts.spilled_locals += emitter.spilled
    counts.spilled_temporaries += len(plan.layout.temporary_slots)
    counts.derived_locals += len(plan.layout.base_slots)
    return body
