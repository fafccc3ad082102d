"""The operand stack of one function: which values lie beneath a call, and what made each value.

Compilers leave many values on the operand stack across calls instead of in locals. A collector
cannot see those either, so the pass has to find them. It also has to know how a pointer was
computed: MicroPython's collector honours only pointers to the *start* of a block, so for
``p = base + k`` the base must stay visible as long as ``p`` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattest.emulator.spill import wasm
from wattest.emulator.spill.wasm import F32, F64, I32, I64, Function, Module

_I, _L, _F, _D = [I32], [I64], [F32], [F64]


def _effects() -> dict[int, tuple[int, list[int]]]:
    """Return opcode -> (number of operands, result types) of the plain instructions.

    Source: WebAssembly Core Specification, section 5.4 (opcodes) and 3.3 (typing).
    """
    rows: list[tuple[Iterable[int], int, list[int]]] = [
        ((0x28, *range(0x2C, 0x30)), 1, _I),  # loads
        ((0x29, *range(0x30, 0x36)), 1, _L),
        ((0x2A,), 1, _F),
        ((0x2B,), 1, _D),
        (range(0x36, 0x3F), 2, []),  # stores
        ((0x3F, 0x41), 0, _I),
        ((0x40,), 1, _I),
        ((0x42,), 0, _L),
        ((0x43,), 0, _F),
        ((0x44,), 0, _D),
        ((0x45, 0x50), 1, _I),  # tests and comparisons
        ((*range(0x46, 0x50), *range(0x51, 0x67)), 2, _I),
        (range(0x67, 0x6A), 1, _I),  # arithmetic
        (range(0x6A, 0x79), 2, _I),
        (range(0x79, 0x7C), 1, _L),
        (range(0x7C, 0x8B), 2, _L),
        (range(0x8B, 0x92), 1, _F),
        (range(0x92, 0x99), 2, _F),
        (range(0x99, 0xA0), 1, _D),
        (range(0xA0, 0xA7), 2, _D),
        ((0xA7, 0xA8, 0xA9, 0xAA, 0xAB, 0xBC, 0xC0, 0xC1), 1, _I),  # conversions
        ((*range(0xAC, 0xB2), 0xBD, 0xC2, 0xC3, 0xC4), 1, _L),
        ((*range(0xB2, 0xB7), 0xBE), 1, _F),
        ((*range(0xB7, 0xBC), 0xBF), 1, _D),
    ]
    return {op: (pops, pushes) for ops, pops, pushes in rows for op in ops}


_EFFECTS = _effects()
_PREFIXED_EFFECTS: dict[int, tuple[int, list[int]]] = {
    **dict.fromkeys(range(4), (1, _I)),  # saturating truncations
    **dict.fromkeys(range(4, 8), (1, _L)),
    **dict.fromkeys((8, 10, 11), (3, [])),  # bulk memory
    9: (0, []),
}
_DERIVING = frozenset((wasm.I32_ADD, wasm.I32_SUB, wasm.I32_AND))
_NEVER_POINTERS = frozenset((wasm.I32_CONST, wasm.GLOBAL_GET, *range(0x45, 0x67)))
_NUMBERS = _NEVER_POINTERS.union(
    range(0x2C, 0x30),  # narrow loads
    (0x3F, 0x40),  # size of the memory
    range(0x67, 0x6A),  # counts of bits
    range(0x6C, 0x71),  # products and quotients
    range(0x74, 0x79),  # shifts
    (*range(0xA8, 0xAC), 0xC0, 0xC1),  # from floats, extensions of narrow numbers
)
"""What makes an i32 that cannot be a pointer, whatever it is made of."""
_LOWEST_POINTER = 1 << 16
_REFERENCE = 0x69


class _Value:
    """One value on the operand stack: its type and the instruction that pushed it."""

    __slots__ = ("kind", "order", "producer")

    def __init__(self, kind: int, producer: int, order: int) -> None:
        self.kind = kind
        self.producer = producer
        self.order = order


@dataclass(slots=True)
class _Frame:
    """One open block: the stack height below it and whether its rest cannot be reached."""

    height: int
    parameters: list[int]
    results: list[int]
    unreachable: bool = False


@dataclass(slots=True)
class OperandStack:
    """What the pass needs to know about a function's operand stack.

    Attributes:
        temporaries: instructions whose i32 result lies beneath a collecting call.
        operands: for additions, subtractions, masks, selects and local writes: the instructions
            that made their operands, last operand first.
    """

    temporaries: set[int] = field(default_factory=set)
    operands: dict[int, tuple[int, ...]] = field(default_factory=dict)


class _Walker:
    """Symbolic execution of a function body, as a validator does it."""

    def __init__(self, module: Module, function: Function, calls: frozenset[int]) -> None:
        self.module = module
        self.calls = calls
        self.local_types = function.signature.parameters + function.local_types
        self.values: list[_Value] = []
        self.frames = [_Frame(0, [], function.signature.results)]
        self.found = OperandStack()

    def pop(self, count: int) -> list[_Value | None]:
        """Take ``count`` values, last first; None stands for one in unreachable code."""
        taken: list[_Value | None] = []
        frame = self.frames[-1]
        for _ in range(count):
            if len(self.values) > frame.height:
                taken.append(self.values.pop())
            elif frame.unreachable:
                taken.append(None)
            else:
                raise ValueError("operand stack underflow")
        return taken

    def push(self, kinds: list[int], producer: int) -> None:
        last = len(kinds) - 1
        self.values.extend(
            _Value(kind, producer, last - place) for place, kind in enumerate(kinds)
        )

    def step(self, index: int, op: int, immediate: object) -> None:
        effect = _EFFECTS.get(op)
        if effect is not None:
            taken = self.pop(effect[0])
            self.push(effect[1], index)
            if op in _DERIVING:
                self._trace(index, taken)
        elif op in wasm.BLOCKS or op in (wasm.ELSE, wasm.END):
            self._structure(index, op, immediate)
        elif op in (wasm.CALL, wasm.CALL_INDIRECT):
            self._call(index, op, immediate)
        elif op in _DIVERTING:
            self._leave()
        else:
            self._data(index, op, immediate)

    def _trace(self, index: int, taken: list[_Value | None]) -> None:
        self.found.operands[index] = tuple(value.producer for value in taken if value)

    def _data(self, index: int, op: int, immediate: object) -> None:
        match op, immediate:
            case wasm.LOCAL_GET, int(local):
                self.push([self.local_types[local]], index)
            case wasm.LOCAL_SET, _:
                self._trace(index, self.pop(1))
            case wasm.LOCAL_TEE, int(local):
                self._trace(index, self.pop(1))
                self.push([self.local_types[local]], index)
            case wasm.GLOBAL_GET, int(number):
                self.push([self.module.global_types[number]], index)
            case ((wasm.GLOBAL_SET | wasm.DROP | wasm.BR_IF), _):
                self.pop(1)
            case wasm.SELECT, _:
                self.pop(1)
                taken = self.pop(2)
                known = next((value.kind for value in taken if value), I32)
                self.push([known], index)
                self._trace(index, taken)
            case wasm.SELECT_TYPED, list(kinds):
                self.pop(3)
                self.push(kinds, index)
            case wasm.PREFIX_FC, int(code):
                pops, pushes = _PREFIXED_EFFECTS[code]
                self.pop(pops)
                self.push(pushes, index)
            case wasm.REF_NULL, _:
                self.push([_REFERENCE], index)
            case wasm.NOP, _:
                pass
            case _:
                raise ValueError(f"instruction {op:#04x} is not supported by the spill pass")

    def _call(self, index: int, op: int, immediate: object) -> None:
        if op == wasm.CALL:
            assert isinstance(immediate, int)
            signature = self.module.types[self.module.function_types[immediate]]
        else:
            assert isinstance(immediate, tuple)
            signature = self.module.types[immediate[0]]
            self.pop(1)
        self.pop(len(signature.parameters))
        if index in self.calls:
            self._keep_values_beneath()
        self.push(signature.results, index)

    def _keep_values_beneath(self) -> None:
        for value in self.values:
            if value.kind != I32:
                continue
            if value.order:
                raise ValueError("an instruction with several results lies beneath a call")
            self.found.temporaries.add(value.producer)

    def _structure(self, index: int, op: int, immediate: object) -> None:
        if op == wasm.END:
            frame = self.frames.pop()
            del self.values[frame.height :]
            if self.frames:
                self.push(frame.results, index)
            return
        if op == wasm.ELSE:
            frame = self.frames[-1]
            del self.values[frame.height :]
            frame.unreachable = False
            self.push(frame.parameters, index)
            return
        if op == wasm.IF:
            self.pop(1)
        block_type = immediate[0] if isinstance(immediate, tuple) else immediate
        assert isinstance(block_type, int)
        signature = self.module.block_signature(block_type)
        self.pop(len(signature.parameters))
        self.frames.append(_Frame(len(self.values), signature.parameters, signature.results))
        self.push(signature.parameters, index)

    def _leave(self) -> None:
        frame = self.frames[-1]
        del self.values[frame.height :]
        frame.unreachable = True


_DIVERTING = frozenset(
    (wasm.BR, wasm.BR_TABLE, wasm.RETURN, wasm.UNREACHABLE, wasm.THROW, wasm.THROW_REF)
)


def walk(module: Module, function: Function, calls: frozenset[int]) -> OperandStack:
    """Follow the operand stack through ``function``.

    Args:
        module: the module it belongs to.
        function: the function.
        calls: indices of its calls that may collect.

    Raises:
        ValueError: the code is not valid, or uses what the pass does not support.
    """
    walker = _Walker(module, function, calls)
    for index, (op, immediate, *_) in enumerate(function.instructions):
        walker.step(index, op, immediate)
    instructions = function.instructions
    walker.found.temporaries = {
        index
        for index in walker.found.temporaries
        if instructions[index].op not in _NEVER_POINTERS
    }
    return walker.found


def locals_behind(
    function: Function, stack: OperandStack, index: int, depth: int = 0
) -> frozenset[int]:
    """Return the locals from which the i32 made at ``index`` was computed.

    Follows additions, subtractions, masks and selects, at most 8 deep; loads and calls make new
    pointers and end the search.
    """
    op, immediate, *_ = function.instructions[index]
    if op in (wasm.LOCAL_GET, wasm.LOCAL_TEE):
        return frozenset((immediate,))
    if (op in _DERIVING or op == wasm.SELECT) and depth < 8:
        return frozenset().union(
            *(
                locals_behind(function, stack, producer, depth + 1)
                for producer in stack.operands.get(index, ())
            )
        )
    return frozenset()


def pointer_locals(function: Function, stack: OperandStack) -> int:
    """Return the bit set of locals that may hold a pointer into the heap.

    The others hold only numbers: sizes, flags, characters, static addresses. A parameter may
    always be a pointer, and so may what comes from a call, a block, or a 32-bit load.
    """
    writes = [
        (local, stack.operands.get(index, ()))
        for index, (op, local, *_) in enumerate(function.instructions)
        if op in (wasm.LOCAL_SET, wasm.LOCAL_TEE)
    ]
    found, before = (1 << len(function.signature.parameters)) - 1, -1
    while found != before:
        before = found
        for local, producers in writes:
            if not producers or may_be_pointer(function, stack, producers[0], found):
                found |= 1 << local
    return found


def may_be_pointer(
    function: Function, stack: OperandStack, index: int, locals_: int, depth: int = 0
) -> bool:
    """Tell whether the i32 made at ``index`` may be a pointer, if only ``locals_`` hold any."""
    op, immediate, *_ = function.instructions[index]
    if op in _NUMBERS:
        return False
    if op in (wasm.LOCAL_GET, wasm.LOCAL_TEE):
        return bool(locals_ >> immediate & 1)
    operands = stack.operands.get(index, ())
    if not is_derived(op) or len(operands) < 2 or depth > 8:
        return True
    if op == wasm.I32_AND and any(_is_small(function, operand) for operand in operands):
        return False
    return any(
        may_be_pointer(function, stack, operand, locals_, depth + 1) for operand in operands
    )


def _is_small(function: Function, index: int) -> bool:
    op, value, *_ = function.instructions[index]
    return op == wasm.I32_CONST and 0 <= value < _LOWEST_POINTER


def is_derived(op: int) -> bool:
    """Tell whether ``op`` may turn a pointer to a block's start into one to its inside."""
    return op in _DERIVING or op == wasm.SELECT
