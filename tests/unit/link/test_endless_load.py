"""A load that begins again."""

from __future__ import annotations

from wattest.operations.standing.endless_load import EndlessLoad
from wattest.scenario import LoadProfile, Origin, Piecewise

S = 1_000_000_000


def endless() -> EndlessLoad:
    power = Piecewise.hold([0, 6 * S], [1_000_000, -500_000], 10 * S)
    load = LoadProfile(
        power=power,
        voltage=Piecewise.constant(48_000_000),
        label="steps",
        origin=Origin.STATED,
    )
    return EndlessLoad(load, period_ns=10 * S)


def test_every_round_is_the_first_one() -> None:
    load = endless()
    for start in range(10):
        first = load.power_mean_uw(start * S, (start + 1) * S)
        assert first == (1_000_000 if start < 6 else -500_000)
        assert load.power_mean_uw((start + 1230) * S, (start + 1231) * S) == first


def test_window_over_the_end_of_a_round_is_weighted() -> None:
    load = endless()
    assert load.power_mean_uw(9 * S, 11 * S) == 250_000
    assert load.power_mean_uw(9 * S, 12 * S) == 500_000
    assert load.power_mean_uw(8 * S, 29 * S) == (12 * 1_000_000 - 9 * 500_000 + 10) // 21
    assert load.voltage_mean_uv(9 * S, 25 * S) == 48_000_000
