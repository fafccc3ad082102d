"""The wiring pictures are what their program draws, and no page lacks one."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree as ET

import pytest

from tidy_rules import ROOT

FOLDER = ROOT / "docs" / "wiring"
sys.path.insert(0, str(FOLDER))

import diagram  # noqa: E402
import draw  # noqa: E402


@pytest.mark.parametrize("name", draw.DRAWINGS)
def test_a_picture_is_what_its_program_draws(name: str):
    kept = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert kept == draw.DRAWINGS[name]().svg(), "run python docs/wiring/draw.py"
    ET.fromstring(kept)


def test_every_page_shows_a_picture_and_every_picture_is_shown():
    shown = {
        name
        for page in FOLDER.glob("*.md")
        for name in re.findall(r"\]\(([a-z0-9-]+)\.svg\)", page.read_text(encoding="utf-8"))
    }
    assert shown == set(draw.DRAWINGS)
    for page in FOLDER.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        for part in ("## Parts", "## Connections", "## Limits", "## What can go wrong"):
            assert part in text, f"{page.name} has no {part}"


def test_every_page_is_listed():
    index = (ROOT / "docs" / "wiring.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(wiring/([a-z0-9-]+)\.md\)", index)) == {
        page.stem for page in FOLDER.glob("*.md")
    }


def test_a_wire_to_a_pin_that_is_not_there_is_refused():
    blocks = [
        diagram.Block(name="a", title="a", column=0, right=("x",)),
        diagram.Block(name="b", title="b", column=1, left=("y",)),
    ]
    wrong = diagram.Wire(start="a.x", end="b.z", kind="data")
    with pytest.raises(ValueError, match="b has no pin 'z' on that side"):
        diagram.Diagram("t", blocks, [wrong]).svg()
