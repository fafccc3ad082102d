"""A guest's linear memory, with every access checked against its size.

A wild pointer of the guest must end that guest, never the bench: past the end of the memory
there is host memory, and ctypes would read or write it.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import byref, c_uint64
from typing import Any

from wattest.emulator import runtime

PAGE_BYTES = 65536

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class WildPointer(ValueError):
    """An address range that is not all inside the guest's memory."""


class GuestMemory:
    """Linear memory of one instance.

    Args:
        context: ``wasmtime_context_t*`` of the instance's store.
        memory: its ``wasmtime_memory_t``; kept.

    Attributes:
        size_bytes: size when last looked at; the guest may have grown it since.
    """

    __slots__ = ("_base", "_context", "_memory", "_view", "size_bytes")

    def __init__(self, context: ctypes.c_void_p, memory: ctypes.Structure) -> None:
        self._context = context
        self._memory: ctypes.Structure | None = memory
        # The engine forbids moving the memory, so the base holds for life.
        self._base = runtime.memory_base(context, byref(memory))
        self._look()

    def require(self, address: int, size: int) -> None:
        """Make sure that the bytes ``[address, address + size)`` exist; raises `WildPointer`."""
        if address + size > self.size_bytes or address < 0 or size < 0:
            self._look()
            if address + size > self.size_bytes or address < 0 or size < 0:
                raise WildPointer(
                    f"guest memory has {self.size_bytes} bytes, "
                    f"asked for {size} bytes at {address:#x}"
                )

    def view(self, address: int, size: int) -> memoryview:
        """Return the bytes ``[address, address + size)`` in place; drop it before the guest runs.

        Raises:
            WildPointer: not all of them exist.
        """
        end = address + size
        if end > self.size_bytes or address < 0 or size < 0:
            self.require(address, size)
        return self._view[address:end]

    def unpack(self, layout: struct.Struct, address: int) -> tuple[Any, ...]:
        """Return what is at ``address``, read as ``layout`` says; raises `WildPointer`."""
        if address + layout.size > self.size_bytes or address < 0:
            self.require(address, layout.size)
        return layout.unpack_from(self._view, address)

    def pack(self, layout: struct.Struct, address: int, *values: int) -> None:
        """Write values at ``address`` as ``layout`` says; raises `WildPointer`."""
        if address + layout.size > self.size_bytes or address < 0:
            self.require(address, layout.size)
        layout.pack_into(self._view, address, *values)

    def read(self, address: int, size: int) -> bytes:
        """Return a copy of ``size`` bytes; raises `WildPointer`."""
        return self.view(address, size).tobytes()

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Write ``data`` at ``address``; raises `WildPointer`."""
        end = address + len(data)
        if end > self.size_bytes or address < 0:
            self.require(address, len(data))
        self._view[address:end] = data

    def read_u32(self, address: int) -> int:
        """Return the little-endian word at ``address``; raises `WildPointer`."""
        word: int = self.unpack(_U32, address)[0]
        return word

    def write_u32(self, address: int, value: int) -> None:
        """Write a little-endian word; raises `WildPointer`."""
        self.pack(_U32, address, value)

    def write_u64(self, address: int, value: int) -> None:
        """Write a little-endian double word; raises `WildPointer`."""
        self.pack(_U64, address, value)

    def grow(self, pages: int) -> int:
        """Add ``pages`` of 64 KiB and return the address of the first.

        Raises:
            MemoryError: the limit of the instance is reached.
        """
        before = c_uint64()
        assert self._memory is not None
        error = runtime.memory_grow(self._context, byref(self._memory), pages, byref(before))
        if error:
            raise MemoryError(runtime.take_error(ctypes.c_void_p(error)))
        self._look()
        return before.value * PAGE_BYTES

    def measure(self) -> int:
        """Return the size now, in bytes."""
        self._look()
        return self.size_bytes

    def release(self) -> None:
        """Forget the memory: it is about to be freed."""
        self._view = memoryview(b"")
        self.size_bytes = 0
        self._memory = None

    def _look(self) -> None:
        if self._memory is None:
            return
        self.size_bytes = runtime.memory_size(self._context, byref(self._memory))
        array = (ctypes.c_uint8 * self.size_bytes).from_address(self._base)
        self._view = memoryview(array).cast("B")
