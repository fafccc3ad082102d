"""From a board that has just been flashed to readings of an injected load, audited.

The same steps for a board in the project's own emulator and for one under QEMU.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from live_harness import audit, check_complete, wait_for
from provision_harness import provision

from wattest.operations.commission.home import Home
from wattest.operations.commission.provision_events import Enrolled
from wattest.operations.control import RunControl
from wattest.operations.events import RecordLogged, RunEvent
from wattest.operations.live.collect import collect_live
from wattest.operations.live.played_input import input_plans
from wattest.operations.live.ports import read_ports
from wattest.wire import EnrolmentKind, EventKind, Input, Record

WATTS = 1200
LOAD = f"""
name = "steady"
seed = 1
epoch = 2026-06-15T00:00:00Z
duration = "10min"
interval = "1s"
[[node]]
name = "feeder"
load = {{ kind = "steps", steps = [["0s", {WATTS}]] }}
"""


def logged(event: RunEvent) -> Record | None:
    return event.verdict.record if isinstance(event, RecordLogged) else None


def is_reading(event: RunEvent) -> bool:
    record = logged(event)
    return record is not None and record.event is None


def input_changed(event: RunEvent) -> bool:
    record = logged(event)
    return (
        record is not None
        and record.event is not None
        and record.event.kind is EventKind.INPUT
        and record.event.fields[3] == Input.INJECTED
    )


def enrol_and_meter(address: str, folder: Path, serial: str) -> list[Record]:
    """Provision the node, let it meter nothing, then a steady injected load; audit all of it.

    Returns:
        One reading from before, and three of the load.
    """
    home = Home(folder / "home")
    ended, _ = provision(address, home.path)
    assert isinstance(ended, Enrolled)
    assert (ended.candidate.board, ended.candidate.serial) == ("esp32-qemu", serial)
    assert ended.candidate.kind is EnrolmentKind.EMULATED
    file = read_ports(home.ports)

    control = RunControl()
    with closing(collect_live(file, home.collected, control=control)) as events:
        before = logged(wait_for(events, is_reading, "reading without input")[-1])
        control.stopped = True
        list(events)
    assert before is not None

    (folder / "load.toml").write_text(LOAD)
    inputs = input_plans(folder / "load.toml", "feeder", file.ports, step_ns=10**9)
    control = RunControl()
    readings = [before]
    with closing(collect_live(file, home.collected, control=control, inputs=inputs)) as events:
        wait_for(events, input_changed, "change of the input")
        for _ in range(3):
            record = logged(wait_for(events, is_reading, "reading of the load")[-1])
            assert record is not None
            readings.append(record)
        control.stopped = True
        list(events)
    audit(home.collected)
    check_complete(home.collected)
    return readings


def check_readings(readings: list[Record]) -> None:
    """The node says under its signature that no sensor answers, then that it is fed by hand."""
    before, changing, *fed = readings
    assert (before.status, before.err, int(before.input)) == ("D", "E", 0)
    assert int(changing.input) == 1
    for record in fed:
        assert (record.status, record.err, int(record.input)) == ("G", "", 1)
        assert record.power_milliwatts == WATTS * 1000
    energies = [record.import_milliwatthours for record in (before, changing, *fed)]
    assert energies == sorted(e for e in energies if e is not None)
    seconds = (fed[-1].mono_ms - changing.mono_ms) / 1000
    gained_wh = ((energies[-1] or 0) - (energies[1] or 0)) / 1000
    assert abs(gained_wh * 3600 / WATTS - seconds) < 0.01


def check_return(readings: list[Record], later: list[Record]) -> None:
    """After a power cut it is the same node: its key, its registers, and more boots."""
    assert {record.kid for record in later} == {record.kid for record in readings}
    assert later[-1].bootcount > readings[-1].bootcount
    before, after = readings[-1].import_milliwatthours, later[-1].import_milliwatthours
    assert before is not None
    assert after is not None
    assert after > before
