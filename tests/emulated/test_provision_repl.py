"""The raw REPL over a port: a running node is interrupted, asked, and goes on whatever happens."""

from __future__ import annotations

import pytest
from provision_harness import CHIP_ID, FlashedBoard, up

from wattest.errors import LinkTimeout
from wattest.link import open_port
from wattest.link.repl import ReplError, interrupted

pytestmark = pytest.mark.emulated


def test_running_node_is_interrupted_asked_and_restarted() -> None:
    flashed = FlashedBoard()
    with up(flashed) as served:
        served.wait_until(lambda: len(flashed.hellos) == 1, "first hello")
        with open_port(served.address) as port:
            with interrupted(port) as repl:
                assert repl.run("import machine\nprint(machine.unique_id().hex())") == (
                    f"{CHIP_ID}\n"
                )
                long = "text = '''" + "0123456789" * 800 + "'''\nprint(len(text))"
                assert repl.run(long) == "8000\n"
                with pytest.raises(ReplError, match="on the board: ValueError: no"):
                    repl.run("raise ValueError('no')")
                assert repl.run("print(6 * 7)") == "42\n"
            served.wait_until(lambda: len(flashed.hellos) == 2, "hello after the restart")


@pytest.mark.parametrize("how", [KeyboardInterrupt, ReplError])
def test_node_goes_on_after_an_error_or_ctrl_c(how: type[BaseException]) -> None:
    flashed = FlashedBoard()
    with up(flashed) as served:
        served.wait_until(lambda: len(flashed.hellos) == 1, "first hello")
        with open_port(served.address) as port:
            with pytest.raises(how, match="here"), interrupted(port):
                raise how("here")
            served.wait_until(lambda: len(flashed.hellos) == 2, "hello after the restart")


def test_code_that_never_ends_is_given_up_and_the_node_goes_on() -> None:
    flashed = FlashedBoard()
    with up(flashed) as served, open_port(served.address) as port:
        with (
            pytest.raises(LinkTimeout, match="expected an answer of MicroPython"),
            interrupted(port) as repl,
        ):
            repl.run("while True:\n    pass", timeout_s=0.5)
        served.wait_until(lambda: len(flashed.hellos) >= 1, "hello after the restart")
