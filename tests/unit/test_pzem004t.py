"""The PZEM-004T model at frame level: the manual's frames, its functions, its silences."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from wattest.emulator.pzem004t import BAUD, Pzem004t, crc16
from wattest.emulator.sensor_errors import MeterErrors
from wattest.emulator.uart import RING_BYTES, UartPort

SECOND = 10**9
# The manual of the version 3: a request to address 1, and its answer.
READ_ALL = bytes.fromhex("01 04 00 00 00 0A 70 0D")
MANUAL_ANSWER = bytes.fromhex(
    "01 04 14 08 98 03 E8 00 00 08 98 00 00 00 00 00 00 01 F4 00 64 00 00 63 CE"
)


@dataclass
class Steady:
    """220 V and 1 A in phase, as in the manual."""

    power_uw: int = 220_000_000
    voltage_uv: int = 220_000_000

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        assert t0_ns < t1_ns
        return self.power_uw

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        assert t0_ns < t1_ns
        return self.voltage_uv


def frame(*parts: int) -> bytes:
    return bytes(parts) + crc16(bytes(parts))


def answer(module: Pzem004t, request: bytes, t_ns: int = SECOND) -> bytes | None:
    said = module.receive(request, t_ns)
    if said is None:
        return None
    begin_ns, data = said
    assert begin_ns > t_ns
    assert crc16(data[:-2]) == data[-2:]
    return data


def words(data: bytes | None) -> list[int]:
    assert data is not None
    return [int.from_bytes(data[at : at + 2]) for at in range(3, len(data) - 2, 2)]


def test_answer_is_the_manuals_to_the_last_bit() -> None:
    assert frame(1, 4, 0, 0, 0, 10) == READ_ALL
    assert answer(Pzem004t(Steady()), READ_ALL) == MANUAL_ANSWER


def test_energy_is_whole_watt_hours_with_the_low_word_first() -> None:
    module = Pzem004t(Steady(power_uw=20_000_000_000))
    values = words(answer(module, READ_ALL, 4 * 3600 * SECOND))
    assert values[5] | values[6] << 16 == 80_000
    assert values[3] | values[4] << 16 == 200_000
    assert words(answer(module, READ_ALL, 4 * 3600 * SECOND + SECOND // 100))[5] == 80_000 & 0xFFFF


def test_it_knows_no_direction() -> None:
    module = Pzem004t(Steady(power_uw=-220_000_000))
    assert answer(module, READ_ALL) == MANUAL_ANSWER


@pytest.mark.parametrize(("full_scale_ma", "starting_ma"), [(10_000, 10), (100_000, 20)])
def test_current_below_the_start_is_nothing(full_scale_ma: int, starting_ma: int) -> None:
    load = Steady(power_uw=220_000 * (starting_ma - 1))
    module = Pzem004t(load, full_scale_ma=full_scale_ma)
    assert words(answer(module, READ_ALL, 3600 * SECOND))[3:6] == [0, 0, 0]
    load.power_uw = 220_000 * starting_ma
    assert words(answer(module, READ_ALL, 7200 * SECOND))[3] == load.power_uw // 100_000


def test_counter_can_be_cleared_by_anybody() -> None:
    module = Pzem004t(Steady())
    assert module.energy_wh(3600 * SECOND) == 220
    assert answer(module, frame(1, 0x42), 3600 * SECOND) == frame(1, 0x42)
    assert module.energy_wh(3600 * SECOND) == 0


def test_address_and_alarm_can_be_written_and_read() -> None:
    module = Pzem004t(Steady())
    assert answer(module, frame(1, 6, 0, 2, 0, 9)) == frame(9, 6, 0, 2, 0, 9)
    assert answer(module, READ_ALL) is None
    assert words(answer(module, frame(9, 3, 0, 1, 0, 2))) == [23_000, 9]
    assert answer(module, frame(9, 6, 0, 1, 0, 100)) is not None
    assert words(answer(module, frame(0xF8, 4, 0, 9, 0, 1))) == [0xFFFF]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (frame(1, 0x11, 0, 0, 0, 1), 1),
        (frame(1, 4, 0, 10, 0, 1), 2),
        (frame(1, 4, 0, 5, 0, 6), 2),
        (frame(1, 4, 0, 0, 0, 0), 2),
        (frame(1, 3, 0, 0, 0, 1), 2),
        (frame(1, 6, 0, 7, 0, 1), 2),
        (frame(1, 6, 0, 2, 0, 0xF8), 3),
    ],
)
def test_request_it_cannot_serve_is_refused_with_its_code(request_: bytes, code: int) -> None:
    assert answer(Pzem004t(Steady()), request_) == frame(1, request_[1] | 0x80, code)


@pytest.mark.parametrize(
    "request_",
    [READ_ALL[:-1], READ_ALL[:-1] + b"\x0c", frame(2, 4, 0, 0, 0, 10), b"", b"\x01"],
)
def test_damaged_or_foreign_request_is_not_answered(request_: bytes) -> None:
    assert answer(Pzem004t(Steady()), request_) is None


def test_module_without_mains_is_silent() -> None:
    assert answer(Pzem004t(Steady(voltage_uv=60_000_000)), READ_ALL) is None


def test_declared_errors_move_what_it_counts() -> None:
    errors = MeterErrors(gain_current_ppm=50_000, oscillator_ppm=-10_000)
    module = Pzem004t(Steady(power_uw=10**9), errors=errors)
    assert module.energy_wh(100 * 3600 * SECOND) == 100_000 * 1.05 * 0.99


def test_counter_ends_at_9999_kwh_and_begins_anew() -> None:
    module = Pzem004t(Steady())
    module.counter_offset_wh = 9_999_999
    assert module.energy_wh(1) == 9_999_999
    assert module.energy_wh(3600 * SECOND) == 219


# ---- the port ----


def test_answer_comes_over_the_wire_byte_by_byte() -> None:
    port = UartPort(Pzem004t(Steady()), BAUD)
    port.write(READ_ALL, SECOND)
    byte_ns = 10 * SECOND // BAUD
    begin_ns = SECOND + 8 * byte_ns + 20_000_000
    assert port.available(begin_ns) == 0
    assert port.available(begin_ns + byte_ns) == 1
    assert port.available(begin_ns + 25 * byte_ns) == 25
    assert port.read(3, begin_ns + 25 * byte_ns) == MANUAL_ANSWER[:3]
    assert port.read(99, 2 * SECOND) == MANUAL_ANSWER[3:]


def test_port_at_another_speed_hears_nothing() -> None:
    port = UartPort(Pzem004t(Steady()), 19_200)
    port.write(READ_ALL, 0)
    assert port.available(SECOND) == 0


def test_bytes_beyond_the_ring_are_dropped_and_counted() -> None:
    port = UartPort(Pzem004t(Steady()), BAUD)
    for number in range(12):
        port.write(READ_ALL, number * SECOND)
    assert port.available(20 * SECOND) == RING_BYTES
    assert port.dropped == 12 * 25 - RING_BYTES
