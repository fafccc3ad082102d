"""A load and a supply play a power, read it back, and are off when it matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wattest.errors import InstrumentError, LinkTimeout
from wattest.instruments import scpi as scpi_module
from wattest.instruments.dialect import Dialect, load_dialect
from wattest.instruments.instrument import Instrument
from wattest.instruments.scpi import Scpi, decimal
from wattest.instruments.simulator import Habits, SimulatedInstrument

RIGOL = load_dialect("rigol-dl3000")
SIGLENT = load_dialect("siglent-sdl1000x")
SUPPLY = load_dialect("scpi-supply")


class Wire:
    """A port to a simulated instrument without a network in between."""

    def __init__(self, instrument: SimulatedInstrument) -> None:
        self._instrument = instrument
        self._answers = b""
        self.sent: list[str] = []

    def write(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            self.sent.append(line)
            answer = self._instrument.line(line)
            self._answers += answer.encode() + b"\n" if answer else b""

    def read(self, size: int, deadline_s: float) -> bytes:
        data, self._answers = self._answers[:size], self._answers[size:]
        return data


def bench(
    dialect: Dialect, **options: object
) -> tuple[SimulatedInstrument, Instrument, Wire, list[int]]:
    """Return a simulated instrument, our hand on it, the wire, and its clock."""
    now = [0]
    resistance_mohm = 10_000
    simulated = SimulatedInstrument(dialect, now_ns=lambda: now[0], **options)
    wire = Wire(simulated)
    hand = Instrument(Scpi(wire, "it"), dialect, resistance_mohm=resistance_mohm)
    return simulated, hand, wire, now


@pytest.mark.parametrize("dialect", [RIGOL, SIGLENT], ids=lambda d: d.name)
def test_a_load_draws_the_power_that_was_asked_for(dialect: Dialect):
    simulated, hand, _, _ = bench(dialect)
    hand.begin()
    flows = hand.apply(120_000_000)
    assert (flows.voltage_uv, flows.current_ua) == (24_000_000, 5_000_000)
    assert flows.power_uw == 120_000_000
    hand.end()
    assert not simulated.on


def test_a_load_follows_a_supply_that_gives_way():
    _, hand, _, _ = bench(RIGOL, source_mohm=100)
    hand.begin()
    first = hand.apply(120_000_000)
    second = hand.apply(120_000_000)
    assert first.power_uw == pytest.approx(120e6, rel=0.03)
    assert second.power_uw == pytest.approx(120e6, rel=0.001), "it knows the voltage now"


def test_a_supply_drives_its_resistor_with_the_power_that_was_asked_for():
    simulated, hand, _, _ = bench(SUPPLY)
    hand.begin()
    flows = hand.apply(10_000_000)
    assert flows.voltage_uv == pytest.approx(10_000_000, abs=2)
    assert flows.power_uw == pytest.approx(10_000_000, rel=1e-6)
    hand.end()
    assert not simulated.on


def test_nothing_flows_before_the_first_level_and_after_the_end():
    simulated, hand, _, now = bench(RIGOL)
    hand.begin()
    now[0] = 1_000
    hand.apply(24_000_000)
    now[0] = 3_000
    hand.end()
    assert simulated.terminals.power_mean_uw(0, 1_000) == 0
    assert simulated.terminals.power_mean_uw(1_000, 3_000) == 24_000_000
    assert simulated.terminals.power_mean_uw(0, 4_000) == 12_000_000
    assert simulated.terminals.power_mean_uw(3_000, 9_000) == 0
    assert simulated.terminals.voltage_mean_uv(0, 9_000) == 24_000_000


def test_the_switch_that_the_unit_answers_to_is_found():
    _, hand, wire, _ = bench(RIGOL)
    hand.begin()
    assert wire.sent.count(":INPut ON") == 1
    assert ":SOURce:INPut:STATe ON" not in wire.sent


def test_a_unit_of_another_maker_is_not_touched():
    simulated, _, wire, _ = bench(SIGLENT)
    hand = Instrument(Scpi(wire, "it"), RIGOL)
    with pytest.raises(InstrumentError, match="expected Rigol DL3000 electronic load, got"):
        hand.begin()
    assert wire.sent == ["*IDN?"]
    assert not simulated.on


def test_a_unit_that_is_stuck_in_list_mode_is_refused_before_anything_flows():
    simulated, hand, _, _ = bench(RIGOL, habits=Habits(stuck_in_list=True))
    with pytest.raises(InstrumentError, match="is in mode 'LIST', expected 'FIX'"):
        hand.begin()
    assert not simulated.on


def test_a_load_without_a_supply_is_told_to_the_person():
    _, hand, _, _ = bench(RIGOL, source_uv=0)
    with pytest.raises(InstrumentError, match="no voltage at its terminals"):
        hand.begin()


def test_a_unit_that_ignores_off_is_called_dangerous():
    _, hand, _, _ = bench(RIGOL, habits=Habits(ignores_off=True))
    hand.begin()
    hand.apply(1_000_000)
    with pytest.raises(InstrumentError, match="the output is still ON"):
        hand.end()


def test_an_answer_to_an_earlier_question_is_not_taken_for_off():
    """Goal: who is ended between a question and its answer does not believe that answer."""
    _, hand, wire, _ = bench(RIGOL, habits=Habits(ignores_off=True))
    hand.begin()
    hand.apply(1_000_000)
    wire.write(b":MEASure:VOLTage?\n*ESR?\n")
    with pytest.raises(InstrumentError, match="the output is still ON"):
        hand.end()


def test_a_unit_that_falls_silent_may_still_be_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scpi_module, "ANSWER_S", 0.0)
    _, hand, wire, _ = bench(RIGOL)
    hand.begin()
    hand.apply(1_000_000)
    wire._instrument._habits = Habits(silent_after=0)
    with pytest.raises(LinkTimeout, match="an answer to"):
        hand.apply(2_000_000)
    with pytest.raises(InstrumentError, match="the output may still be ON"):
        hand.end()


@pytest.mark.parametrize(
    ("dialect", "power_uw", "message"),
    [
        (RIGOL, 2_000_000_000, "more than 40000 mA"),
        (RIGOL, -1, "works one way"),
        (SUPPLY, 1_000_000_000, "more than 30000 mV"),
    ],
    ids=["too much current", "export", "too much voltage"],
)
def test_a_power_beyond_the_instrument_is_refused(dialect: Dialect, power_uw: int, message: str):
    _, hand, _, _ = bench(dialect)
    hand.begin()
    with pytest.raises(InstrumentError, match=message):
        hand.apply(power_uw)


def test_what_the_unit_itself_refuses_is_said_in_its_own_words():
    tight = replace(RIGOL, current_max_ma=999)
    simulated = SimulatedInstrument(tight, now_ns=lambda: 0)
    hand = Instrument(Scpi(Wire(simulated), "it"), RIGOL)
    hand.begin()
    with pytest.raises(InstrumentError, match=r'LEVel 1\.000000: .*-222,"Data out of range"'):
        hand.apply(24_000_000)


def test_a_supply_without_a_resistor_is_refused():
    with pytest.raises(InstrumentError, match="needs the resistance it feeds"):
        Instrument(Scpi(Wire(SimulatedInstrument(SUPPLY, now_ns=lambda: 0)), "it"), SUPPLY)


@pytest.mark.parametrize("line", ["MEAS:VOLT?", ":measure:voltage?", ":MEASure:VOLT?"])
def test_long_and_short_forms_are_one_command(line: str):
    assert SimulatedInstrument(RIGOL, now_ns=lambda: 0).line(line) == "24.000000"


def test_an_unknown_command_queues_an_error_and_no_answer():
    simulated = SimulatedInstrument(RIGOL, now_ns=lambda: 0)
    assert simulated.line(":FOO:BAR?") == ""
    assert simulated.line("*ESR?;:SYST:ERR?;:SYST:ERR?") == (
        '32;-113,"Undefined header";0,"No error"'
    )


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "0.000000"), (1_500_000, "1.500000"), (-1, "-0.000001")]
)
def test_a_value_is_written_without_rounding(micro: int, text: str):
    assert decimal(micro) == text
