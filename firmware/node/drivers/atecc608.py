"""Microchip ATECC608: makes a P-256 key that nobody can read, and signs with it.

Wiring: SDA and SCL with pull-ups, VCC 3.3 V. At most 100 kHz: the chip wakes when SDA is low for
60 us, and what holds it low are the eight zeros of address 0. Both of its zones must be locked,
and its slot must allow GenKey and signatures of external messages.

    key = Atecc608(make_bus, 0x60, slot=0)
    public = key.public_key() or key.make_key()
    signature = key.sign(sha256(b"message").digest())

The chip is woken for each use and sent back to sleep, far within its watchdog of 1.3 s. Source:
ATECC608 data sheet, chapters "I2C interface" and "Security commands".
"""

import time

from micropython import const

_WAKE_REPLY = b"\x04\x11\x33\x43"
_WAKE_US = const(1600)
_RESET = b"\x00"
_SLEEP = b"\x01"
_COMMAND = const(3)
_READ = const(0x02)
_NONCE = const(0x16)
_INFO = const(0x30)
_GENKEY = const(0x40)
_SIGN = const(0x41)
# The longest times of the data sheet, ms.
_TIMES_MS = {_READ: 5, _NONCE: 20, _INFO: 5, _GENKEY: 115, _SIGN: 115}
_KEY_VALID = const(1)
_MAKE = const(4)
_TO_MESSAGE = const(0x43)
_EXTERNAL_MESSAGE = const(0xA0)
_BLOCK = const(0x80)
_LOCKS_AT = const(0x15)  # bytes 84..87 of the configuration zone
_STATUS_BYTES = const(4)
_PARSE_ERROR = const(0x03)
_EXECUTION_ERROR = const(0x0F)
_ATTEMPTS = const(3)
_RETRY_MS = const(150)  # longer than any command takes
_NAP_MS = const(5)


class SignerError(OSError):
    """The secure element did not do what it was asked; the message says what it did.

    Attributes:
        final: asking again will not help.
    """

    final = False


def _nothing() -> None:
    """Stand-in for a caller that has nothing to do meanwhile."""


def crc16(data) -> int:
    """Polynomial 8005, start 0, bits LSB first."""
    register = 0
    for byte in data:
        for bit in range(8):
            differs = (byte >> bit ^ register >> 15) & 1
            register = register << 1 & 0xFFFF
            if differs:
                register ^= 0x8005
    return register


class Atecc608:
    """One slot of one chip; a signer as node.cose describes it.

    Attributes:
        serial_number: 9 bytes, once the chip was found.

    Args:
        make_bus: gives an I2C bus of 100 kHz or less; called again after a failure.
        address: 7-bit, 0x60 from the factory.
        slot: 0..15.
        on_other_key: called when the chip is back after a failure and holds another key.
    """

    failure = SignerError

    def __init__(self, make_bus, address: int, slot: int, on_other_key=_nothing) -> None:
        self._make_bus = make_bus
        self._i2c = make_bus()
        self._address = address
        self._slot = slot
        self._on_other_key = on_other_key
        self._public: bytes | None = None
        self._doubtful = False
        self.serial_number = b""

    def begin(self) -> None:
        """Find the chip and check that it is locked.

        Raises:
            SignerError: no answer, or not locked.
        """
        head = self._run(((_READ, _BLOCK, 0, b"", 32),), _nothing)
        locks = self._run(((_READ, 0, _LOCKS_AT, b"", 4),), _nothing)
        if locks[2] or locks[3]:
            raise _final(self._address, "not configured: its zones are not locked")
        self.serial_number = head[:4] + head[8:13]

    def public_key(self) -> bytes | None:
        """Find the chip, and x | y of the key in its slot, 64 bytes; None if there is none.

        Raises:
            SignerError: the chip does not answer, is not locked, or refuses.
        """
        self.begin()
        self._public = self._read_public_key(_nothing)
        return self._public

    def make_key(self) -> bytes:
        """Make a new key in the slot, and forget the one that was there; x | y of the new one.

        Raises:
            SignerError: the chip does not answer, or refuses.
        """
        self._public = None
        self._public = self._run(((_GENKEY, _MAKE, self._slot, b"", 64),), _nothing)
        return self._public

    def sign(self, digest: bytes, pause=_nothing) -> bytes:
        """Sign a SHA-256 digest; r | s, 64 bytes, s high or low as the chip gives it.

        Args:
            digest: 32 bytes.
            pause: called every few milliseconds while the chip works.

        Raises:
            SignerError: the chip does not answer, refuses, or holds another key than before.
        """
        if self._doubtful:
            if self._read_public_key(pause) != self._public:
                self._on_other_key()
                raise _final(self._address, "holds another key")
            self._doubtful = False
        try:
            return self._run(
                (
                    (_NONCE, _TO_MESSAGE, 0, digest, 1),
                    (_SIGN, _EXTERNAL_MESSAGE, self._slot, b"", 64),
                ),
                pause,
            )
        except SignerError:
            self._doubtful = True
            raise

    def _read_public_key(self, pause) -> bytes | None:
        """Two questions, so that no single refusal passes for an empty slot."""
        if not self._run(((_INFO, _KEY_VALID, self._slot, b"", 4),), pause)[0]:
            return None
        return self._run(((_GENKEY, 0, self._slot, b"", 64),), pause)

    # ---- packets ----

    def _run(self, commands: tuple, pause) -> bytes:
        """Wake, do the commands, send to sleep; all of it again if something went wrong.

        Args:
            commands: opcode, P1, P2, data, and how many bytes the reply has, each.
            pause: called while the chip works.

        Returns:
            What the last command replied.
        """
        left = _ATTEMPTS
        while True:
            left -= 1
            try:
                self._wake()
                reply = b""
                for command in commands:
                    reply = self._execute(command, pause)
                self._put_to_sleep()
                return reply
            except OSError as error:
                if not left:
                    self._put_to_sleep()
                    if isinstance(error, SignerError):
                        raise
                    raise SignerError(_what(self._address, "does not answer: %s" % error))
            self._recover(pause)

    def _wake(self) -> None:
        try:
            self._i2c.writeto(0, b"\x00")
        except OSError:
            pass  # nobody has address 0
        time.sleep_us(_WAKE_US)
        reply = bytearray(4)
        self._i2c.readfrom_into(self._address, reply)
        if reply != _WAKE_REPLY:
            raise SignerError(_what(self._address, "wakes with " + reply.hex()))

    def _put_to_sleep(self) -> None:
        try:
            self._i2c.writeto(self._address, _SLEEP)
        except OSError:
            pass  # its watchdog does it

    def _recover(self, pause) -> None:
        """Let a command that may be running end, then send to sleep, over a bus set up anew."""
        for _ in range(_RETRY_MS // _NAP_MS):
            time.sleep_ms(_NAP_MS)
            pause()
        self._i2c = self._make_bus()
        self._put_to_sleep()

    def _execute(self, command: tuple, pause) -> bytes:
        opcode, p1, p2, data, size = command
        packet = bytearray(8 + len(data))
        packet[0] = _COMMAND
        packet[1] = 7 + len(data)
        packet[2] = opcode
        packet[3] = p1
        packet[4] = p2
        packet[6:-2] = data
        packet[-2:] = crc16(memoryview(packet)[1:-2]).to_bytes(2, "little")
        self._i2c.writeto(self._address, packet)
        reply = bytearray(size + 3)
        self._await_reply(reply, _TIMES_MS[opcode], pause)
        view = memoryview(reply)
        for _ in range(_ATTEMPTS):
            count = reply[0]
            if count in (_STATUS_BYTES, size + 3):
                end = count - 2
                if crc16(view[:end]) == reply[end] | reply[end + 1] << 8:
                    return self._content(view[1:end], opcode, size)
            self._i2c.writeto(self._address, _RESET)  # once more, from its start
            self._i2c.readfrom_into(self._address, reply)
        raise SignerError(_what(self._address, "replies with a wrong checksum"))

    def _await_reply(self, reply: bytearray, busy_ms: int, pause) -> None:
        """Read the reply once the chip acknowledges again."""
        started = time.ticks_ms()
        while True:
            time.sleep_ms(_NAP_MS)
            pause()
            waited = time.ticks_diff(time.ticks_ms(), started)
            if 2 * waited < busy_ms:
                continue
            try:
                self._i2c.readfrom_into(self._address, reply)
                return
            except OSError:
                if waited > 2 * busy_ms:
                    raise

    def _content(self, content: memoryview, opcode: int, size: int) -> bytes:
        """What a sound reply carries, unless it is a status that tells of trouble."""
        if len(content) == size and (size > 1 or not content[0]):
            return bytes(content)
        status = content[0]
        why = "answers 0x%02x to command 0x%02x" % (status, opcode)
        if status in (_PARSE_ERROR, _EXECUTION_ERROR):
            raise _final(self._address, why)
        raise SignerError(_what(self._address, why))


def _what(address: int, why: str) -> str:
    return "ATECC608 at 0x%02x %s" % (address, why)


def _final(address: int, why: str) -> SignerError:
    """An error that asking again will not cure."""
    error = SignerError(_what(address, why))
    error.final = True
    return error
