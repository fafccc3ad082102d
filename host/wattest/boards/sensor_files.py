"""The `[sensor]` and `[uart]` tables of a board file, and what they must agree with."""

from __future__ import annotations

from fractions import Fraction

from wattest.boards.model import POWER_COUNT_MAX, Board, MeterRating, UartWiring
from wattest.boards.sensors import (
    ADE7953_GAINS,
    Ade7953Wiring,
    Ina228Wiring,
    PlayedWiring,
    Pzem004tWiring,
    S0Wiring,
    SensorWiring,
)
from wattest.tables import Table

_SHUNT_CAL_MAX = 0x7FFF
_ADE7953_ADDRESS = 0x38
_ADE7953_GAIN_MIN, _ADE7953_GAIN_MAX = 0x200000, 0x600000
_ADE7953_COUNT_UJ_MAX = 65_535
_PZEM_RANGES_MA = (10_000, 100_000)
_PZEM_PERIOD_MS = 500
_PZEM_UN_MV_MIN = 80_000
# IEC 62053-31: a pulse and the gap behind it last 30 ms at least.
_S0_MS_MIN, _S0_MS_MAX = 30, 500
# Longest time the node cannot look at a pin: an erase of a sector (45 ms) and the quiet it wants.
_S0_BLIND_MS = 60
_MS_PER_H = 3_600_000
_COUNT_MS_MAX = 2000


def read_sensor(table: Table) -> SensorWiring:
    """Read the table of a sensor; which keys it has depends on the chip.

    Raises:
        ConfigError: a key is unknown, missing or out of range.
    """
    chip = table.choice("chip", ("ina228", "ade7953", "pzem004t", "s0", "played"))
    sensor: SensorWiring
    if chip == "ina228":
        sensor = _ina228(table)
    elif chip == "ade7953":
        sensor = _ade7953(table)
    elif chip == "pzem004t":
        sensor = Pzem004tWiring(
            address=table.integer("address", 1, minimum=1, maximum=247),
            full_scale_ma=_one_of(table, "full_scale_ma", _PZEM_RANGES_MA),
        )
    elif chip == "played":
        sensor = PlayedWiring(address=table.integer("address", minimum=0x08, maximum=0x77))
    else:
        sensor = S0Wiring(
            pin=table.integer("pin", maximum=48),
            impulses_per_kwh=table.integer("impulses_per_kwh", minimum=1, maximum=100_000),
            pulse_ms=table.integer("pulse_ms", minimum=_S0_MS_MIN, maximum=_S0_MS_MAX),
            exporting=table.choice("direction", ("import", "export"), "import") == "export",
        )
    table.finish()
    return sensor


def read_uart(table: Table) -> UartWiring:
    """Read the table of a serial port."""
    uart = UartWiring(
        id=table.integer("id", minimum=1, maximum=2),
        tx_pin=table.integer("tx_pin", maximum=48),
        rx_pin=table.integer("rx_pin", maximum=48),
    )
    if uart.tx_pin == uart.rx_pin:
        raise table.error("rx_pin", f"a pin other than TX expected, got {uart.rx_pin}")
    table.finish()
    return uart


def check_sensor(board: Board, table: Table) -> None:
    """Refuse a sensor that cannot measure what the board's meter is rated for.

    Raises:
        ConfigError: it would saturate, be asked too fast, lose pulses, or see the wrong current.
    """
    sensor = board.sensor
    if isinstance(sensor, Ina228Wiring):
        _check_ina228(sensor, board.meter, table)
    elif isinstance(sensor, Ade7953Wiring):
        _check_ade7953(sensor, board.meter, table)
    elif isinstance(sensor, Pzem004tWiring):
        _check_pzem(board, sensor, table)
    elif isinstance(sensor, S0Wiring):
        _check_s0(sensor, board.meter, table)


def _check_ina228(sensor: Ina228Wiring, meter: MeterRating, table: Table) -> None:
    if meter.un_mv > sensor.voltage_max_mv:
        raise table.error(
            "meter.un_mv", f"at most {sensor.voltage_max_mv} expected, got {meter.un_mv}"
        )
    if sensor.full_scale_ma < meter.imax_ma:
        raise table.error(
            "sensor.shunt_uohm",
            f"full scale of at least Imax {meter.imax_ma} mA expected, "
            f"got {int(sensor.full_scale_ma)} mA",
        )
    if Fraction(meter.power_max_uw * 1000) / sensor.power_lsb_nw > POWER_COUNT_MAX:
        raise table.error("sensor.shunt_cal", "Un * Imax must fit the 24 bits of POWER")
    if sensor.window_us > meter.sample_period_ms * 1000:
        raise table.error(
            "sensor.adc_config",
            f"a result within the sample period of {meter.sample_period_ms} ms expected, "
            f"got {sensor.window_us} us",
        )


def _check_ade7953(sensor: Ade7953Wiring, meter: MeterRating, table: Table) -> None:
    _check_alternating(sensor.chip, meter, table)
    for key, unit, full, rated in (
        ("voltage_divider", "mV", sensor.full_scale_mv, meter.un_mv),
        ("shunt_uohm", "mA", sensor.full_scale_ma, meter.imax_ma),
    ):
        if full < rated:
            raise table.error(
                f"sensor.{key}", f"full scale of at least {rated} {unit} expected, got {full}"
            )
    if not _ADE7953_GAIN_MIN <= sensor.active_gain <= _ADE7953_GAIN_MAX:
        nominal = sensor.nominal_uj_per_count
        low = -(-nominal * 2 // 3)
        raise table.error(
            "sensor.energy_uj_per_count",
            f"{low} to {nominal * 2 // 1} expected, where AWGAIN reaches, "
            f"got {sensor.energy_uj_per_count}",
        )


def _check_pzem(board: Board, sensor: Pzem004tWiring, table: Table) -> None:
    meter = board.meter
    _check_alternating(sensor.chip, meter, table)
    if board.uart is None:
        raise table.error("uart", "a table with the port of the sensor expected, got nothing")
    if sensor.full_scale_ma < meter.imax_ma:
        raise table.error(
            "sensor.full_scale_ma",
            f"at least Imax {meter.imax_ma} mA expected, got {sensor.full_scale_ma}",
        )
    if meter.sample_period_ms < _PZEM_PERIOD_MS:
        raise table.error(
            "meter.sample_period_ms",
            f"at least {_PZEM_PERIOD_MS} expected, the time of an answer, "
            f"got {meter.sample_period_ms}",
        )
    _check_density(1000, meter, table)
    low, high = _PZEM_UN_MV_MIN, sensor.voltage_max_mv
    if not low <= meter.un_mv <= high:
        raise table.error("meter.un_mv", f"{low} to {high} expected, got {meter.un_mv}")


def _check_s0(sensor: S0Wiring, meter: MeterRating, table: Table) -> None:
    distance_ms = _MS_PER_H * 10**9 // (meter.power_max_uw * sensor.impulses_per_kwh)
    shortest_ms = sensor.pulse_ms + _S0_BLIND_MS
    if distance_ms < shortest_ms:
        raise table.error(
            "sensor.impulses_per_kwh",
            f"pulses at least {shortest_ms} ms apart at Un * Imax expected, got {distance_ms} ms",
        )
    _check_density(sensor.impulses_per_kwh, meter, table)


def _check_density(counts_per_kwh: int, meter: MeterRating, table: Table) -> None:
    """At Un * Imax a count must come often enough: a verifier allows for two seconds."""
    distance_ms = _MS_PER_H * 10**9 // (meter.power_max_uw * counts_per_kwh)
    if distance_ms > _COUNT_MS_MAX:
        raise table.error(
            "meter.imax_ma",
            f"a count at least every {_COUNT_MS_MAX} ms at Un * Imax expected, "
            f"got one every {distance_ms} ms",
            hint="this is the rating of the meter, not the current you expect",
        )


def _check_alternating(chip: str, meter: MeterRating, table: Table) -> None:
    if meter.current_kind != "ac":
        raise table.error(
            "meter.current_kind", f'"ac" expected, which is all {chip} measures, got "dc"'
        )


def _ina228(table: Table) -> Ina228Wiring:
    sensor = Ina228Wiring(
        address=table.integer("address", minimum=0x40, maximum=0x4F),
        shunt_uohm=table.integer("shunt_uohm", minimum=1, maximum=10_000_000),
        shunt_cal=table.integer("shunt_cal", minimum=1, maximum=_SHUNT_CAL_MAX),
        adc_range=table.integer("adc_range", 0, maximum=1),
        adc_config=table.integer("adc_config", minimum=0, maximum=0xFFFF),
    )
    if sensor.adc_config >> 12 not in (0xB, 0xF):
        raise table.error(
            "adc_config",
            f"continuous shunt and bus conversion (mode B or F) expected, "
            f"got {sensor.adc_config:#06x}",
        )
    return sensor


def _ade7953(table: Table) -> Ade7953Wiring:
    return Ade7953Wiring(
        address=table.integer(
            "address", _ADE7953_ADDRESS, minimum=_ADE7953_ADDRESS, maximum=_ADE7953_ADDRESS
        ),
        voltage_divider=table.integer("voltage_divider", minimum=1, maximum=100_000),
        shunt_uohm=table.integer("shunt_uohm", minimum=1, maximum=10_000_000),
        pga_voltage=_one_of(table, "pga_voltage", ADE7953_GAINS[:-1]),
        pga_current=_one_of(table, "pga_current", ADE7953_GAINS),
        energy_uj_per_count=table.integer(
            "energy_uj_per_count", minimum=1, maximum=_ADE7953_COUNT_UJ_MAX
        ),
    )


def _one_of(table: Table, key: str, values: tuple[int, ...]) -> int:
    value = table.integer(key)
    if value not in values:
        raise table.error(key, f"{' or '.join(map(str, values))} expected, got {value}")
    return value
