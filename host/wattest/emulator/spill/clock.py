"""The clock pass: a machine that counts its own work, and hands the thread back in time.

A guest's processor time has to be the same on every host, and no loop of a guest may keep the
thread. An engine's own metering does both, and makes arithmetic on large numbers half as slow
again: it counts every basic block, and a call it can make in the innermost loops costs them their
registers. This pass counts less often:

- entering a function costs a fixed amount, and so does each round of a loop;
- a loop that calls something looks at the clock each round, and calls the yield import when its
  slice is used up;
- a loop without calls only counts, in a local. Its length is bounded by the memory it walks over;
  one that is not (a list in damaged memory that leads back to itself) ends in a trap, as an
  interrupt watchdog would end it;
- an innermost loop that counts its rounds itself, in a number it counts to zero or in a pointer
  it moves through memory, is charged behind its end, from what that local was and is.

The amounts are properties of the code, never of the host: the same program takes the same count
everywhere. What is left of the slice is in the exported global `EXPORT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wattest.emulator.spill import wasm
from wattest.emulator.spill.flow import Flow
from wattest.emulator.spill.wasm import I32, I64, Function, Module, signed, unsigned

CLOCK_VERSION = 5
"""Part of the cache key; raise it with every change of the output."""

EXPORT = "fuel_left"
"""The exported global, an i64: what is left of the slice; below zero, the machine yields."""

ENDLESS = (1 << 31) - 1
"""Count at which loops without calls end in a trap."""

_FREE_BELOW = 24  # a leaf function this short takes no time
_STRAIGHT, _STRAIGHT_SHARE, _REGION_MOST = 8, 4, 40
_NO_WORK = frozenset((wasm.NOP, wasm.BLOCK, wasm.LOOP, wasm.ELSE, wasm.END))
_CALLS = frozenset((wasm.CALL, wasm.CALL_INDIRECT))
_LOADS = range(0x28, 0x36)
_SHIFTS = {1: 0, 2: 1, 4: 2, 8: 3}
_VOID = 0x40


class _Walk(NamedTuple):
    """A local that moves by ``step`` in each round of a loop, until it has to stop."""

    local: int
    step: int


@dataclass(slots=True)
class _Region:
    """What a round of a loop passes, or a function outside its loops."""

    work: int = 0
    looks: bool = False  # it looks at the clock, because it calls something
    calls: bool = False
    walk: _Walk | None = None
    end: int = -1

    def cost(self) -> int:
        """Return what one passage is taken to cost.

        Long code is code with many branches. A loop without calls is compiled to twice as much
        speed as other code. With these shares a unit takes about the same time in byte code, in
        arithmetic and in the collector.
        """
        extra = max(0, self.work - _STRAIGHT) // _STRAIGHT_SHARE
        cost = min(min(self.work, _STRAIGHT) + extra, _REGION_MOST)
        return cost if self.looks else (cost + 1) // 2


def add_clock(data: bytes, *, yield_import: str) -> bytes:
    """Rewrite a module so that it counts its work and yields.

    Args:
        data: a ``.wasm`` file.
        yield_import: name of an imported function without parameters and with one result, called
            when the slice is used up.

    Returns:
        The rewritten file, the same on every machine.

    Raises:
        ValueError: there is no such import, or the module uses what the pass does not understand.
    """
    module = Module(data)
    if yield_import not in module.import_names:
        raise ValueError(f"the module does not import {yield_import}")
    number = module.import_names.index(yield_import)
    clock = len(module.global_types)
    bodies = [_Counter(module, function, clock, number).body() for function in module.functions]
    return module.with_bodies_and_clock(bodies, EXPORT)


def _regions(function: Function) -> tuple[_Region, dict[int, _Region]]:
    """Return the function outside its loops, and its loops by their first instruction.

    An instruction belongs to the innermost loop whose rounds pass it. Compilers put code into a
    loop that only leads out of it: a call there does not belong to the loop.
    """
    instructions = function.instructions
    flow = Flow(instructions)
    heads = [index for index, (op, *_) in enumerate(instructions) if op == wasm.LOOP]
    outside = _Region(looks=True)
    loops = {head: _Region() for head in heads}
    owner = [outside] * len(instructions)
    for head in heads:  # inner ones come later
        for index in flow.rounds(head):
            owner[index] = loops[head]
            if instructions[index].op in _CALLS:
                loops[head].looks = True
        loops[head].end = flow.end_of(head)
        if not loops[head].looks:
            loops[head].walk = _find_walk(function, head, loops[head].end)
    for index, (op, *_) in enumerate(instructions):
        owner[index].work += op not in _NO_WORK
        outside.calls |= op in _CALLS
    return outside, loops


def _find_walk(function: Function, head: int, end: int) -> _Walk | None:
    """Return what counts the rounds of the loop from ``head`` to ``end``, or None.

    The loop must be an innermost one, with one way back, at its end, and no other way out. The
    local must be written once, in every round, and either be what is tested at the end or be an
    address that is read in every round: the memory ends.
    """
    instructions = function.instructions
    depth, levels = 0, {}
    for index in range(head + 1, end):
        op, immediate, *_ = instructions[index]
        levels[index] = depth
        if op in (wasm.LOOP, wasm.TRY_TABLE, wasm.RETURN):
            return None
        if op in (wasm.BR, wasm.BR_IF, wasm.BR_TABLE):
            labels = immediate if op == wasm.BR_TABLE else (immediate,)
            if index != end - 1 and any(label >= depth for label in labels):
                return None
        depth += (op in wasm.BLOCKS) - (op == wasm.END)
    if (instructions[end - 1].op, instructions[end - 1].immediate) != (wasm.BR_IF, 0):
        return None
    writes: dict[int, list[int]] = {}
    for index in levels:
        if instructions[index].op in (wasm.LOCAL_SET, wasm.LOCAL_TEE):
            writes.setdefault(instructions[index].immediate, []).append(index)
    for local, (index, *others) in sorted(writes.items()):
        if others or levels[index] or index - 3 <= head:
            continue
        step = _step(function, index, local)
        if step is None:
            continue
        tested = instructions[index].op == wasm.LOCAL_TEE and index == end - 2
        read = any(
            not levels[place]
            and instructions[place].op in _LOADS
            and instructions[place - 1][:2] == (wasm.LOCAL_GET, local)
            for place in levels
        )
        if (tested and abs(step) == 1) or read:
            return _Walk(local, step)
    return None


def _step(function: Function, index: int, local: int) -> int | None:
    """Return the constant by which the write at ``index`` moves its local, if it does that."""
    get, constant, add = function.instructions[index - 3 : index]
    if get[:2] != (wasm.LOCAL_GET, local) or (constant.op, add.op) != (
        wasm.I32_CONST,
        wasm.I32_ADD,
    ):
        return None
    step: int = constant.immediate
    return step if abs(step) in _SHIFTS else None


class _Counter:
    """Writes the new body of one function."""

    def __init__(self, module: Module, function: Function, clock: int, yield_number: int) -> None:
        self._module = module
        self._function = function
        self._clock = unsigned(clock)
        self._yield = unsigned(yield_number)
        self._outside, self._loops = _regions(function)
        self._counts = any(not loop.looks for loop in self._loops.values())
        first_new = len(function.signature.parameters) + len(function.local_types)
        self._left = unsigned(first_new)
        self._count = unsigned(first_new + 1)
        self._first = unsigned(first_new + 2)
        self._ends = {loop.end: loop for loop in self._loops.values() if loop.walk is not None}
        self._out = bytearray()

    def body(self) -> bytes:
        """Return locals and code of the new body."""
        function = self._function
        entry = self._outside.cost()
        if not self._loops and not self._outside.calls and entry < _FREE_BELOW:
            return function.body
        if self._counts:
            self._out += bytes((wasm.I64_CONST,)) + signed(ENDLESS - entry)
            self._out += bytes((wasm.LOCAL_SET,)) + self._count
            self._out += bytes((wasm.BLOCK,)) + self._module.block_type(function.signature.results)
        else:
            self._charge(bytes((wasm.I64_CONST,)) + signed(entry))
        self._copy()
        if self._counts:
            self._out.append(wasm.END)
            self._charge(self._counted())
        self._out.append(wasm.END)
        types = (*function.local_types, I64, I64, I32)
        return wasm.encode_locals(types) + bytes(self._out)

    def _copy(self) -> None:
        """Copy all but the last instruction; count at each loop's head."""
        depth = 0
        for index, (op, _, start, stop) in enumerate(self._function.instructions[:-1]):
            loop = self._loops.get(index)
            if loop is not None and loop.walk is not None:
                self._out += bytes((wasm.LOCAL_GET,)) + unsigned(loop.walk.local)
                self._out += bytes((wasm.LOCAL_SET,)) + self._first
            if op == wasm.RETURN and self._counts:  # through the block around all, to be charged
                self._out += bytes((wasm.BR,)) + unsigned(depth)
            else:
                self._out += self._module.data[start:stop]
            depth += (op in wasm.BLOCKS) - (op == wasm.END)
            if index in self._ends:
                self._count_rounds(self._ends[index])
            elif loop is not None and loop.looks:
                self._look(loop.cost())
            elif loop is not None and loop.walk is None:
                self._tick(loop.cost())

    def _charge(self, amount: bytes) -> None:
        """Take what ``amount`` pushes off the slice."""
        self._out += bytes((wasm.GLOBAL_GET,)) + self._clock
        self._out += amount + bytes((wasm.I64_SUB, wasm.GLOBAL_SET)) + self._clock

    def _look(self, cost: int) -> None:
        """Charge one round and what was counted, and yield if nothing is left."""
        out = self._out
        out += bytes((wasm.GLOBAL_GET,)) + self._clock
        out += bytes((wasm.I64_CONST,)) + signed(cost) + bytes((wasm.I64_SUB,))
        if self._counts:
            out += self._counted() + bytes((wasm.I64_SUB,))
            out += bytes((wasm.I64_CONST,)) + signed(ENDLESS)
            out += bytes((wasm.LOCAL_SET,)) + self._count
        out += bytes((wasm.LOCAL_TEE,)) + self._left
        out += bytes((wasm.GLOBAL_SET,)) + self._clock
        out += bytes((wasm.LOCAL_GET,)) + self._left
        out += bytes((wasm.I64_CONST, 0, wasm.I64_LT_S, wasm.IF, _VOID))
        out += bytes((wasm.CALL,)) + self._yield + bytes((wasm.DROP, wasm.END))

    def _tick(self, cost: int) -> None:
        """Count one round of a loop without calls."""
        out = self._out
        out += bytes((wasm.LOCAL_GET,)) + self._count
        out += bytes((wasm.I64_CONST,)) + signed(cost) + bytes((wasm.I64_SUB,))
        out += bytes((wasm.LOCAL_TEE,)) + self._count
        out += bytes((wasm.I64_CONST, 0, wasm.I64_LT_S))
        out += bytes((wasm.IF, _VOID, wasm.UNREACHABLE, wasm.END))

    def _count_rounds(self, loop: _Region) -> None:
        """Count the rounds of the loop that has just ended: how far its local has moved."""
        assert loop.walk is not None
        places = [unsigned(loop.walk.local), self._first]
        if loop.walk.step < 0:
            places.reverse()
        out = self._out
        out += bytes((wasm.LOCAL_GET,)) + self._count
        out += bytes((wasm.LOCAL_GET,)) + places[0] + bytes((wasm.LOCAL_GET,)) + places[1]
        out += bytes((wasm.I32_SUB, wasm.I64_EXTEND_I32_U))
        out += bytes((wasm.I64_CONST,)) + signed(_SHIFTS[abs(loop.walk.step)])
        out += bytes((wasm.I64_SHR_U, wasm.I64_CONST)) + signed(loop.cost())
        out += bytes((wasm.I64_MUL, wasm.I64_SUB, wasm.LOCAL_SET)) + self._count

    def _counted(self) -> bytes:
        """Return code that pushes what was counted in the local."""
        code = bytes((wasm.I64_CONST,)) + signed(ENDLESS)
        return code + bytes((wasm.LOCAL_GET,)) + self._count + bytes((wasm.I64_SUB,))
