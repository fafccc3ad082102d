"""A load is played as it is: its own energy whatever the step; late steps are told."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from wattest.errors import StoreError
from wattest.instruments.instrument import ReadBack
from wattest.operations.stimulus.player import Applied, Played, PlayLog, play
from wattest.scenario import LoadProfile, Origin
from wattest.scenario.piecewise import Piecewise

S = 1_000_000_000


def profile(*watts: int) -> LoadProfile:
    """Return a load that holds each value for a second."""
    knots = [number * S for number in range(len(watts))]
    power = Piecewise.hold(knots, [value * 10**6 for value in watts], len(watts) * S)
    voltage = Piecewise.constant(24_000_000)
    return LoadProfile(power=power, voltage=voltage, label="steps", origin=Origin.STATED)


@dataclass
class Hands:
    """A stimulus and the time it is played in; each level costs ``cost_ns``."""

    cost_ns: int = 0
    measures: bool = True
    t_ns: int = 5 * S

    def apply(self, power_uw: int) -> ReadBack | None:
        self.t_ns += self.cost_ns
        flow = ReadBack(voltage_uv=24_000_000, current_ua=power_uw // 24)
        return flow if self.measures else None

    def now_ns(self) -> int:
        return self.t_ns

    def wait_until(self, t_ns: int) -> None:
        self.t_ns = max(self.t_ns, t_ns)


def played(load: LoadProfile, hands: Hands, **options: object) -> tuple[list[Applied], Played]:
    values = {"duration_ns": 4 * S, "step_ns": S // 2, **options}
    *levels, last = play(load, hands, hands, **values)  # type: ignore[arg-type]
    assert isinstance(last, Played)
    return [level for level in levels if isinstance(level, Applied)], last


@pytest.mark.parametrize("step_ns", [S // 10, S // 2, S, 2 * S, 3 * S])
def test_the_energy_played_is_the_energy_of_the_load_whatever_the_step(step_ns: int):
    levels, last = played(profile(120, 0, 240, 24), Hands(), step_ns=step_ns)
    assert last.asked_wh == last.flowed_wh == Fraction(120 + 240 + 24, 3600)
    assert last.levels == len(levels) == -(-4 * S // step_ns)
    assert (last.late, last.stopped, last.duration_ns) == (0, False, 4 * S)


def test_levels_come_at_their_time_and_say_what_flows():
    levels, _ = played(profile(120, 0, 240, 24), Hands(), step_ns=S)
    assert [(level.t_ns // S, level.asked_uw) for level in levels] == [
        (0, 120_000_000),
        (1, 0),
        (2, 240_000_000),
        (3, 24_000_000),
    ]
    assert levels[0].flow is not None
    assert levels[0].flow.power_uw == 120_000_000


def test_an_instrument_that_is_slower_than_the_steps_leaves_some_out():
    levels, last = played(profile(120, 0, 240, 24), Hands(cost_ns=S * 3 // 2), step_ns=S // 2)
    assert last.late == 5
    assert [level.t_ns for level in levels] == [0, 3 * S // 2, 3 * S]
    assert last.asked_wh == Fraction(120 * 3 + 0 * 3 + 24 * 3, 2 * 3600)


def test_a_stimulus_that_cannot_measure_makes_no_claim_of_what_flowed():
    levels, last = played(profile(1, 2, 3, 4), Hands(measures=False))
    assert last.flowed_wh is None
    assert all(level.flow is None for level in levels)


def test_somebody_may_stop_it():
    hands = Hands()
    levels, last = played(
        profile(60, 60, 60, 60), hands, step_ns=S, stopped=lambda: hands.t_ns >= 7 * S
    )
    assert last.stopped
    assert len(levels) == 3
    assert last.asked_wh == Fraction(60 * 2, 3600)


def test_the_log_has_a_line_a_level(tmp_path: Path):
    path = tmp_path / "new" / "stimulus.csv"
    log = PlayLog(path)
    for level in played(profile(120, 0, 0, 0), Hands(), step_ns=S)[0]:
        log.add(level)
    log.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "t_ms,asked_w,voltage_v,current_a,power_w"
    assert lines[1] == "0,120.000000,24.000000,5.000000,120.000000"
    assert len(lines) == 5
    with pytest.raises(StoreError, match="is there already"):
        PlayLog(path)
