"""The INA228 model against its data sheet: the golden vector, scaling, schedule, errors."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from wattest.emulator.ina228 import (
    ALATCH,
    BUSOL,
    CHARGEOF,
    CNVRF,
    ENERGYOF,
    MATHOF,
    MEMSTAT,
    SHNTOL,
    ChipErrors,
    Ina228,
)

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
CONFIG, ADC_CONFIG, SHUNT_CAL = 0x00, 0x01, 0x02
VSHUNT, VBUS, DIETEMP, CURRENT, POWER, ENERGY, CHARGE, DIAG = range(0x04, 0x0C)


@dataclass
class Steady:
    """A constant load; ``queries`` counts how often it was asked."""

    power_uw: int = 288_000_000
    voltage_uv: int = 48_000_000
    queries: int = 0

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        assert t0_ns < t1_ns
        self.queries += 1
        return self.power_uw

    def voltage_mean_uv(self, t0_ns: int, t1_ns: int) -> int:
        return self.voltage_uv


class Changing(Steady):
    """Import for one second, then export of the same power."""

    def power_mean_uw(self, t0_ns: int, t1_ns: int) -> int:
        before = max(0, min(t1_ns, SECOND) - t0_ns)
        after = max(0, t1_ns - max(t0_ns, SECOND))
        return self.power_uw * (before - after) // (t1_ns - t0_ns)


def golden_chip(load: Steady | None = None, **settings: object) -> Ina228:
    """The example of the data sheet: 10 A scale, 16.2 mohm, SHUNT_CAL 4050."""
    chip = Ina228(load or Steady(), shunt_uohm=16_200, **settings)
    write(chip, SHUNT_CAL, 4050, 0)
    return chip


def write(chip: Ina228, register: int, value: int, t_ns: int) -> None:
    chip.write(bytes((register,)) + value.to_bytes(2, "big"), t_ns)


def read(chip: Ina228, register: int, t_ns: int) -> int:
    width = {VSHUNT: 3, VBUS: 3, CURRENT: 3, POWER: 3, ENERGY: 5, CHARGE: 5}.get(register, 2)
    chip.write(bytes((register,)), t_ns)
    return int.from_bytes(chip.read(width, t_ns), "big")


def signed20(value: int) -> int:
    value >>= 4
    return value - (1 << 20) if value >> 19 else value


def test_golden_vector_of_the_data_sheet() -> None:
    chip = golden_chip()
    assert read(chip, VSHUNT, SECOND) >> 4 == 311_040  # 97.2 mV
    assert read(chip, VBUS, SECOND) >> 4 == 245_760  # 48 V
    assert read(chip, CURRENT, SECOND) >> 4 == 314_572  # 6 A
    assert read(chip, DIETEMP, SECOND) == 3_200  # 25 C
    # The table divides 288 W by the weight; the chip multiplies counts: 10 ppm apart.
    assert read(chip, POWER, SECOND) == pytest.approx(4_718_604, rel=10e-6)
    assert read(chip, ENERGY, HOUR) == pytest.approx(1_061_683_200, rel=10e-6)
    assert read(chip, CHARGE, HOUR) == pytest.approx(1_132_462_080, rel=10e-6)


def test_ids_and_reset_values() -> None:
    chip = Ina228(Steady(), shunt_uohm=1000)
    assert read(chip, 0x3E, 0) == 0x5449
    assert read(chip, 0x3F, 0) == 0x2281
    values = [read(chip, r, 0) for r in (0, 1, 2, 3, 0xC, 0xD, 0xE, 0xF, 0x10, 0x11)]
    assert values == [0, 0xFB68, 0x1000, 0, 0x7FFF, 0x8000, 0x7FFF, 0, 0x7FFF, 0xFFFF]
    assert read(chip, DIAG, 0) == MEMSTAT


def test_a_wrong_part_says_so() -> None:
    assert read(Ina228(Steady(), shunt_uohm=1, device_id=0x2381), 0x3F, 0) == 0x2381


def test_reads_are_big_endian_and_the_pointer_stays() -> None:
    chip = golden_chip()
    chip.write(bytes((VBUS,)), 0)
    assert chip.read(3, SECOND) == (245_760 << 4).to_bytes(3, "big")
    assert chip.read(2, SECOND) == (245_760 << 4).to_bytes(3, "big")[:2]
    assert chip.read(5, SECOND)[3:] == b"\xff\xff"


def test_write_of_another_length_only_moves_the_pointer() -> None:
    chip = golden_chip()
    for data in (b"\x02", b"\x02\x11", b"\x02\x11\x22\x33"):
        chip.write(data, 0)
        assert chip.read(2, 0) == (4050).to_bytes(2, "big")


def test_read_only_registers_ignore_writes() -> None:
    chip = golden_chip()
    for register in (VSHUNT, ENERGY, 0x3E, 0x3F, 0x2A):
        before = read(chip, register, SECOND)
        write(chip, register, 0x1234, SECOND)
        assert read(chip, register, SECOND) == before


def test_nothing_before_the_first_conversion() -> None:
    chip = golden_chip()
    # FB68: temperature, shunt and bus of 1052 us each make a cycle of 3156 us
    assert read(chip, VBUS, 3_155_000) == 0
    assert read(chip, VBUS, 3_156_000) >> 4 == 245_760


def test_conversion_ready_flag_is_cleared_by_reading_it() -> None:
    chip = golden_chip()
    assert read(chip, DIAG, 3_156_000) & CNVRF
    assert not read(chip, DIAG, 3_157_000) & CNVRF
    assert read(chip, DIAG, 6_312_000) & CNVRF


def test_averaging_delays_the_result() -> None:
    chip = golden_chip()
    write(chip, ADC_CONFIG, 0xFB68 | 2, 0)  # 16 averages
    assert read(chip, VBUS, 16 * 3_156_000 - 1) == 0
    assert read(chip, VBUS, 16 * 3_156_000) >> 4 == 245_760


def test_conversion_delay_comes_first() -> None:
    chip = golden_chip()
    write(chip, CONFIG, 5 << 6, 0)  # 10 ms
    assert read(chip, VBUS, 13_155_000) == 0
    assert read(chip, VBUS, 13_156_000) >> 4 == 245_760


def test_export_is_negative_current_and_charge_but_positive_power_and_energy() -> None:
    chip = golden_chip(Steady(power_uw=-288_000_000))
    assert signed20(read(chip, CURRENT, HOUR)) == -314_572
    assert read(chip, POWER, HOUR) == pytest.approx(4_718_604, rel=10e-6)
    assert read(chip, ENERGY, HOUR) == pytest.approx(1_061_683_200, rel=10e-6)
    assert (1 << 40) - read(chip, CHARGE, HOUR) == pytest.approx(1_132_462_080, rel=10e-6)


def test_energy_adds_magnitudes_when_the_sign_changes_between_reads() -> None:
    chip = golden_chip(Changing())
    both = read(chip, ENERGY, 2 * SECOND)
    assert both == pytest.approx(2 * 4_718_604 / 16, rel=0.01)
    assert abs(read(chip, CHARGE, 2 * SECOND)) < 3_000 or read(chip, CHARGE, 2 * SECOND) > 1 << 39


def test_reading_often_or_seldom_gives_the_same_energy() -> None:
    often, seldom = golden_chip(), golden_chip()
    for second in range(1, 600):
        read(often, ENERGY, second * SECOND)
    assert read(often, ENERGY, 600 * SECOND) == read(seldom, ENERGY, 600 * SECOND)


def test_a_sample_a_second_asks_the_load_a_few_times_only() -> None:
    load = Steady()
    chip = golden_chip(load)
    for second in range(1, 101):
        for register in (CURRENT, POWER, ENERGY):
            read(chip, register, second * SECOND)
    assert load.queries <= 300


def test_oscillator_error_scales_the_accumulators_only() -> None:
    fast = golden_chip(errors=ChipErrors(oscillator_ppm=5_000))
    assert read(fast, ENERGY, HOUR) == pytest.approx(1_061_683_200 * 1.005, rel=20e-6)
    assert read(fast, CHARGE, HOUR) == pytest.approx(1_132_462_080 * 1.005, rel=20e-6)
    assert read(fast, CURRENT, HOUR) >> 4 == 314_572
    assert read(fast, VBUS, 3_156_000 * 1000 // 1005 + 1_000_000) >> 4 == 245_760


def test_declared_gain_and_offset_shift_the_counts() -> None:
    errors = ChipErrors(gain_current_ppm=500, gain_voltage_ppm=-1_000, offset_nv=1_000)
    chip = golden_chip(errors=errors)
    # 97.2 mV * 1.0005 + 1 uV at 312.5 nV; 48 V * 0.999 at 195.3125 uV
    assert read(chip, VSHUNT, SECOND) >> 4 == round((97.2e6 * 1.0005 + 1_000) / 312.5)
    assert read(chip, VBUS, SECOND) >> 4 == round(48e6 * 0.999 / 195.3125)


def test_offset_shows_without_load() -> None:
    chip = golden_chip(Steady(power_uw=0), errors=ChipErrors(offset_nv=-1_000, offset_uv=5_000))
    assert signed20(read(chip, VSHUNT, SECOND)) == -3
    assert read(chip, VBUS, SECOND) >> 4 == round(48_005_000 / 195.3125)


def test_noise_replays_from_its_seed_and_is_bounded() -> None:
    def counts(seed: int) -> list[int]:
        errors = ChipErrors(noise_seed=seed, noise_nv=5_000, noise_uv=2_000)
        chip = golden_chip(errors=errors)
        return [read(chip, VSHUNT, n * 10_000_000) >> 4 for n in range(1, 200)]

    assert counts(1) == counts(1) != counts(2)
    assert len(set(counts(1))) > 10
    assert max(abs(count - 311_040) for count in counts(1)) <= 5_000 / 312.5 + 1


def test_converter_saturates_at_full_scale() -> None:
    chip = golden_chip(Steady(power_uw=2_000_000_000))
    assert signed20(read(chip, VSHUNT, SECOND)) == 0x7FFFF
    chip = golden_chip(Steady(power_uw=-2_000_000_000))
    assert signed20(read(chip, VSHUNT, SECOND)) == -0x80000


def test_current_that_does_not_fit_raises_the_math_flag() -> None:
    chip = golden_chip(Steady(power_uw=480_000_000))
    write(chip, SHUNT_CAL, 2000, 0)
    assert signed20(read(chip, CURRENT, SECOND)) == 0x7FFFF
    assert read(chip, DIAG, SECOND) & MATHOF
    assert read(chip, DIAG, SECOND) & MATHOF  # sticky until a new conversion or RSTACC
    write(chip, SHUNT_CAL, 16_384, SECOND)
    write(chip, CONFIG, 1 << 14, SECOND)
    assert not read(chip, DIAG, 2 * SECOND) & MATHOF


def test_fine_range_divides_the_lsb_by_four() -> None:
    chip = golden_chip(Steady(power_uw=57_600_000))  # 1.2 A: 19.44 mV
    write(chip, CONFIG, 0x10, 0)
    write(chip, SHUNT_CAL, 4050 * 4, 0)
    assert read(chip, VSHUNT, SECOND) >> 4 == 19_440_000 * 1000 // 78_125
    assert read(chip, CURRENT, SECOND) >> 4 == pytest.approx(314_572 / 5, abs=1)


def test_shunt_cal_zero_zeroes_what_depends_on_it() -> None:
    chip = golden_chip()
    write(chip, SHUNT_CAL, 0, 0)
    assert [read(chip, r, SECOND) for r in (CURRENT, POWER, ENERGY, CHARGE)] == [0] * 4
    assert read(chip, VSHUNT, SECOND) >> 4 == 311_040


def test_energy_overflow_wraps_and_flags_until_read() -> None:
    chip = golden_chip()
    hours = 1036 * HOUR  # 2**40 counts at 288 W last 1035.6 hours
    assert read(chip, DIAG, hours) & ENERGYOF
    assert read(chip, ENERGY, hours) < 1_061_683_200
    assert not read(chip, DIAG, hours) & ENERGYOF


def test_charge_overflow_wraps_to_negative_and_flags() -> None:
    chip = golden_chip()
    hours = 486 * HOUR  # 2**39 counts at 6 A last 485.4 hours
    assert read(chip, DIAG, hours) & CHARGEOF
    assert read(chip, CHARGE, hours) >> 39 == 1
    assert not read(chip, DIAG, hours) & CHARGEOF


def test_reset_bits() -> None:
    chip = golden_chip()
    assert read(chip, ENERGY, 10 * SECOND)
    write(chip, CONFIG, 1 << 14, 10 * SECOND)
    assert read(chip, ENERGY, 10 * SECOND) == 0
    assert read(chip, SHUNT_CAL, 10 * SECOND) == 4050
    write(chip, CONFIG, 1 << 15, 10 * SECOND)
    assert read(chip, SHUNT_CAL, 10 * SECOND) == 0x1000
    assert read(chip, VBUS, 10 * SECOND) == 0
    assert read(chip, CONFIG, 10 * SECOND) == 0


def test_triggered_mode_converts_once_and_does_not_accumulate() -> None:
    load = Steady()
    chip = golden_chip(load)
    write(chip, ADC_CONFIG, 0x3B68, 0)
    assert read(chip, VBUS, SECOND) >> 4 == 245_760
    load.voltage_uv = 24_000_000
    assert read(chip, VBUS, 9 * SECOND) >> 4 == 245_760
    assert read(chip, ENERGY, 9 * SECOND) == 0
    write(chip, ADC_CONFIG, 0x3B68, 9 * SECOND)
    assert read(chip, VBUS, 10 * SECOND) >> 4 == 122_880


@pytest.mark.parametrize("mode", [0x0, 0x8])
def test_shutdown_keeps_the_last_result(mode: int) -> None:
    load = Steady()
    chip = golden_chip(load)
    assert read(chip, VBUS, SECOND)
    write(chip, ADC_CONFIG, mode << 12 | 0xB68, SECOND)
    load.voltage_uv = 1
    assert read(chip, VBUS, 2 * SECOND) >> 4 == 245_760


def test_limits_set_flags_and_latch_when_asked() -> None:
    load = Steady()
    chip = golden_chip(load)
    write(chip, 0x0C, 311_040 // 16 - 1, 0)  # shunt over limit
    write(chip, 0x0E, 0x7FFF, 0)
    flags = read(chip, DIAG, SECOND)
    assert flags & SHNTOL
    assert not flags & BUSOL
    write(chip, DIAG, ALATCH, SECOND)
    assert read(chip, DIAG, 2 * SECOND) & (SHNTOL | ALATCH) == SHNTOL | ALATCH
    load.power_uw = 0
    read(chip, VSHUNT, 3 * SECOND)
    assert not read(chip, DIAG, 4 * SECOND) & SHNTOL


def test_supply_loss_forgets_everything() -> None:
    chip = golden_chip()
    assert read(chip, ENERGY, HOUR)
    chip.power_on(HOUR)
    assert read(chip, SHUNT_CAL, HOUR) == 0x1000
    assert read(chip, ENERGY, HOUR) == 0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="shunt must be positive"):
        Ina228(Steady(), shunt_uohm=0)
    with pytest.raises(ValueError, match="oscillator error"):
        ChipErrors(oscillator_ppm=200_000)
