"""``wattest tui --live``: readings collected from ports, in the interface or headless."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.live_witness import addresses_of, ask_before, cosign_after
from wattest.cli.output import ProgressLine, bad, good, print_json, print_table
from wattest.cli.playing import is_headless, stopping_on_interrupt
from wattest.errors import LinkClosed, UsageError
from wattest.units import NS_PER_S

if TYPE_CHECKING:
    from types import FrameType

    from wattest.operations.control import RunControl
    from wattest.operations.events import NodeTotals, RunEvent, RunFinished
    from wattest.operations.live.played_input import InputPlan
    from wattest.operations.live.ports import PortsFile

_COUNT_EVERY_MS = 10_000
_HEAD = ("node", "import Wh", "export Wh", "readings")


def collect(args: argparse.Namespace) -> int:
    """Collect from the ports that ``args`` names.

    Returns:
        0 if nothing was wrong with what the nodes sent, else 1.

    Raises:
        LinkClosed: at the end a port is gone that was there; what it sent is kept.
        ForkFound: a witness has seen another history of the ledger in the folder.
    """
    from wattest.operations.commission.home import Home
    from wattest.operations.control import RunControl
    from wattest.operations.live.ports import read_ports
    from wattest.operations.standing.home import STATE_NAME, default_state_path

    path: Path = args.ports or default_state_path()
    if path.is_dir():
        path = path / STATE_NAME
    file = read_ports(path)
    inputs = _inputs(args, file)
    out: Path = args.out or path.absolute().parent / "collected"
    home, witnesses = Home.find(args.home), addresses_of(args.witness)
    ask_before(out, witnesses, home)
    control = RunControl(speed=1.0)
    if not is_headless(args):
        from wattest.tui import run_tui

        finished = run_tui(
            lambda: _collected(args, file, out, control, inputs), control, live=True
        )
        cosign_after(out, witnesses, home)
        return 0 if finished is None or finished.passed else 1
    with stopping_on_interrupt(control), stopping_on_terminate(control):
        events = _collected(args, file, out, control, inputs)
        with closing(events):
            ended, gone = _follow(events, ProgressLine())
    if args.json:
        print_json({**_as_json(ended, out), "gone": gone})
    else:
        _show(ended, out)
    cosign_after(out, witnesses, home)
    if gone and ended.passed:
        raise LinkClosed(
            f"the port of {', '.join(gone)} vanished and did not come back",
            hint=f"plug it in and go on: what was collected is kept in {out}",
        )
    return 0 if ended.passed else 1


def _inputs(args: argparse.Namespace, file: PortsFile) -> Mapping[str, InputPlan | None]:
    """Return the loads that nodes are given to meter; None where another board plays them."""
    from wattest.operations.live.played_input import input_plans

    if args.test_input is None:
        if args.test_step is not None:
            raise UsageError("tui: --test-step goes with --test-input")
        return dict.fromkeys(live.expected.name for live in file.ports) if args.played else {}
    if args.played:
        raise UsageError("tui: --test-input and --played exclude each other")
    path, node = args.test_input, None
    if not path.endswith(".toml"):
        path, _, node = path.rpartition(":")
    if not path:
        raise UsageError(f"tui: --test-input: SCENARIO.toml[:NODE] expected, got {node!r}")
    return input_plans(Path(path), node, file.ports, step_ns=args.test_step or NS_PER_S)


def _collected(
    args: argparse.Namespace,
    file: PortsFile,
    out: Path,
    control: RunControl,
    inputs: Mapping[str, InputPlan | None],
) -> Generator[RunEvent]:
    """Collect, and note in the boards' passports what is learnt about them."""
    from wattest.operations.commission.home import Home
    from wattest.operations.commission.passport_live import with_passports
    from wattest.operations.commission.scan import slot_of
    from wattest.operations.live.collect import collect_live

    home = Home.find(args.home)
    return with_passports(
        collect_live(
            file,
            out,
            control=control,
            duration_s=args.duration_s,
            inputs=inputs,
            copies=home.ledgers if home.path.is_dir() else None,
        ),
        home,
        slots={live.expected.name: slot_of(live.address) for live in file.ports},
    )


@contextmanager
def stopping_on_terminate(control: RunControl) -> Iterator[None]:
    """Turn SIGTERM into a request to stop."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        control.stopped = True

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _follow(events: Iterator[RunEvent], progress: ProgressLine) -> tuple[RunFinished, list[str]]:
    """Say on stderr what happens, and now and then how much has been collected.

    Returns:
        How it ended, and the nodes whose ports are gone, in order of their names.
    """
    from wattest.operations import events as told
    from wattest.verify import Severity

    records = 0
    counted_ms = 0
    states: dict[str, str] = {}
    for event in events:
        match event:
            case told.RunStarted():
                names = ", ".join(node.name for node in event.nodes)
                progress.say(f"collecting from {names} into {event.out}; Ctrl-C ends it")
            case told.NodeChanged():
                states[event.node] = event.state
                progress.say(f"{event.node}: {event.state}")
            case told.ConsolePrinted() if event.text.startswith("wattest: "):
                progress.say(event.text.rstrip())
            case told.RecordLogged():
                records += 1
                for finding in event.verdict.findings:
                    if finding.severity >= Severity.WARNING:
                        progress.say(f"{event.node}: {finding.code.value}: {finding.message}")
            case told.RecordRefused():
                for finding in event.verdict.findings:
                    progress.say(f"{event.node}: refused: {finding.message}")
            case told.FrameLost():
                progress.say(f"{event.node}: a frame arrived damaged: {event.rule}")
            case told.CheckpointSigned() if event.now_ms >= counted_ms + _COUNT_EVERY_MS:
                counted_ms = event.now_ms
                progress.say(f"{records} records, ledger of {event.size} entries")
            case told.RunFinished():
                return event, sorted(n for n, s in states.items() if s == "unplugged")
            case _:
                pass
    raise AssertionError("a collection ends with RunFinished")


def _show(ended: RunFinished, out: Path) -> None:
    print_table(_HEAD, [_row(totals) for totals in ended.nodes])
    print()
    print(f"ledger: {ended.entries} entries; kept in {out}: wattest verify {out}")
    for reason in ended.reasons:
        print(bad(f"FAIL: {reason}"), file=sys.stdout)
    if ended.passed:
        print(good("PASS: nothing is wrong with what the nodes sent"))


def _row(totals: NodeTotals) -> tuple[str, ...]:
    return (
        totals.node,
        totals.metered_import_wh,
        totals.metered_export_wh,
        str(totals.readings),
    )


def _as_json(ended: RunFinished, out: Path) -> dict[str, Any]:
    return {
        "passed": ended.passed,
        "reasons": list(ended.reasons),
        "nodes": [
            {
                "node": totals.node,
                "metered_import_wh": totals.metered_import_wh,
                "metered_export_wh": totals.metered_export_wh,
                "readings": totals.readings,
            }
            for totals in ended.nodes
        ],
        "findings": [
            {"code": finding.code.value, "kid": finding.kid.hex(), "message": finding.message}
            for finding in ended.findings
        ],
        "entries": ended.entries,
        "checkpoint": ended.checkpoint,
        "out": str(out),
    }
