"""Emulated nodes on a bench: boards with firmware and identity, chips with a load, one time.

The load begins a little after power-on, when every node has booted, proved its key and been given
the time; so all of the load is metered, and the exact truth is the truth of the whole run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wattest.boards import Board, node_config
from wattest.boards.esp_image import split_combined
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.emulator.atecc608 import Atecc608
from wattest.emulator.atecc608_vault import Vault
from wattest.emulator.board import BoardWiring, EmulatedBoard, I2cWiring, SerialOptions
from wattest.emulator.engine import load_engine
from wattest.emulator.flash import FlashLayout, NorFlash
from wattest.emulator.i2c import I2cBus
from wattest.emulator.ina228 import ChipErrors
from wattest.emulator.nvs import NvsStore
from wattest.emulator.serial_rom import chip_names
from wattest.emulator.world import World
from wattest.errors import ConfigError
from wattest.flashing import build_firmware
from wattest.operations.expected import ExpectedNode
from wattest.operations.virtual.demo_keys import demo_key
from wattest.operations.virtual.fitted import FittedSensor, fit_sensor
from wattest.scenario import LoadProfile
from wattest.verify import EnrolmentKind

PRE_ROLL_NS = 10_000_000_000
_NVS_NAMESPACE = "wattest"
_NVS_COMMAND_KEY = "cmdkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What one emulated node is made of.

    Args:
        name: unique in the run.
        asset: what it meters.
        board: the emulated hardware.
        load: what flows, from the load's own zero.
        chip_errors: declared imperfections of its sensor.
        interval_ms: record interval.
    """

    name: str
    asset: str
    board: Board
    load: LoadProfile
    chip_errors: ChipErrors
    interval_ms: int


class DelayedLoad:
    """A load whose zero lies at ``start_ns`` of the world, and that flows for ``duration_ns``."""

    def __init__(self, load: LoadProfile, *, start_ns: int, duration_ns: int) -> None:
        self._load = load
        self._start_ns = start_ns
        self._duration_ns = duration_ns

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        """Mean power over the window, µW; nothing flows before the start and after the end."""
        first = max(t0_ns - self._start_ns, 0)
        last = min(t1_ns - self._start_ns, self._duration_ns)
        if first >= last:
            return 0
        mean = self._load.power_mean_uw(first, last)
        if last - first == t1_ns - t0_ns:
            return mean
        return mean * (last - first) // (t1_ns - t0_ns)

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        """Mean voltage over the window, µV; the supply is there from power-on."""
        first = max(t0_ns - self._start_ns, 0)
        return self._load.voltage_mean_uv(first, max(t1_ns - self._start_ns, first + 1))


@dataclass(slots=True)
class BareBoard:
    """One emulated board as it comes from the shop: its flash is erased."""

    plan: NodePlan
    board: EmulatedBoard
    flash: NorFlash
    sensor: FittedSensor


@dataclass(slots=True)
class BenchNode(BareBoard):
    """One emulated node and what the bench knows of it."""

    expected: ExpectedNode


class EmulatedBench:
    """Emulated boards in one world.

    Args:
        seed: every key and random number of the run derives from it.
        duration_ns: how long the load flows.
        ports: how the boards' serial ports behave, for tools; then a board starts only from a
            valid application image. None: the records are taken out of the boards directly.
        life: which life of the same boards this is; each draws its own chance, keys stay.

    Attributes:
        nodes: by name.
        elements: the secure elements of boards that have one, by the board's name.
    """

    def __init__(
        self, *, seed: int, duration_ns: int, ports: SerialOptions | None = None, life: int = 0
    ) -> None:
        self.world = World()
        self.seed = seed
        self.nodes: dict[str, BenchNode] = {}
        self.elements: dict[str, Atecc608] = {}
        self._duration_ns = duration_ns
        self._ports = ports
        self._life = f"/{life}" if life else ""
        self._boards: list[EmulatedBoard] = []
        self._engine = load_engine()

    def add(self, plan: NodePlan) -> BenchNode:
        """Flash and provision a board; it stays off."""
        serial = f"DEMO-{plan.name}"
        ueid = b"\x01" + demo_key(self.seed, "ueid", plan.name)[:16]
        config = node_config(
            plan.board, serial=serial, interval_ms=plan.interval_ms, ueid=ueid.hex()
        )
        build = build_firmware(config, p256_table_bytes=plan.board.memory.p256_table_bytes)
        command_key = demo_key(self.seed, "command", plan.name)
        bare = self.add_bare(plan)
        if self._ports is not None:
            _write_interpreter(bare.flash, plan.board)
        nvs = NvsStore(_layout(plan.board).nvs(bare.flash)).namespace(_NVS_NAMESPACE)
        nvs.set_blob(_NVS_COMMAND_KEY, command_key)
        nvs.commit()
        bare.board.install(build.files)
        node = BenchNode(
            plan=plan,
            expected=ExpectedNode(
                name=plan.name,
                asset=plan.asset,
                serial=serial,
                board=plan.board.name,
                kind=EnrolmentKind.EMULATED,
                cfg=build.cfg,
                demo=True,
                power_max_milliwatts=plan.board.meter.power_max_milliwatts,
                command_key=command_key,
            ),
            board=bare.board,
            flash=bare.flash,
            sensor=bare.sensor,
        )
        self.nodes[plan.name] = node
        return node

    def add_bare(self, plan: NodePlan) -> BareBoard:
        """Take a board with erased flash; it stays off.

        Raises:
            ConfigError: its chip is not emulated, or another emulator embodies the board.
        """
        if plan.board.qemu_machine:
            raise ConfigError(
                "runs under QEMU, not in this emulator",
                path=f"board {plan.board.name}",
                hint=f"`wattest board up --board {plan.board.name}`, or take emulated-esp32",
            )
        if plan.board.chip not in chip_names():
            raise ConfigError(
                f"its chip {plan.board.chip} is not emulated, expected one of "
                f"{', '.join(chip_names())}",
                path=f"board {plan.board.name}",
                hint="`wattest boards list` says which boards are emulated",
            )
        flash = NorFlash(plan.board.flash.size_bytes)
        sensor = self._sensor(plan)
        board = self._board(plan, plan.name, flash, sensor)
        self._boards.append(board)
        return BareBoard(plan=plan, board=board, flash=flash, sensor=sensor)

    def clone(self, name: str, *, flash: NorFlash | None = None) -> EmulatedBoard:
        """Boot a second board from a copy of a node's flash: same journal, own life.

        The key is the same if it is in the flash; a secure element is not copied.

        Args:
            name: the node.
            flash: an earlier copy; default is one made now.
        """
        node = self.nodes[name]
        sensor = self._sensor(node.plan)
        copy = self._board(node.plan, f"{name} clone", flash or node.flash.copy(), sensor)
        copy.power_on()
        return copy

    def call_at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Do something at a moment of the run's virtual time (0: the load begins)."""
        self.world.call_at(PRE_ROLL_NS + t_ns, action)

    @property
    def now_ns(self) -> int:
        """Virtual time since the load began, ns; negative before."""
        return self.world.now_ns - PRE_ROLL_NS

    def close(self) -> None:
        """Switch everything off and free it."""
        for board in self._boards:
            board.close()

    def _sensor(self, plan: NodePlan) -> FittedSensor:
        feeder = DelayedLoad(plan.load, start_ns=PRE_ROLL_NS, duration_ns=self._duration_ns)
        return fit_sensor(plan.board, feeder, plan.chip_errors)

    def _board(
        self, plan: NodePlan, name: str, flash: NorFlash, sensor: FittedSensor
    ) -> EmulatedBoard:
        pins = plan.board.i2c
        board = EmulatedBoard(
            self._engine,
            flash=flash,
            wiring=BoardWiring(
                machine=plan.board.title,
                heap_bytes=plan.board.memory.heap_bytes,
                layout=_layout(plan.board),
                chip=plan.board.chip,
                needs_application=self._ports is not None,
                serial=self._ports or SerialOptions(),
            ),
            buses=[
                I2cWiring(bus=sensor.bus, scl=pins.scl_pin, sda=pins.sda_pin),
                *self._fit_element(plan.board, name, sensor.bus),
            ],
            unique_id=b"\x02" + demo_key(self.seed, "mac", name)[:5],
            seed=int.from_bytes(demo_key(self.seed, "entropy", name + self._life)[:8]),
            name=name,
            world=self.world,
        )
        sensor.connect(board, self.world)
        return board

    def _fit_element(self, board: Board, name: str, bus: I2cBus) -> list[I2cWiring]:
        """Solder the secure element to the sensor's bus; returns the bus of its own if it has one.

        Elsewhere the key would be in the copy of a flash; here each board has its own chip.
        """
        element = board.secure_element
        if element is None:
            return []
        vault = Vault(demo_key(self.seed, "element", name + self._life), key_slots=(element.slot,))
        chip = self.elements[name] = Atecc608(vault, address=element.address)
        if element.i2c == board.i2c:
            bus.fit(element.address, chip)
            return []
        own = I2cBus({element.address: chip})
        return [I2cWiring(bus=own, scl=element.i2c.scl_pin, sda=element.i2c.sda_pin)]


def _write_interpreter(flash: NorFlash, board: Board) -> None:
    """Put an image that the chip's boot ROM accepts where MicroPython's would be."""
    image = synthetic_micropython(board.chip)
    for segment in split_combined(image, firmware_offset=board.flash.firmware_offset):
        flash.program(segment.offset, segment.data)


def _layout(board: Board) -> FlashLayout:
    return FlashLayout(
        nvs_offset=board.flash.nvs_offset,
        nvs_size_bytes=board.flash.nvs_bytes,
        vfs_offset=board.flash.vfs_offset,
    )
