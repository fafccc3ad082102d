"""From power-on to a node that can run: configuration, journal, key, registers, sensor.

The order matters where power may fail: a new key is kept before the old journal is erased, and an
entry says whose it is, so a boot that was cut short is simply done again.
"""

import gc
import os

import esp32
import machine
import uctypes

from node.app import Node
from node.chain import STATE_BYTES, Chain, restore_registers, state_kid
from node.clock import Clock
from node.cose import Sealer
from node.drivers.ina228 import Ina228
from node.files import digest_files
from node.frame import FrameWriter
from node.journal import RECORD_MAX, Journal
from node.keystore import NAMESPACE, KeyStore
from node.meter import Meter
from node.p256 import Signer, public_key_id
from node.record import (
    BOOT,
    BREAK,
    KEY,
    SOFTWARE_NAME,
    SOFTWARE_VERSION,
    ClaimsWriter,
)
from node.recorder import Recorder
from node.registers import TAG_MASK, Registers

TABLE_PATH = "/p256.tbl"
_JOURNAL_FOLDER = "/journal"
_KEY_FIRST = 0
_KEY_COUNTER_LOST = 1
_BREAK_CORRUPT = 1
_FROM_NOTHING = 0
_FROM_MEMORY = 1
_FROM_JOURNAL = 2
_UEID_EUI = b"\x02"
_SERIAL_PREFIX = "WT-"


class Parts:
    """What the application is made of; `start` sets the attributes."""

    serial: str
    sample_period_ms: int
    interval_ms: int
    power_nw_per_count: int
    clock: Clock
    frames: FrameWriter
    writer: ClaimsWriter
    journal: Journal
    keystore: KeyStore
    registers: Registers
    private: bytes
    public: bytes
    chain: Chain
    sensor: Ina228
    meter: Meter
    recorder: Recorder
    make_bus = None
    relay = None
    watchdog: "machine.WDT | None"


def start(table: bytearray, settings: dict) -> Node:
    """Bring the node up.

    Buffers that last are made first: garbage of the first signatures would lie between them.

    Args:
        table: comb table of the signer, content of TABLE_PATH.
        settings: content of the configuration file, checked.
    """
    parts = Parts()
    parts.serial = settings.get("serial") or _SERIAL_PREFIX + machine.unique_id().hex().upper()
    parts.sample_period_ms = settings["sample_period_ms"]
    parts.power_nw_per_count = settings["power_nw_per_count"]
    parts.clock = Clock(settings["sync_valid_s"])
    parts.frames = FrameWriter(RECORD_MAX + 4)
    parts.writer = ClaimsWriter()
    parts.journal = Journal(
        _JOURNAL_FOLDER,
        max_bytes=settings["journal_bytes"],
        segment_bytes=settings["journal_segment_bytes"],
        state_bytes=STATE_BYTES,
    )
    parts.keystore = KeyStore(esp32.NVS(NAMESPACE))
    parts.interval_ms = _interval_ms(settings, parts.keystore)
    parts.journal.recover()
    parts.registers = Registers(settings["counts_per_milliwatthour"], settings["start_counts"])
    words = parts.registers.words
    image = uctypes.bytearray_at(uctypes.addressof(words), 4 * len(words))
    parts.registers.attach(machine.RTC().memory, image)
    signer = Signer(table)
    events = _resume(parts, signer)
    gc.collect()
    _add_sensor(parts, settings)
    _add_recorder(parts, settings, signer, table)
    parts.watchdog = _watchdog(settings)
    gc.collect()
    node = Node(parts)
    for event in events:
        node.log.add(event)
    _tell(parts, settings, events[-1])
    return node


def _interval_ms(settings: dict, keystore: KeyStore) -> int:
    """The interval set by command, unless it no longer fits the sample period."""
    kept = keystore.interval_ms()
    if kept is None or kept % settings["sample_period_ms"]:
        return settings["interval_ms"]
    return kept


# ---- key, chain, registers ----


def _resume(parts, signer: Signer) -> list:
    """Go on where the journal ends, or begin a new key; returns the events that tell about it."""
    journal = parts.journal
    registers = parts.registers
    private = parts.keystore.private_key()
    state = journal.head_state
    torn = journal.torn_bytes
    burnt = journal.burnt
    source = _FROM_NOTHING
    if state is not None:
        restore_registers(state, registers)
        source = _FROM_JOURNAL
    position = -1
    if private is not None:
        _use_key(parts, signer, private)
        position = registers.take_copy()
        if position >= 0:
            source = _FROM_MEMORY
    events: list = []
    reason = _lost(parts, private, state, position)
    if reason is not None:
        _use_key(parts, signer, parts.keystore.make_private_key())
        journal.erase()
        events.append((KEY, reason))
        burnt = 0
    elif state is not None:
        parts.chain.unpack(state, journal.head_digest)
        parts.chain.seq = [number + burnt for number in parts.chain.seq]
    if burnt:
        events.append((BREAK, _BREAK_CORRUPT, burnt))
    parts.chain.bootcount += 1
    bound = _unmetered_bound_ms(parts, source, burnt)
    events.append((BOOT, _reset_cause(), bound, source, torn))
    return events


def _use_key(parts, signer: Signer, private: bytes) -> None:
    parts.private = private
    parts.public = signer.public_key(private)
    kid = public_key_id(parts.public)
    parts.chain = Chain(kid)
    parts.registers.set_tag(int.from_bytes(kid[:4], "big") & TAG_MASK)


def _lost(parts, private: bytes | None, state: bytes | None, position: int) -> int | None:
    """Why a new key is needed; None if the old one can go on."""
    if private is None:
        return _KEY_FIRST if state is None else _KEY_COUNTER_LOST
    if state is None or state_kid(state) != parts.chain.kid:
        return _KEY_COUNTER_LOST
    if position > parts.journal.next_position:
        return _KEY_COUNTER_LOST
    return None


def _unmetered_bound_ms(parts, source: int, burnt: int) -> int:
    """How long the node may have run without its registers having survived."""
    if source == _FROM_NOTHING:
        return 0
    sampling_ms = 2 * parts.sample_period_ms
    if source == _FROM_MEMORY:
        return sampling_ms
    return (1 + burnt) * parts.interval_ms + sampling_ms


def _reset_cause() -> int:
    cause = machine.reset_cause()
    return cause if 0 <= cause <= 5 else 0


# ---- sensor, recorder ----


def _add_sensor(parts, settings: dict) -> None:
    number = settings["i2c_id"]
    scl = settings["i2c_scl"]
    sda = settings["i2c_sda"]
    freq_hz = settings["i2c_freq_hz"]

    def make_bus():
        return machine.I2C(number, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=freq_hz)

    parts.make_bus = make_bus
    parts.sensor = Ina228(
        make_bus(),
        settings["sensor_address"],
        config=settings["sensor_config"],
        adc_config=settings["sensor_adc_config"],
        shunt_cal=settings["sensor_shunt_cal"],
    )
    parts.meter = Meter(parts.sensor, parts.registers, parts.clock, settings["sample_period_ms"])
    seen = parts.registers.input_seen()
    parts.meter.fiscal.input = seen & 15
    parts.meter.transaction.input = seen >> 4
    parts.registers.mark_position(parts.journal.next_position)
    parts.relay = _relay(settings)


def _relay(settings: dict):
    """A callable that opens (0) or closes (1) the relay; None if there is none."""
    number = settings["relay_pin"]
    if number < 0:
        return None
    closed_level = settings["relay_closed_level"]
    at_boot = settings["relay_at_boot"]
    pin = machine.Pin(number, machine.Pin.OUT, value=closed_level if at_boot else 1 - closed_level)

    def switch(closed: int) -> None:
        pin.value(closed_level if closed else 1 - closed_level)

    return switch


def _add_recorder(parts, settings: dict, signer: Signer, table: bytearray) -> None:
    private = parts.private

    def sign(digest: bytes, pause) -> bytes:
        return signer.sign(private, digest, pause)

    ueid = _UEID_EUI + machine.unique_id()
    if "ueid" in settings:
        ueid = bytes.fromhex(settings["ueid"])
    writer = parts.writer
    writer.serial = parts.serial
    writer.ueid = ueid
    writer.cfg = digest_files({TABLE_PATH: table})
    writer.bootseed = os.urandom(8)
    writer.current_kind = settings["current_kind"]
    parts.recorder = Recorder(
        chain=parts.chain,
        journal=parts.journal,
        sealer=Sealer(parts.chain.kid, sign),
        writer=writer,
        registers=parts.registers,
        meter=parts.meter,
        clock=parts.clock,
        power_nw_per_count=settings["power_nw_per_count"],
    )


def _watchdog(settings: dict):
    timeout_ms = settings["watchdog_ms"]
    return machine.WDT(timeout=timeout_ms) if timeout_ms else None


def _tell(parts, settings: dict, boot: tuple) -> None:
    """What a person at the console wants to know."""
    registers = parts.registers
    source = ("new", "from RTC memory", "from the journal")[boot[3]]
    print(
        "%s %s on %s, serial %s"
        % (SOFTWARE_NAME, SOFTWARE_VERSION, settings["board"], parts.serial)
    )
    print(
        "key %s, boot %d, reset cause %d" % (parts.chain.kid.hex(), parts.chain.bootcount, boot[1])
    )
    imported = registers.import_milliwh()
    exported = registers.export_milliwh()
    print(
        "registers %s: import %d.%03d Wh, export %d.%03d Wh"
        % (source, imported // 1000, imported % 1000, exported // 1000, exported % 1000)
    )
    print(
        "a sample every %d ms, a record every %d ms; Ctrl-C stops"
        % (parts.sample_period_ms, parts.interval_ms)
    )
