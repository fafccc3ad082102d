"""The ADE7953 model against its data sheet: full scales, widths, unlocking, rollover, proofs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import pytest

from wattest.emulator.ade7953 import LOCKED_GAIN_PPM, Ade7953
from wattest.emulator.i2c import Nack
from wattest.emulator.sensor_errors import MeterErrors

SECOND = 10**9
HOUR = 3600 * SECOND
LCYCMODE, WRITE_PROTECT, CONFIG, UNLOCK, RESERVED = 0x004, 0x040, 0x102, 0x0FE, 0x120
AWATT, IRMSA, VRMS, AENERGYA, AWGAIN = 0x312, 0x31A, 0x31C, 0x31E, 0x382
# 1001:1 and 1 milliohm at gain 1: 500.5 V and 500 A peak.
FULL_SCALE_W = Fraction(1001, 2) * 500 / 2


@dataclass
class Steady:
    """A constant load."""

    power_uw: int = int(FULL_SCALE_W * 10**6)
    voltage_uv: int = isqrt(500_500_000**2 // 2)

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        assert t0_ns < t1_ns
        return self.power_uw

    def voltage_mean_uv(self, _t0_ns: int, _t1_ns: int) -> int:
        return self.voltage_uv


def chip_of(load: Steady | None = None, **settings: object) -> Ade7953:
    return Ade7953(load or Steady(), voltage_divider=1001, shunt_uohm=1000, **settings)


def put(chip: Ade7953, register: int, value: int, width: int, t_ns: int = 0) -> None:
    chip.write(register.to_bytes(2) + value.to_bytes(width), t_ns)


def get(chip: Ade7953, register: int, width: int, t_ns: int = 0, *, signed: bool = False) -> int:
    chip.write(register.to_bytes(2), t_ns)
    return int.from_bytes(chip.read(width, t_ns), signed=signed)


def unlocked(load: Steady | None = None, **settings: object) -> Ade7953:
    chip = chip_of(load, **settings)
    put(chip, UNLOCK, 0xAD, 1)
    put(chip, RESERVED, 0x30, 2)
    put(chip, LCYCMODE, 0, 1)
    return chip


def test_full_scale_inputs_give_the_full_scales_of_the_data_sheet() -> None:
    chip = unlocked()
    assert get(chip, AWATT, 4, SECOND) == pytest.approx(4_862_401, rel=1e-6)
    assert get(chip, IRMSA, 4, SECOND) == pytest.approx(9_032_007, rel=1e-6)
    assert get(chip, VRMS, 4, SECOND) == pytest.approx(9_032_007, rel=1e-6)
    assert get(chip, AENERGYA, 4, SECOND) == pytest.approx(206_900, abs=1)


def test_reset_values_are_those_of_the_data_sheet() -> None:
    chip = chip_of()
    expected = {
        (LCYCMODE, 1): 0x40,
        (CONFIG, 2): 0x8004,
        (0x303, 4): 0xE419,
        (AWGAIN, 4): 0x400000,
    }
    assert {key: get(chip, *key) for key in expected} == expected


def test_the_page_of_an_address_says_how_wide_a_register_is() -> None:
    chip = unlocked()
    put(chip, 0x282, 0x2ABCDE, 3)
    assert get(chip, 0x282, 3) == get(chip, 0x382, 4) == 0x2ABCDE
    put(chip, 0x382, 0x112233, 3)  # too short: nothing is written
    assert get(chip, 0x382, 4) == 0x2ABCDE
    chip.write(b"\x00\x04", 0)
    assert chip.read(3, 0) == b"\x00\xff\xff"


def test_energy_is_signed_and_goes_round_at_24_bits() -> None:
    chip = unlocked(Steady(power_uw=-int(FULL_SCALE_W * 10**6)))
    assert get(chip, AENERGYA, 4, 40 * SECOND, signed=True) == pytest.approx(-8_276_000, abs=9)
    # 40.5 s at full scale are half the span: then the sign turns.
    assert get(chip, AENERGYA, 4, 41 * SECOND, signed=True) > 8_000_000
    assert get(chip, 0x21E, 3, 41 * SECOND) == get(chip, AENERGYA, 4, 41 * SECOND) & 0xFFFFFF


def test_reading_clears_energy_only_while_rstread_is_on() -> None:
    chip = unlocked()
    first = get(chip, AENERGYA, 4, SECOND)
    assert get(chip, AENERGYA, 4, SECOND) == first
    put(chip, LCYCMODE, 0x40, 1, SECOND)
    assert get(chip, AENERGYA, 4, SECOND) == first
    assert get(chip, AENERGYA, 4, SECOND) == 0


def test_hour_of_a_load_is_counted_to_the_last_count() -> None:
    load = Steady(power_uw=1_000_000_000, voltage_uv=230_000_000)
    chip = unlocked(load)
    total = before = 0
    for second in range(0, 3601, 30):
        value = get(chip, AENERGYA, 4, second * SECOND)
        total += (value - before) % (1 << 24)
        before = value
    assert total == pytest.approx(1000 / FULL_SCALE_W * 206_900 * 3600, abs=2)


def test_declared_gain_and_clock_move_energy_by_just_that() -> None:
    plain = get(unlocked(), AENERGYA, 4, SECOND)
    load = Steady(power_uw=Steady().power_uw // 2)
    half = get(unlocked(load), AENERGYA, 4, SECOND)
    moved = unlocked(load, errors=MeterErrors(gain_current_ppm=10_000, oscillator_ppm=2_000))
    assert get(moved, AENERGYA, 4, SECOND) == pytest.approx(half * 1.01 * 1.002, abs=2)
    assert half == pytest.approx(plain / 2, abs=1)


def test_power_factor_raises_the_current_not_the_power() -> None:
    load = Steady(power_uw=10**9, voltage_uv=230_000_000)
    unity, lagging = unlocked(load), unlocked(load, power_factor=Fraction(1, 2))
    assert get(lagging, AWATT, 4, SECOND) == get(unity, AWATT, 4, SECOND)
    assert get(lagging, IRMSA, 4, SECOND) == pytest.approx(2 * get(unity, IRMSA, 4, SECOND), abs=2)


def test_input_beyond_full_scale_is_cut_and_shows_in_the_rms() -> None:
    chip = unlocked(Steady(power_uw=2 * Steady().power_uw))
    assert get(chip, IRMSA, 4, SECOND) >= 9_032_006
    assert get(chip, AENERGYA, 4, SECOND) == pytest.approx(206_900, abs=1)


def test_power_below_the_no_load_threshold_is_not_counted() -> None:
    creeping = Steady(power_uw=int(FULL_SCALE_W * 10**6) // 10_001)
    assert get(unlocked(creeping), AENERGYA, 4, HOUR) == 0
    chip = unlocked(creeping)
    put(chip, 0x001, 1, 1)
    assert get(chip, AENERGYA, 4, SECOND) == 20


def test_chip_that_was_not_unlocked_is_off_its_specification() -> None:
    chip = chip_of()
    put(chip, LCYCMODE, 0, 1)
    right = get(unlocked(), AENERGYA, 4, SECOND)
    assert get(chip, AENERGYA, 4, SECOND) == pytest.approx(
        right * (1 + LOCKED_GAIN_PPM / 10**6), abs=2
    )


def test_transfer_between_the_two_unlocking_writes_spoils_them() -> None:
    chip = chip_of()
    put(chip, UNLOCK, 0xAD, 1)
    get(chip, 0x0FD, 1)
    put(chip, RESERVED, 0x30, 2)
    assert get(chip, RESERVED, 2) == 0


def test_last_transfer_is_on_record_and_asking_for_it_does_not_change_it() -> None:
    chip = unlocked()
    put(chip, AWGAIN, 0x123456, 4)
    assert get(chip, 0x0FD, 1) == 0xCA
    assert get(chip, 0x1FE, 2) == AWGAIN
    assert get(chip, 0x3FF, 4) == 0x123456
    assert get(chip, LCYCMODE, 1) == 0
    assert (get(chip, 0x0FD, 1), get(chip, 0x1FE, 2), get(chip, 0x0FF, 1)) == (0x35, 4, 0)


@pytest.mark.parametrize(
    ("bit", "register", "width"), [(1, LCYCMODE, 1), (2, CONFIG, 2), (4, AWGAIN, 4)]
)
def test_protected_bank_ignores_writes_without_a_word(bit: int, register: int, width: int) -> None:
    chip = unlocked()
    before = get(chip, register, width)
    put(chip, WRITE_PROTECT, bit, 1)
    put(chip, register, 1, width)
    assert get(chip, register, width) == before
    put(chip, WRITE_PROTECT, 0, 1)
    put(chip, register, 1, width)
    assert get(chip, register, width) == 1


@pytest.mark.parametrize("reset", ["supply", "command"])
def test_reset_takes_settings_unlocking_and_energy(reset: str) -> None:
    chip = unlocked()
    if reset == "supply":
        chip.power_on(SECOND)
    else:
        put(chip, CONFIG, 0x8084, 2, SECOND)
    assert get(chip, LCYCMODE, 1, SECOND) == 0x40
    assert get(chip, AENERGYA, 4, SECOND) == 0


def test_address_of_one_byte_is_not_acknowledged() -> None:
    with pytest.raises(Nack, match="0x38 does not acknowledge"):
        chip_of().write(b"\x00", 0)


def test_power_factor_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="power factor must be above 0"):
        chip_of(power_factor=Fraction(0))
