"""The keeper process: an output never outlives who wanted it on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wattest.errors import InstrumentError
from wattest.instruments.dialect import load_dialect
from wattest.instruments.kept import KeptInstrument, instrument_address
from wattest.instruments.simulator import Habits, ScpiServer, SimulatedInstrument

DIALECT = load_dialect("siglent-sdl1000x")
WAIT_S = 20


class Watched(SimulatedInstrument):
    """A simulated load that says when it goes off."""

    def __init__(self, **options: object) -> None:
        super().__init__(DIALECT, now_ns=lambda: 0, **options)  # type: ignore[arg-type]
        self.went_off = threading.Event()

    def line(self, text: str) -> str:
        was_on = self.on
        answer = super().line(text)
        if was_on and not self.on:
            self.went_off.set()
        return answer


@pytest.fixture
def load() -> Iterator[tuple[Watched, str]]:
    instrument = Watched()
    with ScpiServer(instrument) as server:
        yield instrument, server.address


@contextmanager
def somebody_who_wants_it_on(address: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own that has the output on."""
    program = (
        "import sys\n"
        "from wattest.instruments.kept import KeptInstrument\n"
        f"kept = KeptInstrument({address!r}, 'siglent-sdl1000x')\n"
        "kept.apply(48_000_000)\n"
        "print('on', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "on\n"
        yield child


def test_an_instrument_plays_and_is_off_afterwards(load: tuple[Watched, str]):
    instrument, address = load
    with KeptInstrument(address, "siglent-sdl1000x") as kept:
        assert kept.identity.startswith("Siglent Technologies,SDL1")
        assert kept.apply(48_000_000).current_ua == 2_000_000
        assert instrument.on
    assert not instrument.on


def test_it_is_off_after_an_exception(load: tuple[Watched, str]):
    instrument, address = load

    def fail(kept: KeptInstrument) -> None:
        with kept:
            kept.apply(48_000_000)
            raise KeyError("ours")

    with pytest.raises(KeyError):
        fail(KeptInstrument(address, "siglent-sdl1000x"))
    assert not instrument.on


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_goes_off_when_the_process_that_wanted_it_is_killed(
    load: tuple[Watched, str], number: signal.Signals
):
    instrument, address = load
    with somebody_who_wants_it_on(address) as child:
        assert instrument.on
        child.send_signal(number)
        assert instrument.went_off.wait(WAIT_S)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_it_goes_off_when_the_terminal_tells_everybody_to_go(
    load: tuple[Watched, str], number: signal.Signals
):
    instrument, address = load
    with somebody_who_wants_it_on(address) as child:
        os.killpg(child.pid, number)
        assert instrument.went_off.wait(WAIT_S)


def test_a_keeper_that_was_killed_is_told_at_the_end(load: tuple[Watched, str]):
    instrument, address = load
    kept = KeptInstrument(address, "siglent-sdl1000x")
    kept.apply(1_000_000)
    kept._keeper.kill()
    kept._keeper.wait()
    with pytest.raises(InstrumentError, match="its keeper was killed: the output may still be"):
        kept.close()
    assert instrument.on


def test_what_the_keeper_said_last_is_told_though_it_came_at_once():
    """Goal: an error and, right behind it, that the output may be on are two lines, both heard."""
    instrument = Watched(habits=Habits(ignores_off=True))
    with ScpiServer(instrument) as server:
        kept = KeptInstrument(server.address, "siglent-sdl1000x")
        assert kept._keeper.stdin is not None
        kept._keeper.stdin.write('{"apply_uw": -1}\n')
        kept._keeper.stdin.close()
        kept._keeper.wait(WAIT_S)  # so both lines wait in the pipe
        with pytest.raises(InstrumentError, match="works one way"):
            kept._hear()
        with pytest.raises(InstrumentError, match="the output is still ON"):
            kept.close()


def test_an_instrument_that_stays_on_is_told_at_the_end():
    instrument = Watched(habits=Habits(ignores_off=True))
    with ScpiServer(instrument) as server:
        kept = KeptInstrument(server.address, "siglent-sdl1000x")
        kept.apply(1_000_000)
        with pytest.raises(InstrumentError, match="the output is still ON"):
            kept.close()


def test_another_instrument_is_refused_through_the_keeper(load: tuple[Watched, str]):
    _, address = load
    with pytest.raises(InstrumentError, match="expected Rigol DL3000 electronic load"):
        KeptInstrument(address, "rigol-dl3000")


def test_a_port_where_nobody_listens_is_one_line():
    with pytest.raises(InstrumentError, match="connection refused"):
        KeptInstrument("socket://127.0.0.1:1", "rigol-dl3000")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "socket://192.0.2.7:5025"),
        ("192.0.2.7:99", "socket://192.0.2.7:99"),
        ("/dev/ttyUSB1", "/dev/ttyUSB1"),
        ("COM4", "COM4"),
        ("rfc2217://h:1", "rfc2217://h:1"),
    ],
)
def test_an_address_may_be_short(text: str, address: str):
    assert instrument_address(text, DIALECT) == address
