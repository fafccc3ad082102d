"""Where MicroPython keeps its scheduler in the pinned build, and how to poke it.

Interrupts reach a guest the way they reach a board: from outside, between two instructions. The
guest is suspended while its memory is changed, either in a blocking call or at the end of a fuel
slice (a function entry or a loop head), never inside the few stores of its own scheduler code.

The addresses hold for exactly the artifact that `artifact` pins; the spill pass does not move
anything in linear memory.

Source:
    MicroPython v1.27 py/mpstate.h (``mp_state_ctx_t``), py/scheduler.c.
"""

from __future__ import annotations

import struct

from wattest.emulator.guest_memory import GuestMemory

STATE_CONTEXT = 66772  # mp_state_ctx.thread: stack_top, stack_limit, ...
_STACK_LIMIT = STATE_CONTEXT + 4
_PENDING_EXCEPTION = STATE_CONTEXT + 28
_SCHEDULER_QUEUE = 67176  # four (callable, argument) pairs
_SCHEDULER_STATE = 67236  # int16: 1 idle, 0 pending, -1 locked
_QUEUE_LENGTH = 67238
_QUEUE_FIRST = 67239
KEYBOARD_EXCEPTION = 67084  # mp_kbd_exception: type, traceback sizes, traceback data, arguments
KEYBOARD_INTERRUPT_TYPE = 22996  # id(KeyboardInterrupt)

QUEUE_DEPTH = 4
BOOT_STACK_LIMIT_BYTES = 40_000
"""What the machine's own start code sets."""

_IDLE = 1
_PENDING = b"\0\0"
_I16 = struct.Struct("<h")
_PAIR = struct.Struct("<II")


class Scheduler:
    """The guest's scheduler, seen from outside.

    Args:
        memory: the guest's memory; the guest must be suspended at every call.
    """

    __slots__ = ("_memory",)

    def __init__(self, memory: GuestMemory) -> None:
        self._memory = memory

    def is_initialised(self) -> bool:
        """Tell whether the machine has set up its stack limit and its interrupt exception.

        The exception's first word is its type's address, so this also proves that the
        addresses of this module belong to this machine.
        """
        memory = self._memory
        return (
            memory.read_u32(KEYBOARD_EXCEPTION) == KEYBOARD_INTERRUPT_TYPE
            and memory.read_u32(_STACK_LIMIT) == BOOT_STACK_LIMIT_BYTES
        )

    def set_stack_limit(self, limit_bytes: int) -> None:
        """Move the depth at which the guest raises RuntimeError for recursion."""
        self._memory.write_u32(_STACK_LIMIT, limit_bytes)

    def raise_keyboard_interrupt(self) -> None:
        """Make KeyboardInterrupt pending; it is raised at the next bytecode boundary."""
        self._memory.write_u32(KEYBOARD_EXCEPTION + 8, 0)  # no old traceback
        self._memory.write_u32(_PENDING_EXCEPTION, KEYBOARD_EXCEPTION)
        self._mark_pending()

    def schedule(self, object_id: int, argument: int) -> bool:
        """Queue a callable, as ``micropython.schedule`` does.

        Args:
            object_id: ``id()`` of a callable that the guest keeps alive.
            argument: small int, -2**30 <= argument < 2**30.

        Returns:
            False if the queue is full, as it may be on a board.
        """
        length, first = self._memory.read(_QUEUE_LENGTH, 2)
        if length >= QUEUE_DEPTH:
            return False
        place = _SCHEDULER_QUEUE + 8 * ((first + length) % QUEUE_DEPTH)
        small_int = (argument << 1 | 1) & 0xFFFFFFFF
        self._memory.write(place, _PAIR.pack(object_id, small_int))
        self._memory.write(_QUEUE_LENGTH, bytes((length + 1,)))
        self._mark_pending()
        return True

    def has_exception(self) -> bool:
        """Tell whether an exception is pending."""
        return self._memory.read_u32(_PENDING_EXCEPTION) != 0

    def has_callback(self) -> bool:
        """Tell whether a queued callable would run at the next bytecode boundary."""
        return self._memory.read(_SCHEDULER_STATE, 2) == _PENDING and bool(
            self._memory.read(_QUEUE_LENGTH, 1)[0]
        )

    def _mark_pending(self) -> None:
        state = _I16.unpack(self._memory.read(_SCHEDULER_STATE, 2))[0]
        if state == _IDLE:  # a locked scheduler becomes pending by itself when it unlocks
            self._memory.write(_SCHEDULER_STATE, _PENDING)
