"""Read and write the parts of the WebAssembly binary format that the spill pass needs.

Only what a MicroPython build uses is understood: MVP, bulk memory, sign extension, saturating
truncation, reference types and exception handling with ``try_table``. Anything else raises
`ValueError`, because rewriting code one does not understand would corrupt it silently.

Source:
    WebAssembly Core Specification 2.0, section 5 (binary format); exception-handling proposal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

I32, I64, F32, F64 = 0x7F, 0x7E, 0x7D, 0x7C

UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05
THROW, THROW_REF, END, BR, BR_IF, BR_TABLE, RETURN = 0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F
CALL, CALL_INDIRECT, DROP, SELECT, SELECT_TYPED, TRY_TABLE = 0x10, 0x11, 0x1A, 0x1B, 0x1C, 0x1F
LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET = 0x20, 0x21, 0x22, 0x23, 0x24
TABLE_GET, TABLE_SET, I32_STORE, MEMORY_SIZE, MEMORY_GROW = 0x25, 0x26, 0x36, 0x3F, 0x40
I32_CONST, I64_CONST, F32_CONST, F64_CONST = 0x41, 0x42, 0x43, 0x44
I32_ADD, I32_SUB, I32_AND = 0x6A, 0x6B, 0x71
I32_EQZ, I64_LT_S, I64_SUB, I64_MUL, I64_SHR_U = 0x45, 0x53, 0x7D, 0x7E, 0x88
I64_EXTEND_I32_U = 0xAD
REF_NULL, REF_IS_NULL, REF_FUNC, PREFIX_FC = 0xD0, 0xD1, 0xD2, 0xFC

BLOCKS = frozenset((BLOCK, LOOP, IF, TRY_TABLE))
_INDEXED = frozenset(
    (BR, BR_IF, CALL, LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET, THROW)
) | {TABLE_GET, TABLE_SET, REF_FUNC}
_BARE = frozenset(
    (UNREACHABLE, NOP, ELSE, THROW_REF, END, RETURN, DROP, SELECT, REF_IS_NULL)
) | frozenset(range(0x45, 0xC5))
_VOID_BLOCK = -64

SECTION_TYPE, SECTION_IMPORT, SECTION_FUNCTION = 1, 2, 3
SECTION_GLOBAL, SECTION_EXPORT, SECTION_CODE, SECTION_TAG = 6, 7, 10, 13
_EXPORTED_GLOBAL = 3


class Instruction(NamedTuple):
    """One decoded instruction: opcode, immediate, and its bytes ``[start, stop)`` of the module.

    ``immediate`` is an index or constant, a list of labels for ``br_table``, the pair (type,
    table) for ``call_indirect``, the pair (block type, catch labels) for ``try_table``, or None.
    """

    op: int
    immediate: Any
    start: int
    stop: int


class Signature(NamedTuple):
    """Types a function or block takes and leaves, in order."""

    parameters: list[int]
    results: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One defined function: its signature, its own locals (one type each), its instructions."""

    signature: Signature
    local_types: list[int]
    instructions: list[Instruction]
    body: bytes


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number; return it and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def read_signed(data: bytes, at: int) -> tuple[int, int]:
    """Read a signed LEB128 number; return it and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value - (1 << shift) if byte & 64 else value), at


def unsigned(value: int) -> bytes:
    """Encode ``value`` >= 0 as unsigned LEB128."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Encode ``value`` as signed LEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value & 127)
    return bytes(out)


def encode_locals(types: Iterable[int]) -> bytes:
    """Encode a function's own locals, one type each."""
    runs: list[list[int]] = []
    for kind in types:
        if runs and runs[-1][1] == kind:
            runs[-1][0] += 1
        else:
            runs.append([1, kind])
    groups = b"".join(unsigned(count) + bytes((kind,)) for count, kind in runs)
    return unsigned(len(runs)) + groups


def _decode_try_table(data: bytes, at: int) -> tuple[tuple[int, list[int]], int]:
    block_type, at = read_signed(data, at)
    count, at = read_unsigned(data, at)
    labels = []
    for _ in range(count):
        kind = data[at]
        at += 1
        if kind < 2:  # catch and catch_ref name a tag, the catch_all forms do not
            _, at = read_unsigned(data, at)
        label, at = read_unsigned(data, at)
        labels.append(label)
    return (block_type, labels), at


def _decode_prefixed(data: bytes, at: int) -> tuple[int, int]:
    code, at = read_unsigned(data, at)
    if code > 11:
        raise ValueError(f"instruction fc {code} at {at:#x} is not supported")
    if code in (8, 9):  # memory.init, data.drop name a data segment
        _, at = read_unsigned(data, at)
    return code, at + {8: 1, 10: 2, 11: 1}.get(code, 0)


def _decode_immediate(data: bytes, op: int, at: int) -> tuple[Any, int]:
    if op in _BARE:
        return None, at
    if op in _INDEXED:
        return read_unsigned(data, at)
    if 0x28 <= op <= 0x3E or op == CALL_INDIRECT:
        first, at = read_unsigned(data, at)
        second, at = read_unsigned(data, at)
        return (first, second), at
    if op in (I32_CONST, I64_CONST, BLOCK, LOOP, IF):
        return read_signed(data, at)
    if op == TRY_TABLE:
        return _decode_try_table(data, at)
    if op == BR_TABLE:
        count, at = read_unsigned(data, at)
        labels = []
        for _ in range(count + 1):
            label, at = read_unsigned(data, at)
            labels.append(label)
        return labels, at
    if op == SELECT_TYPED:
        count, at = read_unsigned(data, at)
        return list(data[at : at + count]), at + count
    if op == PREFIX_FC:
        return _decode_prefixed(data, at)
    width = {F32_CONST: 4, F64_CONST: 8, MEMORY_SIZE: 1, MEMORY_GROW: 1, REF_NULL: 1}.get(op)
    if width is None:
        raise ValueError(f"instruction {op:#04x} at {at - 1:#x} is not supported")
    return None, at + width


def decode(data: bytes, at: int, end: int) -> list[Instruction]:
    """Decode the instructions in ``data[at:end]``.

    Raises:
        ValueError: an instruction outside the supported set.
    """
    out = []
    while at < end:
        start = at
        op = data[at]
        immediate, at = _decode_immediate(data, op, at + 1)
        out.append(Instruction(op, immediate, start, at))
    return out


def _code(bodies: list[bytes]) -> bytes:
    return unsigned(len(bodies)) + b"".join(unsigned(len(body)) + body for body in bodies)


class Module:
    """A parsed module: sections kept verbatim, functions decoded.

    Args:
        data: the whole ``.wasm`` file.

    Raises:
        ValueError: not a module, or one that uses what this pass does not understand.
    """

    def __init__(self, data: bytes) -> None:
        if data[:8] != b"\0asm\1\0\0\0":
            raise ValueError("not a WebAssembly 1.0 module")
        self.data = data
        self.types: list[Signature] = []
        self.function_types: list[int] = []
        self.import_names: list[str] = []
        self.global_types: list[int] = []
        self.functions: list[Function] = []
        self.sections: list[tuple[int, int, int]] = []
        at = 8
        while at < len(data):
            section = data[at]
            size, start = read_unsigned(data, at + 1)
            self.sections.append((section, start, start + size))
            at = start + size
        readers = {
            SECTION_TYPE: self._read_types,
            SECTION_IMPORT: self._read_imports,
            SECTION_FUNCTION: self._read_function_types,
            SECTION_GLOBAL: self._read_globals,
            SECTION_CODE: self._read_code,
        }
        for section, start, _ in self.sections:
            if section in readers:
                readers[section](start)

    def block_signature(self, block_type: int) -> Signature:
        """Return what a block of ``block_type`` takes and leaves."""
        if block_type == _VOID_BLOCK:
            return Signature([], [])
        if block_type < 0:
            return Signature([], [block_type & 127])
        return self.types[block_type]

    def block_type(self, results: list[int]) -> bytes:
        """Return the encoded type of a block that takes nothing and leaves ``results``."""
        if not results:
            return b"\x40"
        if len(results) == 1:
            return bytes(results)
        return signed(self.types.index(Signature([], results)))

    @property
    def imported_functions(self) -> int:
        """How many functions come before the first defined one."""
        return len(self.import_names)

    def with_bodies(self, bodies: list[bytes]) -> bytes:
        """Return the module with its function bodies replaced, all else byte for byte."""
        return self._with({SECTION_CODE: _code(bodies)})

    def with_bodies_and_clock(self, bodies: list[bytes], name: str) -> bytes:
        """Return the module with new bodies and a new global: a variable i64, exported, 0."""
        encoded = name.encode()
        export = unsigned(len(encoded)) + encoded
        export += bytes((_EXPORTED_GLOBAL,)) + unsigned(len(self.global_types))
        return self._with(
            {
                SECTION_CODE: _code(bodies),
                SECTION_GLOBAL: self._appended(SECTION_GLOBAL, bytes((I64, 1, I64_CONST, 0, END))),
                SECTION_EXPORT: self._appended(SECTION_EXPORT, export),
            }
        )

    def _appended(self, wanted: int, item: bytes) -> bytes:
        """Return the content of a section that is a list, with one more item."""
        for section, start, end in self.sections:
            if section == wanted:
                count, first = read_unsigned(self.data, start)
                return unsigned(count + 1) + self.data[first:end] + item
        raise ValueError(f"the module has no section {wanted}")

    def _with(self, contents: Mapping[int, bytes]) -> bytes:
        """Return the module with some sections replaced."""
        out = bytearray(self.data[:8])
        for section, start, end in self.sections:
            content = contents.get(section, self.data[start:end])
            out += bytes((section,)) + unsigned(len(content)) + content
        return bytes(out)

    def _read_types(self, at: int) -> None:
        count, at = read_unsigned(self.data, at)
        for _ in range(count):
            if self.data[at] != 0x60:
                raise ValueError(f"type {self.data[at]:#x} is not a function type")
            size, at = read_unsigned(self.data, at + 1)
            parameters = list(self.data[at : at + size])
            size, at = read_unsigned(self.data, at + size)
            self.types.append(Signature(parameters, list(self.data[at : at + size])))
            at += size

    def _read_imports(self, at: int) -> None:
        count, at = read_unsigned(self.data, at)
        for _ in range(count):
            for _name in range(2):
                size, start = read_unsigned(self.data, at)
                at = start + size
            name = self.data[start:at].decode()
            if self.data[at] != 0:
                raise ValueError("only functions may be imported")
            index, at = read_unsigned(self.data, at + 1)
            self.function_types.append(index)
            self.import_names.append(name)

    def _read_function_types(self, at: int) -> None:
        count, at = read_unsigned(self.data, at)
        for _ in range(count):
            index, at = read_unsigned(self.data, at)
            self.function_types.append(index)

    def _read_globals(self, at: int) -> None:
        count, at = read_unsigned(self.data, at)
        for _ in range(count):
            self.global_types.append(self.data[at])
            at += 2
            while self.data[at] != END:
                if self.data[at] != I32_CONST:
                    raise ValueError("a global is not initialised by an i32 constant")
                _, at = read_signed(self.data, at + 1)
            at += 1

    def _read_code(self, at: int) -> None:
        count, at = read_unsigned(self.data, at)
        for index in range(count):
            size, at = read_unsigned(self.data, at)
            end = at + size
            start = at
            groups, at = read_unsigned(self.data, at)
            local_types: list[int] = []
            for _ in range(groups):
                repeat, at = read_unsigned(self.data, at)
                local_types += [self.data[at]] * repeat
                at += 1
            kind = self.function_types[self.imported_functions + index]
            self.functions.append(
                Function(
                    signature=self.types[kind],
                    local_types=local_types,
                    instructions=decode(self.data, at, end),
                    body=self.data[start:end],
                )
            )
            at = end
