"""A node with each kind of sensor, from the load to the ledger: its energy, its faults, its heap.

Method: scenario runs whose truth is known on paper. The bounds follow from the chip: what it was
calibrated to, and the counts that begin before a run and end behind it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest
from run_harness import Bench, Played, play

from wattest.boards import load_board
from wattest.data import data_root
from wattest.emulator import s0_pulses
from wattest.emulator.ina228 import ChipErrors
from wattest.errors import ConfigError
from wattest.operations.virtual import rig
from wattest.operations.virtual.bench import EmulatedBench, NodePlan
from wattest.scenario import load_scenario, parse_scenario, prepare

pytestmark = pytest.mark.emulated

ADE7953, PZEM, S0 = (f"emulated-esp32-{name}" for name in ("ade7953", "pzem", "s0"))
HOUR = '{ kind = "steps", steps = [["0s", 2000], ["20m", 150], ["40m", 3600]] }'
HOUR_WH = Fraction(5750, 3)
# Largest error of an hour, Wh. ADE7953: AWGAIN is a whole number (0.25 ppm of 1917 Wh), a count at
# either end, the register's own milliwatt-hour. PZEM: a watt-hour. S0: a pulse of 1000 a kWh.
BOUND_WH = {
    ADE7953: HOUR_WH / 4_000_000 + Fraction(2, 90_000) + Fraction(1, 1000),
    PZEM: Fraction(1),
    S0: Fraction(1),
}
TRANSCRIPT = re.compile(rb"heap free: (\d+) bytes")


def metered_wh(played: Played) -> Fraction:
    return Fraction(played.end.total.metered_import_wh)


@pytest.mark.parametrize("board", BOUND_WH)
def test_hour_of_a_load_is_in_the_ledger_within_what_the_chip_can_do(board: str) -> None:
    played = Bench(board=board, load=HOUR, duration="1h", interval="60s").play()
    assert played.end.reasons == ()
    assert Fraction(played.end.total.load_import_wh) == pytest.approx(HOUR_WH, abs=1e-5)
    assert abs(metered_wh(played) - HOUR_WH) <= BOUND_WH[board]
    assert played.end.total.metered_export_wh == "0.000"
    assert played.end.passed


def test_ade7953_keeps_both_directions_apart() -> None:
    load = '{ kind = "steps", steps = [["0s", 1800], ["90s", -2400], ["240s", 600]] }'
    played = Bench(board=ADE7953, load=load, duration="5m").play()
    assert played.end.reasons == ()
    exported = Fraction(played.end.total.metered_export_wh)
    assert abs(metered_wh(played) - exported - (55 - 100)) < Fraction(1, 100)
    # The sample in which the direction changes counts by its mean: a second of 1800 W, one of 600.
    assert abs(metered_wh(played) - 55) < Fraction(2400, 3600)


@pytest.mark.parametrize(
    ("board", "declared", "factor"),
    [
        (ADE7953, "gain_current_ppm = 20000", Fraction(102, 100)),
        (ADE7953, "oscillator_ppm = -10000", Fraction(99, 100)),
        (PZEM, "gain_voltage_ppm = 50000", Fraction(105, 100)),
        (S0, "gain_current_ppm = 40000", Fraction(104, 100)),
    ],
)
def test_declared_error_moves_the_register_by_just_that(
    board: str, declared: str, factor: Fraction
) -> None:
    load = '{ kind = "constant", power_w = 3600 }'
    played = Bench(board=board, chip=declared, load=load, duration="5m").play()
    assert played.end.reasons == ()
    assert abs(metered_wh(played) - 300 * factor) <= BOUND_WH[board] + Fraction(1, 100)


CHIP_FAULTS = ("bus-nack", "bus-stuck", "bus-bits", "wrong-chip")
FAULTS = [
    *[(ADE7953, kind) for kind in CHIP_FAULTS],
    *[(PZEM, kind) for kind in CHIP_FAULTS],
    *[(S0, kind) for kind in ("bus-stuck", "bus-bits")],
]


@pytest.mark.parametrize(("board", "kind"), FAULTS)
def test_fault_of_a_sensor_is_found_and_never_becomes_energy(board: str, kind: str) -> None:
    fault = f'kind = "{kind}"\nnode = "feeder"\nat = "50s"\nfor = "30s"'
    if kind == "bus-bits":
        fault += '\nevery = 2\nbit = 61\nexpect = ["status"]'
    load = '{ kind = "constant", power_w = 3600 }'
    played = Bench(board=board, load=load, duration="2m", faults=[fault]).play()
    (judged,) = played.judged
    assert judged.passed, judged
    assert metered_wh(played) <= 120 + BOUND_WH[board]
    # What the chip counted meanwhile comes later, unless it is another chip's, or was never sent.
    lost_wh = 32 if kind == "wrong-chip" or (board, kind) == (S0, "bus-stuck") else 2
    assert metered_wh(played) >= 120 - lost_wh


@pytest.mark.parametrize(("board", "power_w"), [(ADE7953, 6_000), (PZEM, 25_000)])
def test_overload_is_found_and_not_counted(board: str, power_w: int) -> None:
    fault = f'kind = "overload"\nnode = "feeder"\nat = "50s"\nfor = "20s"\npower_w = {power_w}'
    load = '{ kind = "constant", power_w = 3600 }'
    played = Bench(board=board, load=load, duration="2m", faults=[fault]).play()
    (judged,) = played.judged
    assert judged.passed, judged
    # A sample or two at either end hold some of both.
    assert 100 - 4 <= metered_wh(played) <= 100 + 8


@pytest.mark.parametrize("board", BOUND_WH)
def test_power_cut_costs_the_time_without_power_and_no_more(board: str) -> None:
    fault = 'kind = "power-cut"\nnode = "feeder"\nat = "91s"\nfor = "60s"'
    load = '{ kind = "constant", power_w = 3600 }'
    played = Bench(board=board, load=load, duration="5m", faults=[fault]).play()
    assert played.end.reasons == ()
    # The registers are those of the last record, up to 10 s old; then a boot of a second.
    assert 240 - 14 <= metered_wh(played) <= 240 + 1


@pytest.mark.parametrize("board", BOUND_WH)
def test_heap_has_24_kib_left_after_boot(board: str) -> None:
    bench = EmulatedBench(seed=1, duration_ns=10**9)
    prepared = prepare(Bench(board=board, load='{ kind = "constant", power_w = 1 }').scenario())
    node = bench.add(
        NodePlan(
            name="n",
            asset="n",
            board=load_board(board),
            load=prepared.nodes[0].load,
            chip_errors=ChipErrors(),
            interval_ms=10_000,
        )
    )
    said = bytearray()
    node.board.on_output(lambda _t_ns, data: said.extend(data))
    node.board.power_on()
    bench.world.run_until(3 * 10**9)
    bench.close()
    (free,) = TRANSCRIPT.findall(bytes(said))
    assert int(free) >= 24 * 1024
    assert b"Error" not in said


REFUSED = {
    "offset of another chip": (
        Bench(board=ADE7953, chip="offset_nv = 5"),
        r"node\[0\].chip.offset_nv: 0 expected, because ade7953 has gain_current_ppm",
    ),
    "clock of a pulse": (
        Bench(board=S0, chip="oscillator_ppm = 5"),
        r"node\[0\].chip.oscillator_ppm: 0 expected, because s0 has",
    ),
    "export at a PZEM": (
        Bench(board=PZEM, load='{ kind = "constant", power_w = -5 }'),
        r"node\[0\].load: power of one direction expected, because pzem004t knows no other",
    ),
    "unseen fault": (
        Bench(board=S0, faults=['kind = "bus-nack"\nnode = "feeder"\nat = "9s"']),
        r"fault\[0\].kind: a fault that leaves a trace at an S0 input expected, got bus-nack",
    ),
    "230 V at an INA228": (
        Bench(load='{ kind = "constant", power_w = 5000 }'),
        r"at most 4800 W expected",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_scenario_that_a_sensor_cannot_play_is_refused_in_one_line(
    case: tuple[Bench, str],
) -> None:
    bench, message = case
    with pytest.raises(ConfigError, match=message) as caught:
        prepare(parse_scenario(bench.text(), "short.toml"))
    assert "\n" not in caught.value.diagnostics()


@pytest.mark.parametrize("board", BOUND_WH)
def test_same_run_gives_the_same_registers(board: str) -> None:
    first, second = (Bench(board=board, duration="30s").play() for _ in range(2))
    assert first.end.total == second.end.total


@pytest.mark.parametrize("board", BOUND_WH)
def test_undeclared_error_of_a_sensor_fails_the_run(
    board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(**declared: int) -> ChipErrors:
        return replace(ChipErrors(**declared), gain_current_ppm=-60_000)

    monkeypatch.setattr(rig, "ChipErrors", lying)
    load = '{ kind = "constant", power_w = 4500 }'
    played = Bench(board=board, load=load, duration="5m").play()
    (reason,) = played.end.reasons
    assert "feeder: energy error -" in reason


def test_pulses_that_were_never_sent_show_only_beside_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The node cannot see them, and says so nowhere; the bench knows what flowed."""
    monkeypatch.setattr(
        s0_pulses, "ContactTrouble", partial(s0_pulses.ContactTrouble, lose_every=10)
    )
    load = '{ kind = "constant", power_w = 3600 }'
    played = Bench(board=S0, load=load, duration="5m").play()
    (reason,) = played.end.reasons
    assert "feeder: energy error -10" in reason
    assert metered_wh(played) == pytest.approx(270, abs=1)


def test_dense_pulses_are_all_counted_while_records_are_sealed_and_flash_is_erased() -> None:
    """Near Imax a pulse is 80 ms of each 277; an append to the journal blocks up to 120 ms."""
    load = '{ kind = "constant", power_w = 13000 }'
    played = Bench(board=S0, load=load, duration="20m", interval="5s").play()
    assert played.end.reasons == ()
    assert abs(metered_wh(played) - Fraction(13_000, 3)) <= 1


def test_scenario_of_four_sensors_passes_with_a_fault_at_each() -> None:
    scenario = load_scenario(data_root() / "bench" / "scenarios" / "four_sensors.toml")
    played = play(scenario)
    assert played.end.passed
    assert [judged.got for judged in played.judged] == ["status"] * 4
    shown = {total.node: total for total in played.end.nodes}
    assert set(shown) == {"battery", "house", "workshop", "heat-pump"}
    for name in ("house", "workshop", "heat-pump"):
        # What could not be read came later.
        assert abs(Fraction(shown[name].error_percent)) < Fraction(1, 2)
