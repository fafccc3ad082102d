"""A node on an emulated board, with the host's end of its link."""

from typing import Any

from host_side import Decoded, HostSide

from wattest.emulator.atecc608 import Atecc608
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.emulator.ina228 import ChipErrors, Ina228
from wattest.emulator.nvs import NvsStore
from wattest.emulator.world import World
from wattest.flashing import build_firmware

COMMAND_KEY = bytes(range(32))
SHUNT_UOHM = 16_200
SHUNT_CAL = 4050  # 10 A scale
SECOND_NS = 1_000_000_000
CONFIG: dict[str, Any] = {
    "serial": "EMU-0001",
    "board": "emulated-esp32",
    "sample_period_ms": 1000,
    "interval_ms": 60_000,
    "sensor": "ina228",
    "i2c_id": 0,
    "i2c_scl": 22,
    "i2c_sda": 21,
    "i2c_freq_hz": 400_000,
    "sensor_address": 0x40,
    "sensor_config": 0,
    "sensor_adc_config": 0xF717,
    "sensor_shunt_cal": SHUNT_CAL,
    "counts_per_milliwatthour": 14_745_600 * SHUNT_UOHM // SHUNT_CAL,
    "power_nw_per_count": 61_035,
    "start_counts": 100,
    "relay_pin": 4,
    "relay_closed_level": 1,
    "relay_at_boot": 0,
    "current_kind": 1,
    "journal_bytes": 262_144,
    "journal_segment_bytes": 4096,
    "watchdog_ms": 0,
    "sync_valid_s": 93_600,
}

# The same board with a secure element on its bus.
ELEMENT = {
    "i2c_freq_hz": 100_000,
    "element_address": 0x60,
    "element_slot": 0,
    "element_i2c_id": 0,
    "element_i2c_scl": 22,
    "element_i2c_sda": 21,
    "element_i2c_freq_hz": 100_000,
}


class ConstantLoad:
    """A load that can be changed between two steps of a test."""

    def __init__(self, power_uw: int = 288_000_000, voltage_uv: int = 48_000_000) -> None:
        self.power_uw = power_uw
        self.voltage_uv = voltage_uv

    def power_mean_uw(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.power_uw

    def voltage_mean_uv(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.voltage_uv


class Setup:
    """Board, chip, world and host; the firmware is installed unless a flash is given."""

    def __init__(
        self,
        *,
        load: Any = None,
        flash: NorFlash | None = None,
        acknowledging: bool = True,
        table_bytes: int = 32_768,
        files: dict[str, bytes] | None = None,
        element: Atecc608 | None = None,
        **config: Any,
    ) -> None:
        self.load = load or ConstantLoad()
        self.chip = Ina228(self.load, shunt_uohm=SHUNT_UOHM, errors=ChipErrors())
        self.bus = I2cBus({0x40: self.chip} | ({element.address: element} if element else {}))
        if element is not None:
            config, table_bytes = {**ELEMENT, **config}, 0
        self.world = World()
        self.flash = flash or NorFlash(4 << 20)
        self.host = HostSide(COMMAND_KEY)
        self.acknowledging = acknowledging
        self.board = EmulatedBoard(
            load_engine(),
            flash=self.flash,
            wiring=BoardWiring(machine="emulated", heap_bytes=128 * 1024),
            buses=[I2cWiring(bus=self.bus, scl=22, sda=21)],
            unique_id=bytes.fromhex("240ac4123456"),
            seed=7,
            name="n0",
            world=self.world,
        )
        self.board.on_output(self._on_output)
        if flash is None:
            provision(self.flash)
            build = build_firmware({**CONFIG, **config}, p256_table_bytes=table_bytes)
            self.cfg = build.cfg
            self.board.install({**build.files, **(files or {})})

    def start(self) -> "Setup":
        self.board.power_on()
        return self

    def run_s(self, seconds: float) -> "Setup":
        """Let virtual time pass."""
        self.world.run_until(self.world.now_ns + int(seconds * SECOND_NS))
        return self

    def send(self, data: bytes) -> None:
        self.board.feed(data)

    def command(self, op: int, *arguments: Any) -> int:
        """Send a command, wait for its reply; returns the reply's reason."""
        before = len(self.host.replies)
        self.send(self.host.command(op, *arguments))
        self.run_s(1.5)
        assert len(self.host.replies) == before + 1
        reply = self.host.replies[-1]
        assert reply[1] in (0, self.host.counter)
        return reply[2]

    def records(self, ctx: int | None = None) -> list[Decoded]:
        found = self.host.unique_records()
        return [record for record in found if ctx is None or record.ctx == ctx]

    def events(self, kind: int) -> list[dict[int, Any]]:
        return [record.event for record in self.records(2) if record.event[1] == kind]

    def _on_output(self, _t_ns: int, data: bytes) -> None:
        for record in self.host.receive(data):
            if self.acknowledging:
                self.board.feed(self.host.acknowledge(record))


def provision(flash: NorFlash) -> None:
    """What the host writes into NVS before the first boot."""
    namespace = NvsStore(FlashLayout().nvs(flash)).namespace("wattest")
    namespace.set_blob("cmdkey", COMMAND_KEY)
    namespace.commit()
