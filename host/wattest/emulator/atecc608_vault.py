"""What is inside an ATECC608: EEPROM, key slots, counters, and the commands that work on them.

The EEPROM outlives the supply; TempKey and MsgDigBuf do not. A private key never leaves the
object but through :meth:`Vault.private_key_for_tests`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec

from wattest.emulator.atecc608_packet import Opcode, Status, crc16
from wattest.emulator.entropy import EntropyStream

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
REVISION = b"\x00\x00\x60\x03"
CONFIG_BYTES = 128
_SLOT_CONFIG, _COUNTERS, _LOCK_VALUE, _LOCK_CONFIG, _SLOTS_LOCKED = 20, 52, 86, 87, 88
_KEY_CONFIG = 96
_UNLOCKED, _LOCKED = 0x55, 0x00
_COUNTER_MAX = 2_097_151
_P256_PRIVATE = 0x33  # KeyConfig: private, public key may be computed, P-256, slot lockable
_SIGNS_AND_MAKES = 0x208F  # SlotConfig: external messages, GenKey allowed, secret
_DATA_SLOT = 0x0F0F
_DATA_KEY = 0x3C
_UNLOCKED_RANDOM = b"\xff\xff\x00\x00" * 8


class Refused(Exception):
    """The command is answered with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Vault:
    """EEPROM and commands of one chip.

    Args:
        seed: of all its random numbers and of its serial number; two chips, two seeds.
        locked: configuration and data zones are locked, as they must be for use.
        key_slots: slots that hold P-256 private keys which sign and can be made anew.

    Attributes:
        serial_number: 9 bytes.
        changes: how often the EEPROM was written.
    """

    def __init__(
        self, seed: bytes, *, locked: bool = True, key_slots: tuple[int, ...] = (0,)
    ) -> None:
        self._entropy = EntropyStream(b"atecc608\0" + seed)
        unique = self._entropy.read(6)
        self.serial_number = b"\x01\x23" + unique + b"\xee"
        self._config = bytearray(_factory_config(self.serial_number, key_slots))
        if locked:
            self._config[_LOCK_VALUE] = self._config[_LOCK_CONFIG] = _LOCKED
        self._keys: dict[int, int] = {}
        self._counters = [0, 0]
        self.changes = 0
        self.forget()
        self._commands: dict[int, Callable[[int, int, bytes], bytes]] = {
            Opcode.READ: self._read,
            Opcode.NONCE: self._nonce,
            Opcode.LOCK: self._lock,
            Opcode.RANDOM: self._random,
            Opcode.COUNTER: self._counter,
            Opcode.INFO: self._info,
            Opcode.GENKEY: self._genkey,
            Opcode.SIGN: self._sign,
        }

    @property
    def config(self) -> bytes:
        """Content of the configuration zone."""
        return bytes(self._config)

    def private_key_for_tests(self, slot: int) -> int | None:
        """Return the scalar in a slot, so that a test can look for it where it must not be."""
        return self._keys.get(slot)

    def image(self) -> bytes:
        """Return the EEPROM, private keys and all: for a chip that outlives the program."""
        keys = {str(slot): f"{key:064x}" for slot, key in sorted(self._keys.items())}
        content = {"config": self._config.hex(), "counters": self._counters, "keys": keys}
        return json.dumps(content).encode()

    def restore(self, image: bytes) -> None:
        """Take over what :meth:`image` returned; random numbers stay those of the seed.

        Raises:
            ValueError: it is no such image.
        """
        try:
            content = json.loads(image)
            config = bytes.fromhex(content["config"])
            counters = [int(count) for count in content["counters"]]
            keys = {int(slot): int(key, 16) for slot, key in content["keys"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no image of a secure element: {error!r}") from error
        if len(config) != CONFIG_BYTES or len(counters) != 2:
            raise ValueError("no image of a secure element: sizes")
        self._config, self._counters, self._keys = bytearray(config), counters, keys
        self.serial_number = config[:4] + config[8:13]

    def forget(self) -> None:
        """Lose what is in RAM: sleep, watchdog, supply."""
        self._temp_key: bytes | None = None
        self._message: bytes | None = None

    def execute(self, opcode: int, p1: int, p2: int, data: bytes) -> bytes:
        """Carry a command out; returns the data of the reply, a status is one byte.

        Raises:
            Refused: the chip answers with that status.
        """
        command = self._commands.get(opcode)
        if command is None:
            raise Refused(Status.PARSE_ERROR)
        return command(p1, p2, data)

    # ---- configuration, counters, random numbers ---------------------------------------------

    def _read(self, p1: int, p2: int, data: bytes) -> bytes:
        zone, size = p1 & 3, 32 if p1 & 0x80 else 4
        if data or p1 & 0x7C or zone == 3:
            raise Refused(Status.PARSE_ERROR)
        if zone:  # data is secret here and OTP is not modelled
            raise Refused(Status.EXECUTION_ERROR)
        start = (p2 >> 3) * 32 + (0 if size == 32 else (p2 & 7) * 4)
        if start + size > CONFIG_BYTES:
            raise Refused(Status.PARSE_ERROR)
        return bytes(self._config[start : start + size])

    def _info(self, p1: int, p2: int, data: bytes) -> bytes:
        if data or p1 > 1:
            raise Refused(Status.PARSE_ERROR)
        if p1 == 0:
            return REVISION
        if p2 > 15:
            raise Refused(Status.PARSE_ERROR)
        return bytes([p2 in self._keys, 0, 0, 0])

    def _random(self, p1: int, p2: int, data: bytes) -> bytes:
        if data or p1 > 1 or p2:
            raise Refused(Status.PARSE_ERROR)
        return _UNLOCKED_RANDOM if self._config[_LOCK_CONFIG] else self._entropy.read(32)

    def _counter(self, p1: int, p2: int, data: bytes) -> bytes:
        if data or p1 > 1 or p2 > 1:
            raise Refused(Status.PARSE_ERROR)
        if p1 and (self._config[_LOCK_CONFIG] or self._counters[p2] >= _COUNTER_MAX):
            raise Refused(Status.EXECUTION_ERROR)
        self._counters[p2] += p1
        self.changes += p1
        return self._counters[p2].to_bytes(4, "little")

    def _lock(self, p1: int, p2: int, data: bytes) -> bytes:
        """Lock configuration (P1 bits 0..1: 0), data (1) or a slot (2); bit 7: no CRC given."""
        kind = p1 & 3
        if data or kind == 3 or p1 & 0x40 or (kind != 2 and p1 & 0x3C):
            raise Refused(Status.PARSE_ERROR)
        if kind == 2:
            self._lock_slot(p1 >> 2 & 15)
            return b"\x00"
        at = (_LOCK_CONFIG, _LOCK_VALUE)[kind]
        if self._config[at] == _LOCKED or (kind == 1 and self._config[_LOCK_CONFIG]):
            raise Refused(Status.EXECUTION_ERROR)
        # The data zone's own CRC is over content that is not modelled.
        if not p1 & 0x80 and (kind == 1 or p2 != int.from_bytes(crc16(self.config), "little")):
            raise Refused(Status.EXECUTION_ERROR)
        self._config[at] = _LOCKED
        self.changes += 1
        return b"\x00"

    def _lock_slot(self, slot: int) -> None:
        if self._config[_LOCK_CONFIG] or not self._config[_KEY_CONFIG + 2 * slot] & 0x20:
            raise Refused(Status.EXECUTION_ERROR)
        bits = int.from_bytes(self._config[_SLOTS_LOCKED : _SLOTS_LOCKED + 2], "little")
        bits &= ~(1 << slot)
        self._config[_SLOTS_LOCKED : _SLOTS_LOCKED + 2] = bits.to_bytes(2, "little")
        self.changes += 1

    # ---- keys --------------------------------------------------------------------------------

    def _nonce(self, p1: int, p2: int, data: bytes) -> bytes:
        """Pass a value of 32 bytes through to TempKey (P1 03) or MsgDigBuf (P1 43)."""
        if p1 not in (0x03, 0x43) or p2 or len(data) != 32:
            raise Refused(Status.PARSE_ERROR)
        if p1 == 0x03:
            self._temp_key = data
        else:
            self._message = data
        return b"\x00"

    def _genkey(self, p1: int, p2: int, data: bytes) -> bytes:
        """Make a private key (P1 04) or compute the public one of the key there (P1 00)."""
        if data or p1 not in (0x00, 0x04) or p2 > 15:
            raise Refused(Status.PARSE_ERROR)
        config, key_config = self._slot(p2)
        if self._config[_LOCK_CONFIG] or key_config & 0x1D != 0x11:
            raise Refused(Status.EXECUTION_ERROR)
        if p1 == 0x04:
            locked = not self._config[_SLOTS_LOCKED + p2 // 8] >> p2 % 8 & 1
            if not config & 0x2000 or locked:
                raise Refused(Status.EXECUTION_ERROR)
            self._keys[p2] = self._scalar()
            self.changes += 1
        elif p2 not in self._keys or not key_config & 0x02:
            raise Refused(Status.EXECUTION_ERROR)
        numbers = _public_numbers(self._keys[p2])
        return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")

    def _sign(self, p1: int, p2: int, data: bytes) -> bytes:
        """Sign the digest in MsgDigBuf (P1 A0) or TempKey (P1 80), which is used up."""
        if data or p1 not in (0x80, 0xA0) or p2 > 15:
            raise Refused(Status.PARSE_ERROR)
        digest = self._message if p1 & 0x20 else self._temp_key
        self.forget()
        config, key_config = self._slot(p2)
        locked = not self._config[_LOCK_CONFIG] and not self._config[_LOCK_VALUE]
        if not locked or not config & 1 or key_config & 0x1D != 0x11:
            raise Refused(Status.EXECUTION_ERROR)
        if digest is None or p2 not in self._keys:
            raise Refused(Status.EXECUTION_ERROR)
        r, s = self._signature(self._keys[p2], int.from_bytes(digest, "big"))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def _signature(self, private: int, digest: int) -> tuple[int, int]:
        """ECDSA with a random nonce, FIPS 186-5 section 6.4.1; s is high or low as it comes."""
        while True:
            nonce = self._scalar()
            r = _public_numbers(nonce).x % ORDER
            s = pow(nonce, -1, ORDER) * (digest + r * private) % ORDER
            if r and s:
                return r, s

    def _scalar(self) -> int:
        while True:
            scalar = int.from_bytes(self._entropy.read(32), "big")
            if 0 < scalar < ORDER:
                return scalar

    def _slot(self, slot: int) -> tuple[int, int]:
        """SlotConfig and KeyConfig of a slot."""
        config, at = self._config, 2 * slot
        return (
            int.from_bytes(config[_SLOT_CONFIG + at : _SLOT_CONFIG + at + 2], "little"),
            int.from_bytes(config[_KEY_CONFIG + at : _KEY_CONFIG + at + 2], "little"),
        )


def _public_numbers(scalar: int) -> ec.EllipticCurvePublicNumbers:
    return ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()


def _factory_config(serial_number: bytes, key_slots: tuple[int, ...]) -> bytes:
    """Return a configuration zone, unlocked: the data sheet's layout, our own slots."""
    config = bytearray(CONFIG_BYTES)
    config[0:4] = serial_number[:4]
    config[4:8] = REVISION
    config[8:13] = serial_number[4:]
    config[14] = 0x01  # I2C
    config[16] = 0xC0  # address 0x60
    for slot in range(16):
        is_key = slot in key_slots
        slot_config = _SIGNS_AND_MAKES if is_key else _DATA_SLOT
        at = 2 * slot
        config[_SLOT_CONFIG + at : _SLOT_CONFIG + at + 2] = slot_config.to_bytes(2, "little")
        config[_KEY_CONFIG + at] = _P256_PRIVATE if is_key else _DATA_KEY
    config[_COUNTERS : _COUNTERS + 16] = b"\xff\xff\xff\xff\x00\x00\x00\x00" * 2
    config[_LOCK_VALUE] = config[_LOCK_CONFIG] = _UNLOCKED
    config[_SLOTS_LOCKED : _SLOTS_LOCKED + 2] = b"\xff\xff"
    return bytes(config)
