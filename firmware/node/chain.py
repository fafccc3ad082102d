"""What the next record depends on: counters, the previous record, the open transaction.

Its packed form is the state that goes into every journal entry:

    kid 8 | registers 44 | seq of ctx 0, 1, 2: u32 each | bootcount u32 | refused u32
    | transaction: 0 or 1 + length of the id, u8 | id, 20 bytes
"""

from struct import pack_into, unpack_from

from micropython import const

from node.registers import STATE_BYTES as _REGISTERS_BYTES

_KID_BYTES = const(8)
_ID_MAX = const(20)
_COUNTERS = "<IIIIIB"
_COUNTERS_BYTES = const(21)
_COUNTERS_AT = _KID_BYTES + _REGISTERS_BYTES
_ID_AT = _COUNTERS_AT + _COUNTERS_BYTES
STATE_BYTES = _ID_AT + _ID_MAX

FISCAL = const(0)
TRANSACTION = const(1)
EVENT = const(2)


class Chain:
    """Counters of one key.

    Attributes:
        seq: last number used in each ctx.
        bootcount: boots of this key, this one included once its boot event is sealed.
        refused: commands refused since the key was made.
        transaction: id of the open transaction, None if there is none.
        prev: SHA-256 of the last record.
    """

    def __init__(self, kid: bytes) -> None:
        self.kid = kid
        self.seq = [0, 0, 0]
        self.bootcount = 0
        self.refused = 0
        self.transaction: str | None = None
        self.prev = bytes(32)
        self.state = bytearray(STATE_BYTES)

    def pack(self, registers) -> bytearray:
        """The state behind the numbers as they are now; valid until the next call."""
        state = self.state
        transaction = self.transaction
        data = b"" if transaction is None else transaction.encode()
        state[:_KID_BYTES] = self.kid
        registers.pack_state(state, _KID_BYTES)
        pack_into(
            _COUNTERS,
            state,
            _COUNTERS_AT,
            self.seq[0],
            self.seq[1],
            self.seq[2],
            self.bootcount,
            self.refused,
            0 if transaction is None else 1 + len(data),
        )
        state[_ID_AT:] = data + bytes(_ID_MAX - len(data))
        return state

    def unpack(self, state: bytes, prev: bytes) -> None:
        """Take over the counters behind a record, whose SHA-256 is `prev`."""
        *seq, self.bootcount, self.refused, size = unpack_from(_COUNTERS, state, _COUNTERS_AT)
        self.seq = seq
        self.transaction = None
        if size:
            self.transaction = state[_ID_AT : _ID_AT + size - 1].decode()
        self.prev = prev


def state_kid(state: bytes) -> bytes:
    """The key a state belongs to."""
    return state[:_KID_BYTES]


def restore_registers(state: bytes, registers) -> None:
    """Take over the registers of a state."""
    registers.unpack_state(state, _KID_BYTES)
