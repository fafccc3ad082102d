"""The sensor a board file names, as a model on an emulated board, and its faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Protocol, TypeAlias

from wattest.boards import (
    Ade7953Wiring,
    Board,
    Ina228Wiring,
    PlayedWiring,
    Pzem004tWiring,
    S0Wiring,
)
from wattest.emulator.ade7953 import Ade7953
from wattest.emulator.board import EmulatedBoard
from wattest.emulator.i2c import (
    BitErrorFault,
    I2cBus,
    I2cDevice,
    I2cFault,
    NackFault,
    StuckBusFault,
)
from wattest.emulator.ina228 import ChipErrors, Ina228, Load
from wattest.emulator.pzem004t import Pzem004t
from wattest.emulator.s0_pulses import S0Output
from wattest.emulator.sensor_errors import MeterErrors
from wattest.emulator.uart import UartWiring
from wattest.emulator.world import World

WRONG_DEVICE_ID = 0x2260
"""An INA226 answers so: same package, same address, other registers."""

_OTHER_COUNTER_WH = 5_000_000

Undo: TypeAlias = Callable[[], None]


class FittedSensor(Protocol):
    """One sensor of one emulated board."""

    bus: I2cBus
    """The board's I2C bus, with the sensor on it if it is one for I2C."""

    def connect(self, board: EmulatedBoard, world: World) -> None:
        """Wire it to a board that was just made; once."""

    def silence(self) -> Undo:
        """Let it stop answering."""

    def hold_line(self) -> Undo:
        """Hold its line low."""

    def disturb(self, every: int, bit: int) -> Undo:
        """Damage every so many of its answers."""

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        """Put another part in its place; later the right one again."""


def fit_sensor(board: Board, load: Load, errors: ChipErrors) -> FittedSensor:
    """Make the model of the sensor that a board file names.

    Args:
        board: the hardware.
        load: what the sensor sees.
        errors: declared errors; those the chip cannot have were refused with the scenario.
    """
    wiring = board.sensor
    if isinstance(wiring, Ina228Wiring):
        return _Ina228OnBus(
            Ina228(load, shunt_uohm=wiring.shunt_uohm, errors=errors), wiring.address
        )
    known = {field.name for field in fields(MeterErrors)}
    meter_errors = MeterErrors(**{name: getattr(errors, name) for name in known})
    if isinstance(wiring, Ade7953Wiring):
        chip = Ade7953(
            load,
            voltage_divider=wiring.voltage_divider,
            shunt_uohm=wiring.shunt_uohm,
            errors=meter_errors,
        )
        return _Ade7953OnBus(chip, wiring.address)
    if isinstance(wiring, Pzem004tWiring):
        return _ModuleOnPort(board, wiring, load, meter_errors)
    if isinstance(wiring, PlayedWiring):
        return _Played()
    return _PulsesOnPin(wiring, load, meter_errors)


class _OnBus:
    def __init__(self, device: I2cDevice, address: int) -> None:
        self.bus = I2cBus({address: device})

    def connect(self, board: EmulatedBoard, world: World) -> None:
        """Nothing: the board was made with the bus."""

    def silence(self) -> Undo:
        return self._with(NackFault(None))

    def hold_line(self) -> Undo:
        return self._with(StuckBusFault())

    def disturb(self, every: int, bit: int) -> Undo:
        return self._with(BitErrorFault(None, every=every, bit=bit))

    def _with(self, fault: I2cFault) -> Undo:
        self.bus.add_fault(fault)
        return lambda: self.bus.remove_fault(fault)


class _Played(_OnBus):
    """A bus that a second board is soldered to."""

    def __init__(self) -> None:
        self.bus = I2cBus({})

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        """There is no part to exchange."""
        del now_ns
        return lambda: None


class _Ina228OnBus(_OnBus):
    def __init__(self, chip: Ina228, address: int) -> None:
        super().__init__(chip, address)
        self._chip = chip

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        chip = self._chip
        right = chip.device_id
        chip.device_id = WRONG_DEVICE_ID
        chip.power_on(now_ns())

        def restore() -> None:
            chip.device_id = right
            chip.power_on(now_ns())

        return restore


class _Ade7953OnBus(_OnBus):
    def __init__(self, chip: Ade7953, address: int) -> None:
        super().__init__(chip, address)
        self._chip = chip

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        chip = self._chip
        chip.foreign = True

        def restore() -> None:
            chip.foreign = False
            chip.power_on(now_ns())

        return restore


class _ModuleOnPort:
    def __init__(
        self, board: Board, wiring: Pzem004tWiring, load: Load, errors: MeterErrors
    ) -> None:
        assert board.uart is not None, "a board file with this sensor has a port"
        self.bus = I2cBus({})
        self._module = Pzem004t(
            load, address=wiring.address, full_scale_ma=wiring.full_scale_ma, errors=errors
        )
        self._wiring = UartWiring(device=self._module, tx=board.uart.tx_pin, rx=board.uart.rx_pin)

    def connect(self, board: EmulatedBoard, world: World) -> None:
        del world
        board.hardware.uarts = (self._wiring,)

    def silence(self) -> Undo:
        return _while(self._module.trouble, silent=True)

    def hold_line(self) -> Undo:
        """A line that is held low carries no frame either."""
        return self.silence()

    def disturb(self, every: int, bit: int) -> Undo:
        return _while(self._module.trouble, every=every, bit=bit)

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        """Another module answers, whose counter stands elsewhere."""
        del now_ns
        return _while(self._module, counter_offset_wh=_OTHER_COUNTER_WH)


class _PulsesOnPin:
    def __init__(self, wiring: S0Wiring, load: Load, errors: MeterErrors) -> None:
        self.bus = I2cBus({})
        self._wiring = wiring
        self._load = load
        self._errors = errors
        self._output: S0Output | None = None

    def connect(self, board: EmulatedBoard, world: World) -> None:
        wiring = self._wiring
        self._output = S0Output(
            board,
            world,
            self._load,
            pin=wiring.pin,
            impulses_per_kwh=wiring.impulses_per_kwh,
            pulse_ms=wiring.pulse_ms,
            exporting=wiring.exporting,
            errors=self._errors,
        )

    def silence(self) -> Undo:
        """Cut the wire: the pin stays high, and nobody can tell it from no load."""
        return _while(self._connected().trouble, cut=True)

    def hold_line(self) -> Undo:
        output = self._connected()
        output.hold()
        return output.release

    def disturb(self, every: int, bit: int) -> Undo:
        """Let the contact bounce."""
        del bit
        return _while(self._connected().trouble, bounce_every=every)

    def exchange(self, now_ns: Callable[[], int]) -> Undo:
        """Another meter with the same constant: there is nothing to see."""
        del now_ns
        return lambda: None

    def _connected(self) -> S0Output:
        assert self._output is not None, "the board was made with it"
        return self._output


def _while(part: object, **settings: object) -> Undo:
    """Change attributes of a part; returns what puts them back."""
    before = {name: getattr(part, name) for name in settings}

    def change(values: dict[str, object]) -> None:
        for name, value in values.items():
            setattr(part, name, value)

    change(settings)
    return lambda: change(before)
