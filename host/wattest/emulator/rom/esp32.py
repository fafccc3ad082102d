"""``esp32.NVS``: small values in flash; only ``commit`` makes them durable."""

from micropython import const
from uctypes import addressof
from _board import q, dev

_NVS_OPEN = const(20)
_NVS_SET_I32 = const(21)
_NVS_GET_I32 = const(22)
_NVS_SET_BLOB = const(23)
_NVS_GET_BLOB = const(24)
_NVS_ERASE = const(25)
_NVS_COMMIT = const(26)


def _ask(op, handle, key, a=0, b=0):
    q[0] = op
    q[1] = handle
    q[2] = addressof(key)
    q[3] = len(key)
    q[4] = a
    q[5] = b
    dev.readinto(q)
    if q[0]:
        from _esp32_error import error

        raise error(q[0])
    return q[1]


class NVS:
    def __init__(self, namespace):
        self._handle = _ask(_NVS_OPEN, 0, namespace.encode())

    def set_i32(self, key, value):
        _ask(_NVS_SET_I32, self._handle, key.encode(), value & 0xFFFFFFFF)

    def get_i32(self, key):
        value = _ask(_NVS_GET_I32, self._handle, key.encode())
        return value - 0x100000000 if value & 0x80000000 else value

    def set_blob(self, key, value):
        _ask(_NVS_SET_BLOB, self._handle, key.encode(), addressof(value), len(value))

    def get_blob(self, key, buffer):
        return _ask(_NVS_GET_BLOB, self._handle, key.encode(), addressof(buffer), len(buffer))

    def erase_key(self, key):
        _ask(_NVS_ERASE, self._handle, key.encode())

    def commit(self):
        _ask(_NVS_COMMIT, self._handle, b"")
