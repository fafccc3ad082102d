"""`wattest boards`: board files, ports, and passports, as people and programs read them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from wattest.boards import board_names
from wattest.cli import boards_show, main
from wattest.link import Holder, Holders, SerialPort
from wattest.operations.commission import scan
from wattest.store import Passport
from wattest.system import utc_ms

CHIP_ID = "246f28aabbcc"
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bench of its own, and no announcements of anybody else's boards."""
    monkeypatch.setenv("WATTEST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "home"


@pytest.fixture
def story(home: Path) -> int:
    """A board with a history; returns now, UTC ms."""
    now_ms = utc_ms()
    notes: list[tuple[int, str, dict[str, str | int | bool | None]]] = [
        (400, "seen", {"chip": "esp32", "board": "esp32-devkitc"}),
        (399, "flashed", {"image_sha256": "ab" * 32, "micropython": "1.28.0", "cfg": "0f" * 16}),
        (398, "provisioned", {"kid": "11" * 8, "serial": "WT-246F28AABBCC"}),
        (397, "calibrated", {"due_ms": (now_ms // DAY_MS - 30) * DAY_MS, "text": "cert 7"}),
        *[(300 - place, "reset", {"cause": "watchdog"}) for place in range(20)],
        (90, "failure", {"code": "gap", "text": "4 readings are missing " + 9 * "and so on "}),
        (80, "flash_failed", {"reason": "the port vanished"}),
        (70, "rekeyed", {"kid": "22" * 8}),
        (10, "repair", {"text": "new regulator"}),
        (1, "wear", {"erases": 8231, "worst": 412}),
    ]
    with Passport(home / "passport.sqlite") as passport:
        for days, kind, detail in notes:
            passport.note(CHIP_ID, kind, detail, at_ms=now_ms - days * DAY_MS, slot="1-4.2")
    return now_ms


def out(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main.main(["boards", *argv]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert max(map(len, said.out.splitlines()), default=0) <= 80
    return said.out


def said(argv: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main.main(["boards", *argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main.main(["boards", *argv]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_list_names_every_board_file_and_how_to_begin(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    text = out(["list"], capsys)
    assert all(name in text for name in board_names())
    assert "no board has a passport yet" in text
    assert not home.exists(), "looking makes nothing"
    document = said(["list"], capsys)
    assert [each["name"] for each in document["files"]] == list(board_names())
    assert document["known"] == []


@pytest.mark.usefixtures("story")
def test_list_names_the_boards_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    line = next(line for line in out(["list"], capsys).splitlines() if CHIP_ID in line)
    assert line.split()[:4] == [CHIP_ID, "esp32-devkitc", "WT-246F28AABBCC", "enrolled"]
    (known,) = said(["passport"], capsys)["known"]
    assert (known["chip_id"], known["state"], known["slot"]) == (CHIP_ID, "enrolled", "1-4.2")


@pytest.mark.parametrize("name", board_names())
def test_show_tells_chip_pins_traps_offsets_and_where_micropython_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["boards", "show", name]) == 0
    text = capsys.readouterr().out
    document = said(["show", name], capsys)
    assert document["chip"] in text
    assert f"{document['flash']['vfs_offset']:#x}" in text
    assert f"SCL {document['i2c']['scl_pin']}, SDA {document['i2c']['sda_pin']}" in text
    assert document["micropython"]["url"] in text
    for trap in document["traps"]:
        assert trap in text
    for pin in document["boot_pins"]:
        assert f"pin {pin['pin']}: {pin['rule']}" in document["traps"]


def test_show_of_a_file_that_is_no_board_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "got 'toaster'" in refused(["show", "toaster"], capsys)
    path = tmp_path / "toaster.toml"
    path.write_text('title = "toaster"')
    assert "toaster.toml" in refused(["show", str(path)], capsys)


@pytest.mark.parametrize("wanted", [CHIP_ID, "246f", "24:6F:28", "24:6f:28:aa:bb:cc"])
@pytest.mark.usefixtures("story")
def test_passport_tells_the_story_on_one_screen(
    wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = out(["passport", wanted], capsys)
    assert text.count("\n") <= 36
    for words in (
        "246f28aabbcc esp32-devkitc: enrolled",
        "WT-246F28AABBCC, in slot 1-4.2",
        "2222222222222222",
        "1111111111111111",
        "cert 7",
        "OVERDUE by 30 days",
        "1, 1 failed",
        "watchdog 20",
        "8231 sector erasures, at most 412 of one",
        "watchdog, 20 times",
        "repair        new regulator",
        "the port vanished",
    ):
        assert words in text
    assert "\x1b" not in text


@pytest.mark.usefixtures("story")
def test_colours_are_for_terminals_and_never_break_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = out(["passport", CHIP_ID], capsys)
    monkeypatch.setattr(boards_show, "bad", "\x1b[31m{}\x1b[0m".format)
    monkeypatch.setattr(boards_show, "marked", "\x1b[33m{}\x1b[0m".format)
    assert main.main(["boards", "passport", CHIP_ID]) == 0
    coloured = capsys.readouterr().out
    assert "\x1b[31mdue " in coloured
    assert re.sub(r"\x1b\[[0-9]+m", "", coloured) == plain


def test_passport_as_json_has_every_event(capsys: pytest.CaptureFixture[str], story: int) -> None:
    document = said(["passport", "246f"], capsys)
    assert document["kid"] == "22" * 8
    assert document["resets"] == {"watchdog": 20}
    assert document["calibration"]["overdue"] is True
    assert len(document["events"]) == 29
    assert document["events"][0]["at_ms"] == story - 400 * DAY_MS
    assert document["image_sha256"] == "", "a flash has failed since"


@pytest.mark.usefixtures("story")
def test_calibration_that_is_noted_holds_again(capsys: pytest.CaptureFixture[str]) -> None:
    due = "2999-06-30"
    text = out(["note", "246f", "--event", "calibrated", "--due", due, "--text", "cert 8"], capsys)
    assert text.startswith(f"noted for {CHIP_ID} at ")
    story = out(["passport", "246f"], capsys)
    assert ", cert 8\n" in story
    assert f"due {due}: holds" in story
    assert "calibrated    cert 8, due 2999-06-30" in story


@pytest.mark.parametrize(
    ("event", "state"),
    [("repair", "enrolled"), ("retire", "retired"), ("refurbish", "new"), ("reuse", "new")],
)
@pytest.mark.usefixtures("story")
def test_life_events_change_the_state_of_a_board(
    event: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = said(["note", CHIP_ID, "--event", event, "--text", "why"], capsys)
    assert (document["chip_id"], document["event"]) == (CHIP_ID, event)
    story = said(["passport", CHIP_ID], capsys)
    assert story["state"] == state
    assert story["life"][-1]["detail"]["text"] == "why"


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["passport", "ffff"], "no board with such a chip id is known"),
        (["passport", ""], "no board with such a chip id is known"),
        (["note", "ffff", "--event", "repair"], "no board with such a chip id is known"),
        (["note", "2", "--event", "repair", "--due", "2030-01-01"], "belongs to a calibration"),
        (["note", "2", "--event", "note"], "an empty note says nothing"),
        (["note", "2", "--event", "calibrated", "--due", "30.6.2030"], "expected a date"),
        (["note", "2", "--event", "explode"], "invalid choice"),
        (["note", "2", "--event", "note", "--text", "x" * 2000], "expected 1000 characters"),
        (["note", "2"], "--event"),
    ],
)
@pytest.mark.usefixtures("story")
def test_note_that_cannot_be_meant_is_refused_in_one_line(
    argv: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in refused(argv, capsys)


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("text", "kept"), [("a\x1b[2Jb", r"a\x1b[2Jb"), ("\udcff", r"\udcff")], ids=["escape", "bytes"]
)
def test_note_shows_what_a_terminal_would_obey_or_could_not_show(
    text: str, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out(["note", "246f", "--event", "note", "--text", text], capsys)
    assert kept in out(["passport", "246f"], capsys)


@pytest.mark.usefixtures("story")
def test_beginning_that_two_boards_share_is_refused(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    with Passport(home / "passport.sqlite") as passport:
        passport.note("246f28000001", "seen", at_ms=1)
    line = refused(["passport", "246f28"], capsys)
    assert "expected one board, 2 begin so: 246f28000001, 246f28aabbcc" in line


def test_passport_of_a_bench_without_boards_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert out(["passport"], capsys) == "no board has a passport yet: `wattest flash` begins one\n"
    assert "no board with such" in refused(["passport", "24"], capsys)


def test_passport_file_that_is_none_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    home.mkdir()
    (home / "passport.sqlite").write_text("this is no database, however long")
    assert main.main(["boards", "passport"]) == 2
    assert "not a passport file" in capsys.readouterr().err


def test_scan_shows_what_is_plugged_in_and_who_holds_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = SerialPort(
        address="/dev/ttyUSB0",
        description="CP2102N USB to UART Bridge Controller",
        vid=0x10C4,
        pid=0xEA60,
        serial="0001",
        location="1-4.3",
    )
    held = Holders(found=(Holder(pid=4711, name="mpremote"),), hidden=2)
    defaults = {
        "lister": lambda: [port],
        "lookup": lambda addresses: dict.fromkeys(addresses, held),
    }
    monkeypatch.setattr(scan.scan_ports, "__kwdefaults__", defaults)
    text = out(["scan"], capsys)
    assert "/dev/ttyUSB0  held by mpremote (process 4711)" in text
    assert "slot         1-4.3" in text
    assert "esp32-devkitc" in text
    assert "(2 processes of other users hide what they hold" in text
    (found,) = said(["scan"], capsys)["ports"]
    assert found["held_by"] == [{"pid": 4711, "name": "mpremote"}]
    assert found["usb"] == "10c4:ea60"


def test_scan_of_a_machine_without_ports_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        scan.scan_ports, "__kwdefaults__", {"lister": list, "lookup": lambda _addresses: {}}
    )
    assert out(["scan"], capsys) == "no serial port, and no emulated board that is up\n"
    assert said(["scan"], capsys) == {"ports": [], "remarks": []}
