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
from node.cose import Sealer, public_key_id
from node.files import digest_files
from node.frame import FrameWriter
from node.journal import RECORD_MAX, Journal
from node.keystore import NAMESPACE, KeyStore
from node.meter import Meter
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
from node.wiring import bus_maker, relay_switch

TABLE_PATH = "/p256.tbl"
_JOURNAL_FOLDER = "/journal"
_KEY_FIRST = 0
_KEY_COUNTER_LOST = 1
_KEY_COMMANDED = 2
_BREAK_CORRUPT = 1
_FROM_NOTHING = 0
_FROM_MEMORY = 1
_FROM_JOURNAL = 2
_UEID_EUI = b"\x02"
_KID_BYTES = 8
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
    public: bytes
    chain: Chain
    sensor = None
    meter: Meter
    recorder: Recorder
    element = None
    make_bus = None
    relay = None
    watchdog: "machine.WDT | None"


def start(table, settings: dict):
    """Bring the node up.

    Buffers that last are made first: garbage of the first signatures would lie between them.

    Args:
        table: comb table of the signer, content of TABLE_PATH; None with a secure element.
        settings: content of the configuration file, checked.

    Returns:
        A Node, or a MeterOnly if the secure element failed.
    """
    parts = Parts()
    parts.serial = settings.get("serial") or _SERIAL_PREFIX + machine.unique_id().hex().upper()
    parts.sample_period_ms = settings["sample_period_ms"]
    parts.power_nw_per_count = settings["power_nw_per_count"]
    parts.clock = Clock(settings["sync_valid_s"])
    parts.frames = FrameWriter(RECORD_MAX + 4)
    parts.writer = ClaimsWriter()
    parts.element = _element_module(settings)
    if parts.element is not None:
        parts.writer = parts.element.ElementClaims()
    parts.journal = Journal(
        _JOURNAL_FOLDER,
        max_bytes=settings["journal_bytes"],
        segment_bytes=settings["journal_segment_bytes"],
        state_bytes=STATE_BYTES,
    )
    parts.keystore = KeyStore(esp32.NVS(NAMESPACE))
    parts.interval_ms = _interval_ms(settings, parts.keystore)
    parts.journal.recover()
    parts.registers = Registers(
        settings["counts_per_milliwatthour"],
        settings["start_counts"],
        settings.get("milliwatthours_per_energy_count", 0),
        settings.get("parts_per_energy_count", 0),
    )
    words = parts.registers.words
    image = uctypes.bytearray_at(uctypes.addressof(words), 4 * len(words))
    parts.registers.attach(machine.RTC().memory, image)
    signer = _signer(parts, settings, table)
    try:
        events = _resume(parts, signer)
    except signer.failure as error:
        return _without_signer(parts, settings, signer, error)
    gc.collect()
    _add_sensor(parts, settings)
    _add_recorder(parts, settings, signer, table)
    parts.watchdog = _watchdog(settings)
    gc.collect()
    node = (Node if parts.element is None else parts.element.ElementNode)(parts)
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


def _element_module(settings: dict):
    """The module of nodes with a secure element; None on others, which never load it."""
    if "element_address" not in settings:
        return None
    from node import element

    return element


def _signer(parts, settings: dict, table):
    """What signs. A board with a secure element never falls back on a key in software."""
    if parts.element is not None:
        return parts.element.find_element(settings, bus_maker(settings, "element_i2c"))
    from node.software_key import SoftwareKey

    return SoftwareKey(parts.keystore, table)


def _without_signer(parts, settings: dict, signer, error: OSError):
    """Meter under the registers that are there until the secure element answers."""
    state = parts.journal.head_state
    parts.chain = Chain(bytes(_KID_BYTES) if state is None else state_kid(state))
    parts.registers.set_tag(_tag(parts.chain.kid))
    if state is not None:
        parts.chain.unpack(state, parts.journal.head_digest)
        restore_registers(state, parts.registers)
    parts.registers.take_copy()
    _add_sensor(parts, settings)
    parts.watchdog = _watchdog(settings)
    return parts.element.MeterOnly(parts, signer, error)


def _resume(parts, signer) -> list:
    """Go on where the journal ends, or begin a new key; returns the events that tell about it."""
    journal = parts.journal
    registers = parts.registers
    public = signer.public_key()
    state = journal.head_state
    torn = journal.torn_bytes
    burnt = journal.burnt
    source = _FROM_NOTHING
    if state is not None:
        restore_registers(state, registers)
        source = _FROM_JOURNAL
    position = -1
    if public is not None:
        _use_key(parts, public)
        position = registers.take_copy()
        if position >= 0:
            source = _FROM_MEMORY
    events: list = []
    reason = _lost(parts, public, state, position)
    if reason is None and parts.keystore.new_key_asked():
        reason = _KEY_COMMANDED
    if reason is not None:
        _use_key(parts, signer.make_key())
        journal.erase()
        parts.keystore.forget_new_key()
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


def _use_key(parts, public: bytes) -> None:
    parts.public = public
    kid = public_key_id(public)
    parts.chain = Chain(kid)
    parts.registers.set_tag(_tag(kid))


def _tag(kid: bytes) -> int:
    return int.from_bytes(kid[:4], "big") & TAG_MASK


def _lost(parts, public: bytes | None, state: bytes | None, position: int) -> int | None:
    """Why a new key is needed; None if the old one can go on."""
    if public is None:
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
    make = {"pzem004t": _make_pzem004t, "s0": _make_s0}.get(settings["sensor"], _make_on_i2c)
    parts.make_bus, parts.sensor = make(settings)
    parts.meter = Meter(parts.sensor, parts.registers, parts.clock, settings["sample_period_ms"])
    seen = parts.registers.input_seen()
    parts.meter.fiscal.input = seen & 15
    parts.meter.transaction.input = seen >> 4
    parts.meter.mark_input(parts.meter.own_input)
    parts.registers.mark_position(parts.journal.next_position)
    parts.relay = _relay(settings)


def _make_on_i2c(settings: dict) -> tuple:
    """What makes its bus anew, and the driver of a chip on I2C."""
    make_bus = bus_maker(settings, "i2c")
    if settings["sensor"] == "ade7953":
        from node.drivers.ade7953 import Ade7953

        return make_bus, Ade7953(
            make_bus(),
            settings["sensor_address"],
            pga_voltage=settings["sensor_pga_voltage"],
            pga_current=settings["sensor_pga_current"],
            active_gain=settings["sensor_active_gain"],
        )
    if settings["sensor"] == "played":
        from node.drivers.played import Played

        power_nw = settings["power_nw_per_count"]
        sensor = Played(make_bus(), settings["sensor_address"], power_nw_per_count=power_nw)
        return make_bus, sensor
    from node.drivers.ina228 import Ina228

    return make_bus, Ina228(
        make_bus(),
        settings["sensor_address"],
        config=settings["sensor_config"],
        adc_config=settings["sensor_adc_config"],
        shunt_cal=settings["sensor_shunt_cal"],
    )


def _make_pzem004t(settings: dict) -> tuple:
    from node.drivers.pzem004t import BAUD, Pzem004t
    from node.wiring_line import port_maker

    make_bus = port_maker(settings, BAUD)
    power_nw = settings["power_nw_per_count"]
    return make_bus, Pzem004t(make_bus(), settings["sensor_address"], power_nw_per_count=power_nw)


def _make_s0(settings: dict) -> tuple:
    from node.drivers.s0 import S0
    from node.wiring_line import input_maker

    make_bus = input_maker(settings["sensor_pin"])
    return make_bus, S0(
        make_bus(),
        pulse_ms=settings["sensor_pulse_ms"],
        exporting=settings["sensor_exporting"],
        counts_per_milliwh=settings["counts_per_milliwatthour"],
        pulse_milliwh=settings["milliwatthours_per_energy_count"],
        pulse_parts=settings["parts_per_energy_count"],
    )


def _relay(settings: dict):
    """A callable that opens (0) or closes (1) the relay; None if there is none."""
    number = settings["relay_pin"]
    if number < 0:
        return None
    closed_level = settings["relay_closed_level"]
    at_boot = settings["relay_at_boot"]
    pin = machine.Pin(number, machine.Pin.OUT, value=closed_level if at_boot else 1 - closed_level)
    return relay_switch(pin, closed_level)


def _add_recorder(parts, settings: dict, signer, table: "bytearray | None") -> None:
    ueid = _UEID_EUI + machine.unique_id()
    if "ueid" in settings:
        ueid = bytes.fromhex(settings["ueid"])
    writer = parts.writer
    writer.serial = parts.serial
    writer.ueid = ueid
    writer.cfg = digest_files({} if table is None else {TABLE_PATH: table})
    writer.bootseed = os.urandom(8)
    writer.current_kind = settings["current_kind"]
    recorder_kind = Recorder
    if parts.element is not None:
        recorder_kind = parts.element.ElementRecorder
        writer.element = signer.serial_number
    parts.recorder = recorder_kind(
        chain=parts.chain,
        journal=parts.journal,
        sealer=Sealer(parts.chain.kid, signer.sign),
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
    if parts.element is not None:
        print("the key is in secure element %s" % parts.writer.element.hex())
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
