"""The process side of WASI: arguments, environment, exit."""

# ruff: noqa: D102 - the methods are WASI functions
from __future__ import annotations

from collections.abc import Sequence

from wattest.emulator.guest_memory import GuestMemory
from wattest.emulator.wasi_abi import Errno


class GuestExit(Exception):
    """The guest called exit."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Process:
    """Arguments and exit of one guest; there is no environment.

    Args:
        memory: the guest's memory.
        arguments: the command line.
        result_capacity_bytes: what ``host_result_cap`` tells the guest.
    """

    def __init__(
        self, memory: GuestMemory, arguments: Sequence[str], result_capacity_bytes: int
    ) -> None:
        self._memory = memory
        self._arguments = [argument.encode() + b"\0" for argument in arguments]
        self._result_capacity_bytes = result_capacity_bytes

    def args_sizes_get(self, count_at: int, size_at: int) -> int:
        self._memory.write_u32(count_at, len(self._arguments))
        self._memory.write_u32(size_at, sum(map(len, self._arguments)))
        return Errno.SUCCESS

    def args_get(self, pointers_at: int, text_at: int) -> int:
        for argument in self._arguments:
            self._memory.write_u32(pointers_at, text_at)
            self._memory.write(text_at, argument)
            pointers_at += 4
            text_at += len(argument)
        return Errno.SUCCESS

    def environ_sizes_get(self, count_at: int, size_at: int) -> int:
        self._memory.write_u32(count_at, 0)
        self._memory.write_u32(size_at, 0)
        return Errno.SUCCESS

    def environ_get(self, _pointers_at: int, _text_at: int) -> int:
        return Errno.SUCCESS

    def host_result_cap(self) -> int:
        return self._result_capacity_bytes

    def proc_exit(self, code: int) -> int:
        raise GuestExit(code)
