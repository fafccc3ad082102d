"""The inline pass: put the bodies of short functions where they are called.

The artifact was built for size: what a C compiler usually inlines, a look at an object's type or
a step of the allocator, is a call there, and the engine does not inline either. A short function
without loops becomes a block at each of its calls: its parameters and locals become locals of the
caller, its ``return`` a branch to the block's end. Nothing else changes, so a program does the
same with it and without. It runs before the spill pass, which then sees one function instead of
two, and keeps one frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from wattest.emulator.spill import wasm
from wattest.emulator.spill.wasm import F32, F64, I32, I64, Function, Module, unsigned

INLINE_VERSION = 1
"""Part of the cache key; raise it with every change of the output."""

_CALLEE_MOST = 100  # instructions
_CALLER_MOST = 1500  # the interpreter's big loop has no registers to spare
_NEVER = frozenset((wasm.LOOP, wasm.TRY_TABLE, wasm.GLOBAL_SET))
_LOCALS = frozenset((wasm.LOCAL_GET, wasm.LOCAL_SET, wasm.LOCAL_TEE))
_ZERO = {
    I32: bytes((wasm.I32_CONST, 0)),
    I64: bytes((wasm.I64_CONST, 0)),
    F32: bytes((wasm.F32_CONST,)) + bytes(4),
    F64: bytes((wasm.F64_CONST,)) + bytes(8),
}


def inline_calls(data: bytes) -> bytes:
    """Rewrite a module so that it calls short functions less.

    Args:
        data: a ``.wasm`` file.

    Returns:
        The rewritten file, the same on every machine.

    Raises:
        ValueError: the module uses what the pass does not understand.
    """
    module = Module(data)
    first = module.imported_functions
    short = {
        number: function
        for number, function in enumerate(module.functions, first)
        if _is_short(number, function)
    }
    bodies = []
    for function in module.functions:
        wanted = any(_callee(i, short) is not None for i in function.instructions)
        if wanted and len(function.instructions) <= _CALLER_MOST:
            bodies.append(_Caller(module, function, short).body())
        else:
            bodies.append(function.body)
    return module.with_bodies(bodies)


def _is_short(number: int, function: Function) -> bool:
    instructions = function.instructions
    return (
        len(instructions) <= _CALLEE_MOST
        and len(function.signature.results) <= 1
        and not any(op in _NEVER for op, *_ in instructions)
        and not any((op, value) == (wasm.CALL, number) for op, value, *_ in instructions)
    )


def _callee(instruction: wasm.Instruction, short: dict[int, Function]) -> Function | None:
    return short.get(instruction.immediate) if instruction.op == wasm.CALL else None


class _Caller:
    """Writes the new body of one function."""

    def __init__(self, module: Module, function: Function, short: dict[int, Function]) -> None:
        self._module = module
        self._function = function
        self._short = short
        self._first_new = len(function.signature.parameters) + len(function.local_types)
        self._new_types: list[int] = []
        self._out = bytearray()

    def body(self) -> bytes:
        """Return locals and code of the new body."""
        for instruction in self._function.instructions:
            callee = _callee(instruction, self._short)
            if callee is None:
                self._out += self._module.data[instruction.start : instruction.stop]
            else:
                self._call(callee)
        types = (*self._function.local_types, *self._new_types)
        return wasm.encode_locals(types) + bytes(self._out)

    def _places(self, types: Sequence[int]) -> list[int]:
        """Return a local of the caller for each type; bodies one after the other share them."""
        places: list[int] = []
        for kind in types:
            free = (
                self._first_new + place
                for place, new in enumerate(self._new_types)
                if new == kind and self._first_new + place not in places
            )
            place = next(free, None)
            if place is None:
                place = self._first_new + len(self._new_types)
                self._new_types.append(kind)
            places.append(place)
        return places

    def _call(self, callee: Function) -> None:
        """Write a call as a block: arguments from the stack, locals zero, then the body."""
        out, parameters = self._out, callee.signature.parameters
        places = self._places(parameters + callee.local_types)
        for place in reversed(places[: len(parameters)]):
            out += bytes((wasm.LOCAL_SET,)) + unsigned(place)
        for place, kind in zip(places[len(parameters) :], callee.local_types, strict=True):
            out += _ZERO[kind] + bytes((wasm.LOCAL_SET,)) + unsigned(place)
        out += bytes((wasm.BLOCK,)) + self._module.block_type(callee.signature.results)
        depth = 0
        for op, immediate, start, stop in callee.instructions[:-1]:
            if op in _LOCALS:
                out += bytes((op,)) + unsigned(places[immediate])
            elif op == wasm.RETURN:
                out += bytes((wasm.BR,)) + unsigned(depth)
            else:
                out += self._module.data[start:stop]
            depth += (op in wasm.BLOCKS) - (op == wasm.END)
        out.append(wasm.END)
