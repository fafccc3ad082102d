"""From an image of MicroPython to audited readings, on the board that QEMU is to embody.

Once with the project's own emulator in the place of QEMU (`qemu_twin`), which proves the files,
the command and the steps; once under Espressif's QEMU, where that and an image are there:

    WATTEST_MICROPYTHON_ESP32=ESP32_GENERIC.bin pytest tests/emulated/test_qemu_way.py
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest
import qemu_twin
from port_harness import run_tool
from qemu_flow import check_readings, check_return, enrol_and_meter

from wattest.boards import load_board
from wattest.boards.esp_synthetic import synthetic_micropython
from wattest.emulator.qemu import find_qemu
from wattest.errors import EmulatorError
from wattest.operations.commission.home import Home
from wattest.operations.control import RunControl
from wattest.operations.standing import qemu_up
from wattest.operations.standing.options import BoardsReady, BoardUp
from wattest.operations.standing.qemu_up import QemuOptions

pytestmark = pytest.mark.emulated
IMAGE = "WATTEST_MICROPYTHON_ESP32"


@pytest.fixture
def own_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The twin on PATH, and an image that starts in it."""
    if sys.platform == "win32":
        pytest.skip("the twin is a script")
    qemu_twin.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "bin"), os.environ["PATH"])))
    monkeypatch.setattr(qemu_up, "INTERVAL_MS", 1000)
    path = tmp_path / "synthetic.bin"
    path.write_bytes(synthetic_micropython("esp32"))
    return path


@pytest.fixture
def real_image() -> Path:
    try:
        find_qemu("esp32")
    except EmulatorError as exc:
        pytest.skip(str(exc))
    path = os.environ.get(IMAGE)
    if not path:
        pytest.skip(f"{IMAGE} is not set: no MicroPython to run")
    return Path(path)


@pytest.mark.parametrize(
    "image", ["own_emulator", pytest.param("real_image", marks=pytest.mark.long)]
)
def test_node_is_enrolled_meters_what_is_injected_and_returns_after_a_power_cut(
    image: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = QemuOptions(
        board=load_board("esp32-qemu"),
        home=Home(tmp_path / "home"),
        micropython=request.getfixturevalue(image),
        out=tmp_path / "out",
    )
    with closing(qemu_up.qemu_up(options, RunControl())) as events:
        first, ready = next(events), next(events)
        assert isinstance(first, BoardUp)
        assert isinstance(ready, BoardsReady)
        code, said = run_tool("mpremote", "connect", first.address, "eval", "6*7")
        assert (code, said.strip()) == (0, "42")
        readings = enrol_and_meter(first.address, tmp_path, first.serial)
    check_readings(readings)
    with closing(qemu_up.qemu_up(options, RunControl())) as events:
        again = next(events)
        assert isinstance(again, BoardUp)
        assert (again.serial, again.address) == (first.serial, first.address)
        later = enrol_and_meter(again.address, tmp_path, first.serial)
    check_return(readings, later)
