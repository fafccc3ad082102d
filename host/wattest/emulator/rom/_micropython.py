"""``micropython`` with the calls an ESP32 has and this interpreter lacks."""

from micropython import (
    const,
    RingIO,
    heap_lock,
    heap_unlock,
    mem_info,
    opt_level,
    qstr_info,
    schedule,
    stack_use,
)

_KBD_INTR = const(60)


def kbd_intr(char):
    import _board

    _board.call(_KBD_INTR, char & 0xFFFFFFFF)


def alloc_emergency_exception_buf(size):
    """Accepted; exceptions raised under ``heap_lock`` are MemoryError here all the same."""
