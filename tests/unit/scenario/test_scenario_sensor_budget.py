"""What may be wrong with a meter chip's energy, line by line, against numbers from paper."""

from __future__ import annotations

from fractions import Fraction

import pytest

from wattest.boards import load_board
from wattest.scenario import ChipErrorSpec
from wattest.scenario.budget import error_budget
from wattest.scenario.load import LoadProfile, Origin
from wattest.scenario.piecewise import Piecewise

ADE7953, PZEM, S0 = (f"emulated-esp32-{name}" for name in ("ade7953", "pzem", "s0"))
HOUR_NS = 3600 * 10**9
NJ_PER_WH = 3600 * 10**9


def steady(power_w: Fraction) -> LoadProfile:
    return LoadProfile(
        power=Piecewise.constant(int(power_w * 10**6)),
        voltage=Piecewise.constant(230 * 10**6),
        label="steady",
        origin=Origin.DERIVED,
    )


def lines(board: str, power_w: Fraction, **chip: int) -> dict[str, Fraction]:
    budget = error_budget(steady(power_w), ChipErrorSpec(**chip), load_board(board), 0, HOUR_NS)
    return {name: amount / NJ_PER_WH for name, amount in budget.lines}


@pytest.mark.parametrize(
    ("board", "count_wh", "periods"),
    [(ADE7953, Fraction(1, 90_000), 2), (PZEM, Fraction(1), 3), (S0, Fraction(1), 2)],
)
def test_two_counts_and_the_late_samples_are_allowed_for(
    board: str, count_wh: Fraction, periods: int
) -> None:
    found = lines(board, Fraction(3600))
    assert found["counts"] == 2 * count_wh
    assert found["sampling"] == 2 * periods
    assert found["calibration"] == Fraction(3600, 4_000_000)
    assert found["gain"] == found["clock"] == found["no load"] == 0


@pytest.mark.parametrize("board", [ADE7953, PZEM])
def test_declared_gain_and_clock_weigh_with_all_energy(board: str) -> None:
    found = lines(board, Fraction(1000), gain_current_ppm=-10_000, oscillator_ppm=2_000)
    assert found["gain"] == 10
    assert found["clock"] == 2


@pytest.mark.parametrize(
    ("board", "below_w"),
    # Full scale 7820.3125 W over 10 000; 20 mA at 230 V.
    [(ADE7953, Fraction(78_203_125, 10**8)), (PZEM, Fraction(23, 5))],
)
def test_power_too_small_to_count_is_allowed_for_where_it_flows(
    board: str, below_w: Fraction
) -> None:
    assert lines(board, below_w / 2)["no load"] == below_w
    assert lines(board, below_w * 2)["no load"] == 0
    assert lines(board, Fraction(0))["no load"] == 0
