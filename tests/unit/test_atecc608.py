"""The model of the secure element: packets, times, sleep, keys, faults."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from ecdsa import NIST256p, VerifyingKey
from ecdsa.util import sigdecode_string

from wattest.emulator.atecc608 import ADDRESS, WATCHDOG_NS, Atecc608
from wattest.emulator.atecc608_packet import EXECUTION_MS, Opcode, crc16
from wattest.emulator.atecc608_vault import ORDER, Vault
from wattest.emulator.i2c import BitErrorFault, I2cBus, Nack, NackFault

MS_NS = 1_000_000
WAKE_NS = 80_000  # eight bits at 100 kHz
DIGEST = sha256(b"a reading").digest()


class Wire:
    """A chip on a bus, with a clock the test moves."""

    def __init__(self, vault: Vault | None = None) -> None:
        self.chip = Atecc608(vault or Vault(b"one"))
        self.bus = I2cBus({ADDRESS: self.chip})
        self.now_ns = 0

    def wake(self) -> bytes:
        self.bus.hold_sda_low(WAKE_NS, self.now_ns)
        self.now_ns += 1_500_000
        return self.bus.read(ADDRESS, 4, self.now_ns)

    def send(self, opcode: int, p1: int = 0, p2: int = 0, data: bytes = b"") -> None:
        head = bytes([7 + len(data), opcode, p1, p2 & 0xFF, p2 >> 8]) + data
        self.bus.write(ADDRESS, b"\x03" + head + crc16(head), self.now_ns)

    def receive(self) -> bytes:
        """Wait as long as it takes; data of the reply."""
        for _ in range(200):
            try:
                count = self.bus.read(ADDRESS, 1, self.now_ns)
                break
            except Nack:
                self.now_ns += MS_NS
        packet = count + self.bus.read(ADDRESS, count[0] - 1, self.now_ns)
        assert crc16(packet[:-2]) == packet[-2:]
        return packet[1:-2]

    def ask(self, opcode: int, p1: int = 0, p2: int = 0, data: bytes = b"") -> bytes:
        self.send(opcode, p1, p2, data)
        return self.receive()

    def sign(self, digest: bytes = DIGEST) -> bytes:
        assert self.ask(Opcode.NONCE, 0x43, 0, digest) == b"\x00"
        return self.ask(Opcode.SIGN, 0xA0)


def awake(vault: Vault | None = None) -> Wire:
    wire = Wire(vault)
    assert wire.wake() == b"\x04\x11\x33\x43"
    return wire


def holds(public: bytes, digest: bytes, signature: bytes) -> None:
    """Two other implementations say so, or raise."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    der = utils.encode_dss_signature(r, s)
    key.verify(der, digest, ec.ECDSA(utils.Prehashed(SHA256())))
    other = VerifyingKey.from_string(public, curve=NIST256p)
    assert other.verify_digest(signature, digest, sigdecode=sigdecode_string)


# ---- packets ----


@pytest.mark.parametrize(
    ("covered", "crc"),
    [("0411", "3343"), ("0730000000", "035d"), ("0702800000", "09ad")],
    ids=["wake reply", "info", "read of 32 bytes"],
)
def test_checksums_are_those_of_published_packets(covered, crc):
    assert crc16(bytes.fromhex(covered)).hex() == crc


def test_published_read_command_gives_the_serial_number_and_the_lock_bytes():
    wire = awake()
    wire.bus.write(ADDRESS, bytes.fromhex("030702800000 09ad".replace(" ", "")), wire.now_ns)
    first = wire.receive()
    serial = first[0:4] + first[8:13]
    assert serial == wire.chip.vault.serial_number
    assert (serial[:2], serial[8]) == (b"\x01\x23", 0xEE)
    third = wire.ask(Opcode.READ, 0x80, 2 << 3)
    assert third[86 - 64 : 88 - 64] == b"\x00\x00"
    assert wire.ask(Opcode.READ, 0, (2 << 3) + 5) == third[20:24]


def test_wrong_checksum_is_answered_and_nothing_is_done():
    wire = awake()
    wire.bus.write(ADDRESS, bytes.fromhex("0307404000000000"), wire.now_ns)
    assert wire.receive() == b"\xff"
    assert wire.chip.vault.private_key_for_tests(0) is None


@pytest.mark.parametrize(
    ("opcode", "p1", "p2", "data", "status"),
    [
        (0x55, 0, 0, b"", 0x03),
        (Opcode.NONCE, 0x43, 0, b"short", 0x03),
        (Opcode.READ, 0x80, 4 << 3, b"", 0x03),
        (Opcode.READ, 0x82, 0, b"", 0x0F),
        (Opcode.GENKEY, 0, 0, b"", 0x0F),
        (Opcode.GENKEY, 4, 5, b"", 0x0F),
        (Opcode.SIGN, 0xA0, 0, b"", 0x0F),
        (Opcode.LOCK, 0x80, 0, b"", 0x0F),
        (Opcode.COUNTER, 2, 0, b"", 0x03),
    ],
    ids=[
        "unknown",
        "short nonce",
        "behind the end",
        "secret slot",
        "no key yet",
        "no key slot",
        "nothing to sign",
        "locked already",
        "no such mode",
    ],
)
def test_what_cannot_be_done_is_answered_with_a_status(opcode, p1, p2, data, status):
    assert awake().ask(opcode, p1, p2, data) == bytes([status])


def test_reply_can_be_read_again_from_its_start():
    wire = awake()
    first = wire.ask(Opcode.RANDOM)
    wire.bus.write(ADDRESS, b"\x00", wire.now_ns)
    assert wire.receive() == first
    assert wire.bus.read(ADDRESS, 2, wire.now_ns) == b"\xff\xff"


# ---- sleep, time ----


def test_sleeping_chip_acknowledges_nothing_and_a_short_pulse_does_not_wake_it():
    wire = Wire()
    for transfer in (
        lambda: wire.bus.read(ADDRESS, 4, 0),
        lambda: wire.bus.write(ADDRESS, b"\x03", 0),
        lambda: wire.bus.write(ADDRESS, b"", 0),
    ):
        with pytest.raises(Nack, match="0x60 does not acknowledge"):
            transfer()
    wire.bus.hold_sda_low(20_000, 0)  # eight bits at 400 kHz
    with pytest.raises(Nack, match="0x60"):
        wire.bus.read(ADDRESS, 4, 2 * MS_NS)


def test_chip_needs_a_millisecond_and_a_half_to_wake():
    wire = Wire()
    wire.bus.hold_sda_low(WAKE_NS, 0)
    with pytest.raises(Nack, match="0x60"):
        wire.bus.read(ADDRESS, 4, 1_499_999)
    assert wire.bus.read(ADDRESS, 4, 1_500_000).hex() == "04113343"


@pytest.mark.parametrize("opcode", [Opcode.GENKEY, Opcode.RANDOM, Opcode.COUNTER, Opcode.INFO])
def test_chip_is_silent_for_the_documented_time(opcode):
    wire = awake()
    wire.send(opcode, 4 if opcode == Opcode.GENKEY else 0)
    started = wire.now_ns
    with pytest.raises(Nack, match="0x60"):
        wire.bus.read(ADDRESS, 1, started + EXECUTION_MS[opcode] * MS_NS - 1)
    assert wire.bus.read(ADDRESS, 1, started + EXECUTION_MS[opcode] * MS_NS)[0] in (7, 35, 67)


@pytest.mark.parametrize(("word", "kept"), [(b"\x02", True), (b"\x01", False)])
def test_idle_keeps_the_message_and_sleep_does_not(word, kept):
    wire = awake()
    wire.ask(Opcode.GENKEY, 4)
    wire.ask(Opcode.NONCE, 0x43, 0, DIGEST)
    wire.bus.write(ADDRESS, word, wire.now_ns)
    with pytest.raises(Nack, match="0x60"):
        wire.bus.read(ADDRESS, 1, wire.now_ns)
    wire.wake()
    assert len(wire.ask(Opcode.SIGN, 0xA0)) == (64 if kept else 1)


def test_watchdog_puts_the_chip_to_sleep_and_the_message_is_gone():
    wire = awake()
    wire.ask(Opcode.GENKEY, 4)
    wire.ask(Opcode.NONCE, 0x43, 0, DIGEST)
    wire.now_ns = WATCHDOG_NS
    with pytest.raises(Nack, match="0x60"):
        wire.bus.read(ADDRESS, 1, wire.now_ns)
    wire.wake()
    assert wire.ask(Opcode.SIGN, 0xA0) == b"\x0f"


def test_command_that_would_outlast_the_watchdog_is_refused():
    wire = awake()
    wire.now_ns = WATCHDOG_NS - 100 * MS_NS
    assert wire.ask(Opcode.GENKEY, 4) == b"\xee"


# ---- keys ----


def test_signatures_verify_elsewhere_and_s_is_high_as_often_as_low():
    wire = awake()
    public = wire.ask(Opcode.GENKEY, 4)
    assert wire.ask(Opcode.GENKEY, 0) == public
    high = 0
    for number in range(20):
        wire.bus.write(ADDRESS, b"\x01", wire.now_ns)
        wire.wake()
        digest = sha256(bytes([number])).digest()
        signature = wire.sign(digest)
        holds(public, digest, signature)
        high += int.from_bytes(signature[32:], "big") > ORDER // 2
    assert 2 <= high <= 18


def test_nonces_are_random_so_one_digest_has_many_signatures():
    wire = awake()
    wire.ask(Opcode.GENKEY, 4)
    assert wire.sign()[:32] != wire.sign()[:32]


def test_message_is_used_up_by_a_signature():
    wire = awake()
    wire.ask(Opcode.GENKEY, 4)
    wire.sign()
    assert wire.ask(Opcode.SIGN, 0xA0) == b"\x0f"


def test_temp_key_signs_as_well():
    wire = awake()
    public = wire.ask(Opcode.GENKEY, 4)
    wire.ask(Opcode.NONCE, 0x03, 0, DIGEST)
    holds(public, DIGEST, wire.ask(Opcode.SIGN, 0x80))


def test_public_key_belongs_to_the_scalar_inside():
    wire = awake()
    public = wire.ask(Opcode.GENKEY, 4)
    scalar = wire.chip.vault.private_key_for_tests(0)
    assert scalar is not None
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    assert public == numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_same_seed_gives_the_same_bytes_and_another_seed_another_chip():
    def life(seed: bytes) -> bytes:
        wire = awake(Vault(seed))
        return wire.ask(Opcode.GENKEY, 4) + wire.sign() + wire.ask(Opcode.RANDOM)

    assert life(b"one") == life(b"one")
    assert life(b"one") != life(b"two")
    assert Vault(b"one").serial_number != Vault(b"two").serial_number


def test_key_and_counters_outlive_the_supply_and_the_message_does_not():
    wire = awake()
    public = wire.ask(Opcode.GENKEY, 4)
    assert wire.ask(Opcode.COUNTER, 1, 1) == b"\x01\x00\x00\x00"
    wire.ask(Opcode.NONCE, 0x43, 0, DIGEST)
    wire.bus.power_on(wire.now_ns)
    wire.wake()
    assert wire.ask(Opcode.SIGN, 0xA0) == b"\x0f"
    assert wire.ask(Opcode.GENKEY, 0) == public
    assert wire.ask(Opcode.COUNTER, 0, 1) == b"\x01\x00\x00\x00"
    assert wire.ask(Opcode.COUNTER, 0, 0) == bytes(4)


def test_supply_that_fails_while_a_key_is_made_leaves_the_old_one():
    wire = awake()
    public = wire.ask(Opcode.GENKEY, 4)
    wire.send(Opcode.GENKEY, 4)
    wire.bus.power_on(wire.now_ns + 50 * MS_NS)
    wire.now_ns += 200 * MS_NS
    wire.wake()
    assert wire.ask(Opcode.GENKEY, 0) == public


def test_info_tells_the_revision_and_whether_a_slot_has_a_key():
    wire = awake()
    assert wire.ask(Opcode.INFO).hex() == "00006003"
    assert wire.ask(Opcode.INFO, 1, 0) == bytes(4)
    wire.ask(Opcode.GENKEY, 4)
    assert wire.ask(Opcode.INFO, 1, 0) == b"\x01\x00\x00\x00"


def test_unlocked_chip_makes_no_key_and_says_so_with_its_random_numbers():
    wire = awake(Vault(b"one", locked=False))
    assert wire.ask(Opcode.RANDOM) == b"\xff\xff\x00\x00" * 8
    assert wire.ask(Opcode.GENKEY, 4) == b"\x0f"
    assert wire.ask(Opcode.READ, 0, (2 << 3) + 5)[2:] == b"\x55\x55"
    crc = int.from_bytes(crc16(wire.chip.vault.config), "little")
    assert wire.ask(Opcode.LOCK, 1) == b"\x0f"
    assert wire.ask(Opcode.LOCK, 0, crc ^ 1) == b"\x0f"
    assert wire.ask(Opcode.LOCK, 0, crc) == b"\x00"
    public = wire.ask(Opcode.GENKEY, 4)
    assert wire.ask(Opcode.NONCE, 0x43, 0, DIGEST) == b"\x00"
    assert wire.ask(Opcode.SIGN, 0xA0) == b"\x0f"
    assert wire.ask(Opcode.LOCK, 0x81) == b"\x00"
    holds(public, DIGEST, wire.sign())


def test_locked_slot_keeps_its_key_for_good():
    vault = Vault(b"one", locked=False)
    wire = awake(vault)
    wire.ask(Opcode.LOCK, 0x80)
    public = wire.ask(Opcode.GENKEY, 4)
    assert wire.ask(Opcode.LOCK, 2) == b"\x00"
    assert wire.ask(Opcode.GENKEY, 4) == b"\x0f"
    assert wire.ask(Opcode.GENKEY, 0) == public


# ---- faults ----


def test_faults_are_seen_on_the_wire_and_end():
    wire = awake()
    wire.ask(Opcode.GENKEY, 4)
    wire.chip.faults.statuses = (0x0F, 0x08)
    wire.chip.faults.lost_commands = 1
    wire.chip.faults.short_replies = 1
    assert wire.ask(Opcode.GENKEY) == b"\xff"
    assert wire.ask(Opcode.GENKEY) == b"\x0f"
    assert wire.ask(Opcode.GENKEY) == b"\x08"
    assert wire.ask(Opcode.GENKEY) == b"\x00"
    assert len(wire.ask(Opcode.GENKEY)) == 64


def test_failed_self_test_is_told_by_the_wake_reply():
    wire = Wire()
    wire.chip.faults.self_test_failures = 1
    assert wire.wake().hex() == "0407c440"


def test_bus_faults_reach_the_chip_like_any_other():
    wire = awake()
    flip = BitErrorFault(ADDRESS, every=1, bit=20)
    wire.bus.add_fault(flip)
    wire.send(Opcode.RANDOM)
    wire.now_ns += 23 * MS_NS
    packet = wire.bus.read(ADDRESS, 35, wire.now_ns)
    assert crc16(packet[:-2]) != packet[-2:]
    wire.bus.remove_fault(flip)
    wire.bus.write(ADDRESS, b"\x00", wire.now_ns)
    packet = wire.bus.read(ADDRESS, 35, wire.now_ns)
    assert crc16(packet[:-2]) == packet[-2:]
    wire.bus.add_fault(NackFault(ADDRESS))
    with pytest.raises(Nack, match="0x60"):
        wire.wake()
