"""Setting the clock never costs a record: its moment may be jumped over, its reading is not."""

import pytest

from emulated import Setup

pytestmark = pytest.mark.emulated
SET_TIME = 1
MINUTE_MS = 60_000
NOON_MS = 1_767_268_800_000


def minutes_after(step_ms: int, wait_s: float) -> list[int]:
    """Set a running clock ``wait_s`` after noon; return the minutes of the fiscal records."""
    setup = Setup().start().run_s(3)
    assert setup.command(SET_TIME, NOON_MS) == 0
    noon_ns = setup.world.now_ns
    setup.run_s(wait_s - 1.5)
    now_ms = NOON_MS + (setup.world.now_ns - noon_ns) // 1_000_000
    setup.send(setup.host.command(SET_TIME, now_ms + 1_500 + step_ms))
    setup.run_s(200)
    times = [record.body[3] for record in setup.records(0) if record.body[4] == 2]
    return [round((time_ms - NOON_MS) / MINUTE_MS) for time_ms in times]


@pytest.mark.parametrize("step_ms", [-300, 0, 1, 950, 2_000])
@pytest.mark.parametrize("before_ms", [2_400, 1_800, 1_520, 1_500, 1_480, 1_000])
def test_a_minute_has_its_record_whenever_the_clock_is_set(step_ms: int, before_ms: int) -> None:
    minutes = minutes_after(step_ms, (120_000 - before_ms) / 1000 + 1.5)
    assert sorted(set(minutes)) == list(range(minutes[0], minutes[0] + len(set(minutes))))
    assert {1, 2, 3, 4} <= set(minutes)
