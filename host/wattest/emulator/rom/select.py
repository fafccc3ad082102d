"""``select.poll`` on the console, as one wait; ``ipoll`` allocates nothing, as on a board."""

import sys
from errno import EINVAL
from micropython import const
from _board import wait

POLLIN = const(1)
POLLOUT = const(4)
POLLERR = const(8)
POLLHUP = const(16)

_POLL = const(2)
_INPUT = const(2)
_FOREVER = const(0xFFFFFFFF)


class poll:
    def __init__(self):
        self._objects = {}
        self._hits = ()
        self._ready = ()
        self._reads = 0

    def register(self, obj, eventmask=POLLIN | POLLOUT):
        if obj not in (sys.stdin, sys.stdin.buffer, sys.stdout, sys.stdout.buffer):
            raise OSError(EINVAL)
        self._objects[id(obj)] = (obj, eventmask)
        self._prepare()

    def modify(self, obj, eventmask):
        if id(obj) not in self._objects:
            raise OSError(EINVAL)
        self.register(obj, eventmask)

    def unregister(self, obj):
        self._objects.pop(id(obj))
        self._prepare()

    def _prepare(self):
        # What a wait can end with is known beforehand: then ipoll needs no memory.
        every = self._objects.values()
        self._ready = tuple([(o, POLLOUT) for o, m in every if m & POLLOUT])
        readable = [
            (o, m & (POLLIN | POLLOUT))
            for o, m in every
            if m & POLLIN and o in (sys.stdin, sys.stdin.buffer)
        ]
        rest = [(o, POLLOUT) for o, m in every if m & POLLOUT and not m & POLLIN]
        self._hits = tuple(readable + rest)
        self._reads = 1 if readable else 0

    def ipoll(self, timeout=-1, flags=0):
        if self._ready:
            timeout = 0
        if timeout < 0:
            ended = wait(_POLL, 0, _FOREVER, self._reads)
        else:
            ended = wait(_POLL, timeout % 1000 * 1000, timeout // 1000, self._reads)
        return self._hits if ended == _INPUT else self._ready

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))
