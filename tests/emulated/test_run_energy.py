"""Registers against the exact truth of the load: within what was declared, and not beyond it.

Method: short runs whose truth is known on paper; declared chip errors move the registers by what
they say, undeclared ones fail the run.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from run_harness import STEADY, Bench, Played

from wattest.emulator.ina228 import ChipErrors
from wattest.operations.virtual import rig

pytestmark = pytest.mark.emulated


def steps(*parts: tuple[str, int]) -> str:
    written = ", ".join(f'["{at}", {power_w}]' for at, power_w in parts)
    return f'{{ kind = "steps", steps = [{written}] }}'


# load, true import and export in watt-hours over five minutes
LOADS = {
    "constant": (STEADY, 50, 0),
    "nothing": ('{ kind = "constant", power_w = 0 }', 0, 0),
    "export": ('{ kind = "constant", power_w = -1200 }', 0, 100),
    "standby": ('{ kind = "constant", power_w = "0.6" }', Fraction(5, 100), 0),
    "steps": (steps(("0s", 3600), ("50s", 36), ("100s", 1800)), Fraction(301, 2), 0),
    "steps across zero": (steps(("0s", 1800), ("90s", -2400), ("240s", 600)), 55, 100),
    "full scale": ('{ kind = "constant", power_w = 4800 }', 400, 0),
}
CHIPS = {
    "gain of the shunt": "gain_current_ppm = 4000",
    "gain of the voltage": "gain_voltage_ppm = -3000",
    "offset of the shunt": "offset_nv = 2000",
    "offset of the voltage": "offset_uv = -5000",
    "its own clock": "oscillator_ppm = 8000",
    "noise": "noise_nv = 3000, noise_uv = 3000",
}


def totals(played: Played) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Return truth and registers, import and export each, Wh."""
    total = played.end.total
    return (
        Fraction(total.load_import_wh),
        Fraction(total.load_export_wh),
        Fraction(total.metered_import_wh),
        Fraction(total.metered_export_wh),
    )


@pytest.mark.parametrize("name", LOADS)
def test_registers_agree_with_the_exact_truth_of_the_load(name: str) -> None:
    load, import_wh, export_wh = LOADS[name]
    played = Bench(load=load, duration="5m").play()
    assert played.end.reasons == ()
    true_in, true_out, metered_in, metered_out = totals(played)
    assert (true_in, true_out) == (import_wh, export_wh)
    # A sample late at either edge and at each change: far below what the worst case allows.
    assert abs(metered_in - true_in) <= Fraction(1, 100) * true_in + Fraction(3, 1000)
    assert abs(metered_out - true_out) <= Fraction(1, 100) * true_out + Fraction(3, 1000)
    assert (metered_in > 0, metered_out > 0) == (import_wh > 0, export_wh > 0)
    limit = Fraction(played.end.total.error_limit_percent)
    assert abs(Fraction(played.end.total.error_percent)) <= limit


def test_straight_lines_through_zero_are_split_exactly(tmp_path: Path) -> None:
    load = "time,power\n2026-01-01T12:00:00Z,1200\n2026-01-01T12:02:30Z,-1200\n"
    (tmp_path / "load.csv").write_text(f"{load}2026-01-01T12:05:00Z,1200\n", encoding="utf-8")
    form = (
        f'{{ kind = "csv", file = "{tmp_path / "load.csv"}", column = "power", unit = "W", '
        'interpolation = "linear" }'
    )
    played = Bench(load=form, duration="5m").play()
    assert played.end.reasons == ()
    true_in, true_out, metered_in, metered_out = totals(played)
    assert (true_in, true_out) == (25, 25)  # two triangles of 75 s each, two of 75 s below
    assert abs(metered_in - 25) < Fraction(2, 10)
    assert abs(metered_out - 25) < Fraction(2, 10)


@pytest.mark.parametrize("name", CHIPS)
def test_declared_error_of_the_chip_is_within_its_limit(name: str) -> None:
    plain = Bench(duration="5m").play()
    played = Bench(duration="5m", chip=CHIPS[name]).play()
    assert played.end.reasons == ()
    if name != "its own clock":
        declared = Fraction(played.end.total.error_limit_percent)
        assert declared > Fraction(plain.end.total.error_limit_percent)


def test_declared_gain_moves_the_registers_by_just_that() -> None:
    plain = Bench(duration="5m").play()
    played = Bench(duration="5m", chip="gain_current_ppm = 20000").play()
    ratio = totals(played)[2] / totals(plain)[2]
    assert ratio == pytest.approx(Fraction(102, 100), abs=Fraction(1, 5000))


@pytest.mark.parametrize("gain_ppm", [40_000, -40_000])
def test_undeclared_error_of_a_chip_fails_the_run(
    gain_ppm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(**declared: int) -> ChipErrors:
        return replace(ChipErrors(**declared), gain_current_ppm=gain_ppm)

    monkeypatch.setattr(rig, "ChipErrors", lying)
    played = Bench(duration="5m").play()
    assert not played.end.passed
    (reason,) = played.end.reasons
    assert "feeder: energy error " in reason
    assert " % is beyond the " in reason
    sign = "-" if gain_ppm < 0 else ""
    assert f"energy error {sign}" in reason


def test_error_of_one_direction_does_not_hide_behind_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An offset adds to import what it takes from export: the sum is right, the parts are not."""

    def lying(**declared: int) -> ChipErrors:
        return replace(ChipErrors(**declared), offset_nv=4_000_000)

    monkeypatch.setattr(rig, "ChipErrors", lying)
    load = steps(("0s", 1200), ("150s", -1200))
    played = Bench(load=load, duration="5m").play()
    assert abs(Fraction(played.end.total.error_percent)) < Fraction(
        played.end.total.error_limit_percent
    )
    (reason,) = played.end.reasons
    assert "energy error" in reason


def test_power_that_a_cut_took_is_not_owed() -> None:
    fault = 'kind = "power-cut"\nnode = "feeder"\nat = "91s"\nfor = "60s"'
    played = Bench(duration="5m", faults=[fault]).play()
    assert played.end.reasons == ()
    assert totals(played)[0] == 40
    assert 38 < totals(played)[2] < 41
