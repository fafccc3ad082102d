"""What a scenario may ask of a sensor: its errors, its faults, the direction of its power."""

from __future__ import annotations

from wattest.boards import Ade7953Wiring, Board, Ina228Wiring, PlayedWiring, S0Wiring
from wattest.errors import ConfigError
from wattest.scenario.fault import FaultKind
from wattest.scenario.load import LoadProfile
from wattest.scenario.model import ChipErrorSpec, Scenario

_GAINS = frozenset({"gain_current_ppm", "gain_voltage_ppm"})
# Nobody can see these at the end of two wires that only open and close.
_UNSEEN_ON_S0 = frozenset({FaultKind.BUS_NACK, FaultKind.WRONG_CHIP, FaultKind.OVERLOAD})


def check_sensor_fits(scenario: Scenario, number: int, board: Board, load: LoadProfile) -> None:
    """Refuse what a node's sensor cannot have, see or be put through.

    Args:
        scenario: whose node.
        number: which, from 0.
        board: its hardware.
        load: what it meters.

    Raises:
        ConfigError: an error of another chip is declared, the load flows in a direction the sensor
            does not know, or a fault is planned that leaves no trace at it.
    """
    sensor = board.sensor
    if isinstance(sensor, Ina228Wiring):
        return
    spec = scenario.nodes[number]
    if isinstance(sensor, PlayedWiring):
        raise ConfigError(
            "a sensor that the bench can play itself expected, got one that a second board plays",
            path=scenario.path,
            key=f"node[{number}].board",
            hint="such a node is collected from with `wattest tui --live`",
        )
    _check_errors(scenario.path, number, board, spec.chip)
    if not isinstance(sensor, Ade7953Wiring):
        backwards = isinstance(sensor, S0Wiring) and sensor.exporting
        wrong = load.power.maximum > 0 if backwards else load.power.minimum < 0
        if wrong:
            raise ConfigError(
                f"power of one direction expected, because {sensor.chip} knows no other",
                path=scenario.path,
                key=f"node[{number}].load",
                hint="take a board with an INA228 or an ADE7953",
            )
    if isinstance(sensor, S0Wiring):
        for index, fault in enumerate(scenario.faults):
            if fault.node == spec.name and fault.kind in _UNSEEN_ON_S0:
                raise ConfigError(
                    f"a fault that leaves a trace at an S0 input expected, got {fault.kind}",
                    path=scenario.path,
                    key=f"fault[{index}].kind",
                    hint="bus-stuck and bus-bits do",
                )


def _check_errors(path: str, number: int, board: Board, chip: ChipErrorSpec) -> None:
    sensor = board.sensor
    possible = _GAINS if isinstance(sensor, S0Wiring) else _GAINS | {"oscillator_ppm"}
    for name in ChipErrorSpec.__slots__:
        if getattr(chip, name) and name not in possible:
            raise ConfigError(
                f"0 expected, because {sensor.chip} has {', '.join(sorted(possible))} only, "
                f"got {getattr(chip, name)}",
                path=path,
                key=f"node[{number}].chip.{name}",
            )
