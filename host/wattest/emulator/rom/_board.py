"""The one channel from these shims to the emulated hardware.

A request is eight 32-bit words; reading ``/dev/board`` into them makes it, and the answer is in
the same words. Buffers are named by address. Reading a file object into a buffer allocates nothing
on the heap, so a caller may hold ``micropython.heap_lock()`` as on real hardware.

Soft interrupts run at jumps and inside waits, never between plain assignments: so requests are
filled without a jump, and waits have words of their own.
"""

from array import array

q = array("I", (0, 0, 0, 0, 0, 0, 0, 0))
dev = open("/dev/board", "rb")
_waiting = array("I", q)


def call(op, a=0, b=0, c=0, d=0):
    """Make a request; the answer is in ``q``."""
    q[0] = op
    q[1] = a
    q[2] = b
    q[3] = c
    q[4] = d
    dev.readinto(q)
    return q[1]


def wait(op, us, seconds=0, on_input=0):
    """Block for ``seconds`` and ``us``; soft interrupts run meanwhile.

    Returns 1 when the time is up, 2 when input can be read.
    """
    global _waiting
    words, _waiting = _waiting, None
    if words is None:  # a callback waits inside another wait
        words = array("I", q)
    words[0] = op
    words[1] = us
    words[2] = seconds
    words[3] = on_input
    dev.readinto(words)
    _waiting = words
    return words[0]
