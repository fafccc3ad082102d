"""Kill the collector at any moment: nothing it acknowledged is missing, nothing is there twice.

Method: two emulated boards stay up on pseudo terminals and go on recording. A real collector
process reads them, commits, acknowledges and says so. It is killed with SIGKILL after a seeded
number of commits and a seeded part of the next one, or while it starts. The ledger is audited
after each kill; the next process goes on with the same folder. In the end one may finish, and
what the nodes still hold must be no more than what nobody had time to acknowledge.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
from live_harness import Boards, audit, check_complete, lines_of, wait_for

from wattest.operations.control import RunControl
from wattest.operations.events import RecordLogged, RunFinished, RunStarted
from wattest.operations.live.collect import collect_live
from wattest.operations.rundir import RunDir
from wattest.wire import EventKind

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo terminals"),
]

CHILD = Path(__file__).parent / "live_child.py"
COMMITS_MAX = 6
COMMIT_NS = 60_000_000  # about the time from one commit to the next: the kill lands anywhere in it
START_NS = 900_000_000  # about what a start takes
LAG_MAX = 40  # a node forgets by segments, and the last acknowledgements may be on their way
TIME_SET_NEW = 3


def killed_collector(home: Path, out: Path, seed: int) -> int:
    """Run a collector until its kill; return the last size it said it had acknowledged."""
    rng = random.Random(seed)
    size = 0
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(home), str(out)], stdout=subprocess.PIPE, bufsize=0
    )
    with process:
        commits = rng.randint(0, COMMITS_MAX)
        for line in islice(lines_of(process), commits) if commits else ():
            size = int(line)
        until_ns = time.perf_counter_ns() + rng.randrange(COMMIT_NS if commits else START_NS)
        while time.perf_counter_ns() < until_ns:
            pass  # busy: a sleep would wake at scheduler ticks only
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, "the collector ended by itself"
    for line in rest.split(b"\n")[:-1]:
        size = int(line)
    return size


def kill_again_and_again(folder: Path, kills: int, seed: int) -> str:
    home, out = folder / "boards", folder / "collected"
    boards = Boards(home, count=2)
    boards.start()
    acknowledged = early = 0
    try:
        for kill in range(kills):
            size = killed_collector(home, out, seed + kill)
            early += size == 0
            acknowledged = max(acknowledged, size)
            if RunDir(out).ledger.exists():
                assert audit(out).entries >= acknowledged, "what was acknowledged is lost"
                check_complete(out)
        finish(boards, out)
    finally:
        boards.end()
    audit(out)
    logged = check_complete(out)
    for live in boards_of(home):
        first_kept = boards.journal(live)[0]
        lag = logged[f"DEMO-{live}"] - first_kept
        assert lag >= 0, f"{live} has forgotten {-lag} records that the ledger does not hold"
        assert lag <= LAG_MAX, f"{live} keeps {lag} records that were acknowledged"
    assert acknowledged > 0
    return f"{kills} kills, {early} before the first commit, {sum(logged.values())} records"


def boards_of(home: Path) -> list[str]:
    return sorted(file.stem for file in home.glob("*.flash"))


def finish(boards: Boards, out: Path) -> None:
    """Let a last collector catch up with every node and end in order."""
    control = RunControl()
    events = collect_live(boards.file, out, control=control)
    begun = next(events)
    assert isinstance(begun, RunStarted)
    waiting = {node.name for node in begun.nodes}

    def caught_up(event: object) -> bool:
        """Records come in order: who logs that this collector set the clock held none back."""
        if isinstance(event, RecordLogged):
            record = event.verdict.record
            assert record is not None
            told = record.event
            is_set = told is not None and told.kind == EventKind.TIME_SET
            if is_set and told.fields[TIME_SET_NEW] >= begun.start_ms:
                waiting.discard(event.node)
        return not waiting

    wait_for(events, caught_up, "record of the clock being set")
    control.stopped = True
    wait_for(events, lambda event: isinstance(event, RunFinished), "end")


def test_ten_kills_lose_and_double_nothing(tmp_path, record_property):
    record_property("covered", kill_again_and_again(tmp_path, 10, seed=1))


@pytest.mark.long
def test_sixty_kills_lose_and_double_nothing(tmp_path, record_property):
    record_property("covered", kill_again_and_again(tmp_path, 60, seed=1000))
