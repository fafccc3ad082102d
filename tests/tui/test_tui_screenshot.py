"""The picture for the README: a self-contained SVG, the same bytes for the same run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from scripted import keep, story, whole_story

from wattest.errors import StoreError, UsageError
from wattest.operations.kept.stored import stored_events
from wattest.tui import save_screenshot


def texts(path: Path) -> str:
    return " ".join(ET.parse(path).getroot().itertext()).replace("\xa0", " ")


def test_picture_shows_nodes_twin_ledger_statement_and_verdict(tmp_path: Path) -> None:
    save_screenshot(story(), tmp_path / "a.svg", node="lamp")
    shown = texts(tmp_path / "a.svg")
    for part in ("pump", "~ stale", "twin of lamp", "60 entries", "5.70", "TEST", "AS EXPECTED"):
        assert part in shown


def test_picture_is_taken_when_the_time_is_up_and_the_run_goes_on_to_its_end(
    tmp_path: Path,
) -> None:
    seen = []

    def watched():
        for event in whole_story():
            seen.append(event)
            yield event

    save_screenshot(watched(), tmp_path / "a.svg")
    assert "FINISHED" not in texts(tmp_path / "a.svg")
    assert "100 %" in texts(tmp_path / "a.svg")
    assert len(seen) == len(list(whole_story()))


def test_picture_of_a_kept_run_says_so(tmp_path: Path) -> None:
    keep(tmp_path / "out")
    save_screenshot(stored_events(tmp_path / "out"), tmp_path / "a.svg", kept=True)
    shown = texts(tmp_path / "a.svg")
    assert "KEPT RUN" in shown
    assert "running" not in shown.replace("nothing is running", "")


def test_picture_fetches_nothing_and_is_the_same_every_time(tmp_path: Path) -> None:
    save_screenshot(story(), tmp_path / "a.svg")
    save_screenshot(story(), tmp_path / "b.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert "@font-face" not in svg
    assert "url(http" not in svg
    assert svg == (tmp_path / "b.svg").read_text()


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no/a\.svg: cannot be written: No such file"):
        save_screenshot(story(), tmp_path / "no" / "a.svg")


def test_picture_of_a_node_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--node lam: expected one of .*lamp"):
        save_screenshot(story(), tmp_path / "a.svg", node="lam")
    assert not (tmp_path / "a.svg").exists()


def test_picture_in_another_format_is_refused_before_the_run_begins(tmp_path: Path) -> None:
    events = story()
    with pytest.raises(UsageError, match=r"a\.png: expected a name that ends in \.svg"):
        save_screenshot(events, tmp_path / "a.png")
    assert list(events)
