"""A live collection writes what it learns into the passports of its boards."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from talking_node import TalkingNode

from wattest.operations.commission.home import Home
from wattest.operations.commission.passport import chip_id_of
from wattest.operations.commission.passport_live import FAILURES_MAX, reset_cause, with_passports
from wattest.operations.events import (
    ConsolePrinted,
    NodeInfo,
    NodeTotals,
    RecordLogged,
    RecordRefused,
    RunEvent,
    RunFinished,
    RunStarted,
)
from wattest.store import BoardFacts, Passport
from wattest.twin import TwinState
from wattest.verify import Finding, FindingCode, Severity, Verdict
from wattest.wire import Record, parse_record
from wattest.wire.record import BootClaims

CHIP_ID = "246f28aabbcc"
NODE = "turbine"
NOW_MS = 1_700_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def boot(node: TalkingNode, *, cause: int = 1, torn: int = 0) -> Record:
    """Return a boot record as the node of `CHIP_ID` signs it."""
    event = {1: 1, 2: cause, 3: 0, 4: 2, 5: torn}
    record = parse_record(node.seal(event=event))
    claims = BootClaims(ueid=b"\x02" + bytes.fromhex(CHIP_ID), software_versions=("0.2.0",))
    return replace(record, boot=claims)


def logged(record: Record, *findings: Finding) -> RecordLogged:
    verdict = Verdict(record=record, findings=findings)
    return RecordLogged(
        node=NODE, now_ms=0, verdict=verdict, index=1, twin=TwinState(name=NODE, asset=NODE)
    )


def finding(code: FindingCode, severity: Severity, seq: int = 7) -> Finding:
    return Finding(
        code=code, severity=severity, kid=bytes(8), ctx=0, seq=seq, message=f"record {seq}: odd"
    )


def started(kid: bytes = bytes(8)) -> RunStarted:
    info = NodeInfo(
        name=NODE, asset=NODE, board="esp32-devkitc", serial="demo-0001", kid=kid, load=""
    )
    return RunStarted(
        scenario="live collection", seed=0, start_ms=0, end_ms=1, nodes=(info,), out="OUT"
    )


def finished(readings: int = 0) -> RunFinished:
    totals = NodeTotals(
        node=NODE,
        load_import_wh="",
        load_export_wh="",
        metered_import_wh="",
        metered_export_wh="",
        error_percent="",
        error_limit_percent="",
        readings=readings,
    )
    return RunFinished(
        now_ms=0,
        passed=True,
        nodes=(totals,),
        total=totals,
        findings=(),
        faults=(),
        statements=(),
        checkpoint="",
        entries=0,
    )


def told(home: Home, *events: RunEvent) -> list[RunEvent]:
    def stream() -> Generator[RunEvent]:
        yield from events

    slots = {NODE: "1-4.2"}
    return list(with_passports(stream(), home, slots=slots, now_ms=lambda: NOW_MS))


def facts(home: Home) -> BoardFacts:
    with Passport(home.passport, read_only=True) as passport:
        return passport.facts(CHIP_ID)


def test_node_that_names_another_nodes_chip_writes_nothing_into_its_passport(home: Home) -> None:
    """Goal: a node that lies about its chip under its own key re-keys nobody else."""
    owner, liar = TalkingNode(1), TalkingNode(2)
    told(home, started(), logged(boot(owner)), finished())
    before = facts(home)
    lie = finding(FindingCode.WRONG_CHIP, Severity.ERROR)
    told(home, started(), logged(boot(liar, cause=3), lie), finished())
    assert facts(home) == before


def test_boot_record_brings_reset_key_firmware_and_place_into_the_passport(home: Home) -> None:
    node = TalkingNode(cfg=bytes.fromhex("0f" * 16))
    record = boot(node, cause=3, torn=12)
    events = [started(), logged(record), finished(readings=2)]
    assert told(home, *events) == events
    found = facts(home)
    assert found.resets == (("watchdog", 1),)
    assert (found.board, found.serial) == ("esp32-devkitc", node.serial)
    assert found.kid == node.kid.hex()
    assert [(use.cfg, use.version) for use in found.firmware] == [("0f" * 16, "0.2.0")]
    assert found.slot == "1-4.2"
    assert found.runs == 1
    assert found.last_seen_ms == NOW_MS
    with Passport(home.passport, read_only=True) as passport:
        reset = next(each for each in passport.events(CHIP_ID) if each.kind == "reset")
        run = next(each for each in passport.events(CHIP_ID) if each.kind == "run")
    assert reset.detail["torn_bytes"] == 12
    assert (run.detail["out"], run.detail["readings"]) == ("OUT", 2)


def test_reset_that_was_noted_already_counts_once(home: Home) -> None:
    record = boot(TalkingNode())
    told(home, started(), logged(record), logged(record))
    told(home, started(), logged(record))
    assert facts(home).resets == (("power_on or brownout", 1),)


def test_new_key_of_a_board_is_a_second_key(home: Home) -> None:
    old, new = TalkingNode(1), TalkingNode(2)
    told(home, started(), logged(boot(old)), logged(boot(new)), logged(boot(old)))
    assert [use.kid for use in facts(home).keys] == [old.kid.hex(), new.kid.hex()]
    assert facts(home).kid == new.kid.hex()


def test_failures_of_a_node_that_booted_long_ago_reach_its_board_by_its_key(home: Home) -> None:
    node = TalkingNode()
    told(home, started(), logged(boot(node)))
    reading = parse_record(node.seal())
    gap = finding(FindingCode.GAP, Severity.ERROR)
    notice = finding(FindingCode.LATE, Severity.NOTICE, seq=8)
    told(home, started(), logged(reading, gap, notice), logged(reading, gap))
    found = facts(home)
    assert found.failures == 1
    assert found.last_failure is not None
    assert found.last_failure.detail["code"] == "gap"
    assert found.last_failure.detail["text"] == "record 7: odd"


def test_refused_records_are_failures_and_a_flood_of_them_is_bounded(home: Home) -> None:
    node = TalkingNode()
    told(home, started(), logged(boot(node)))
    flood = [
        RecordRefused(
            node=NODE,
            now_ms=0,
            data=b"",
            verdict=Verdict(
                record=None,
                findings=(finding(FindingCode.BAD_SIGNATURE, Severity.ERROR, seq=seq),),
                accepted=False,
            ),
        )
        for seq in range(1, FAILURES_MAX + 50)
    ]
    told(home, started(node.kid), *flood)
    assert facts(home).failures == FAILURES_MAX


def test_board_that_states_no_mac_has_no_passport(home: Home) -> None:
    record = replace(boot(TalkingNode()), boot=BootClaims(ueid=b"\x01" + bytes(16)))
    told(home, started(), logged(record), finished())
    with Passport(home.passport, read_only=True) as passport:
        assert passport.boards() == []


def test_without_a_home_nothing_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    events = [started(), logged(boot(TalkingNode())), finished()]
    assert told(home, *events) == events
    assert not home.path.exists()


def test_passport_that_cannot_be_written_is_told_once_and_ends_nothing(home: Home) -> None:
    home.passport.write_text("this is no database, however long it may be")
    events = [started(), logged(boot(TalkingNode())), finished()]
    seen = told(home, *events)
    lines = [event for event in seen if isinstance(event, ConsolePrinted)]
    assert [event for event in seen if event not in lines] == events
    assert len(lines) == 1
    assert lines[0].text.startswith("wattest: no passports are kept from here on: ")
    assert lines[0].node == NODE


@pytest.mark.parametrize(
    ("board", "value", "name"),
    [
        ("esp32-devkitc", 4, "deep_sleep"),
        ("esp32-devkitc", 2, "hard or panic"),
        ("esp32-devkitc", 77, "cause 77"),
        ("no-such-board", 1, "cause 1"),
    ],
)
def test_reset_cause_has_the_name_that_the_board_file_gives_it(
    board: str, value: int, name: str
) -> None:
    assert reset_cause(board, value) == name


@pytest.mark.parametrize(
    ("ueid", "chip_id"),
    [
        (b"\x02" + bytes.fromhex(CHIP_ID), CHIP_ID),
        (b"\x01" + bytes.fromhex(CHIP_ID), None),
        (b"\x02" + bytes(5), None),
        (b"\x02" + bytes(8), None),
        (b"", None),
        (None, None),
    ],
)
def test_chip_id_is_the_mac_in_the_hardware_identity(
    ueid: bytes | None, chip_id: str | None
) -> None:
    assert chip_id_of(ueid) == chip_id
