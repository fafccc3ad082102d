"""Scenario files: the ones that come with the project, and every way to get one wrong."""

from fractions import Fraction
from pathlib import Path

import pytest

from wattest.data import data_root
from wattest.errors import ConfigError
from wattest.scenario import (
    RECOVERED,
    ActionKind,
    FaultKind,
    load_scenario,
    parse_scenario,
    prepare,
)

SCENARIOS = sorted((data_root() / "bench" / "scenarios").glob("*.toml"))
LOADS = sorted((data_root() / "bench" / "loads").glob("*.toml"))
TEXT = """
name = "case"
seed = 1
epoch = 2026-06-15T12:00:00Z
duration = "10m"

[weather.site]
kind = "wind"
mean_m_s = 6.5

[[node]]
name = "a"
load = { kind = "constant", power_w = 10 }

[[node]]
name = "b"
load = { kind = "turbine", weather = "site", curve = "skystream-3.7" }
chip = { offset_nv = -5 }

[[party]]
id = "x"
name = "X"

[[party]]
id = "y"
name = "Y"

[[contract]]
contract = "c"
seller = "x"
buyer = "y"
assets = ["a"]
currency = "EUR"
period = { kind = "calendar", unit = "day" }
line = [{ template = "SUBSCRIPTION", code = "s", amount = "1" }]

[[action]]
kind = "begin"
node = "a"
at = "1m"
id = "tx-1"

[[fault]]
kind = "unplug"
node = "a"
at = "5m"

[[fault]]
kind = "power-cut"
node = "b"
at = "2m"
for = "10s"
flash_operation = 7
also = ["gap"]
"""


def parse(text):
    return parse_scenario(text, "case.toml")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_of_the_project_can_be_prepared(path):
    scenario = load_scenario(path)
    prepared = prepare(scenario)
    assert [node.spec for node in prepared.nodes] == list(scenario.nodes)


@pytest.mark.parametrize("path", LOADS, ids=lambda path: path.stem)
def test_every_load_file_says_what_it_is(path):
    text = path.read_text()
    assert text.startswith("# ")
    assert "derived" in text or "source = " in text


def test_the_wind_farm_has_its_six_nodes_and_both_kinds_of_contract():
    scenario = load_scenario(data_root() / "bench" / "scenarios" / "wind_farm.toml")
    assert [node.name for node in scenario.nodes] == [
        "turbine-1",
        "turbine-2",
        "turbine-3",
        "turbine-4",
        "roof",
        "charger",
    ]
    templates = {type(line).__name__ for terms in scenario.contracts for line in terms.lines}
    assert templates == {"PayPerUse", "Subscription"}
    assert all(fault.expect for fault in scenario.faults)
    prepared = prepare(scenario)
    assert all(node.load.origin == "derived" for node in prepared.nodes)


def test_a_scenario_is_read_whole():
    scenario = parse(TEXT)
    assert scenario.duration_ns == 600 * 10**9
    assert scenario.interval_ms == 60_000
    assert scenario.epoch_ms == 1_781_524_800_000
    assert scenario.end_ms == scenario.epoch_ms + 600_000
    assert scenario.nodes[1].chip.offset_nv == -5
    assert scenario.nodes[0].asset == "a"
    assert [fault.kind for fault in scenario.faults] == [FaultKind.POWER_CUT, FaultKind.UNPLUG]
    cut = scenario.faults[0]
    assert (cut.flash_operation, cut.expect, cut.also) == (7, (RECOVERED,), ("gap",))
    assert scenario.actions[0].kind is ActionKind.BEGIN
    assert scenario.contracts[0].contract == "c"


def test_a_shorter_run_leaves_later_faults_out():
    shorter = parse(TEXT).lasting(180 * 10**9)
    assert [fault.kind for fault in shorter.faults] == [FaultKind.POWER_CUT]
    assert shorter.duration_s == 180


def test_count_makes_numbered_nodes():
    text = TEXT.replace('name = "b"', 'name = "b"\ncount = 3').replace(
        'node = "b"', 'node = "b-2"'
    )
    names = [node.name for node in parse(text).nodes]
    assert names == ["a", "b-1", "b-2", "b-3"]


def test_decimals_stay_exact():
    text = TEXT.replace("power_w = 10", 'power_w = "1/3"')
    assert parse(text).nodes[0].load.power_uw == Fraction(10**6, 3)


CLONE = '[[fault]]\nkind = "clone"\nnode = "a"\nat = "5m"\n'
CASES = {
    "broken TOML": ("[[node]]", "[[node", "broken TOML: "),
    "not a number": ("seed = 1", "seed = nan", "broken TOML: decimal number expected, got 'nan'"),
    "unknown key": ("seed = 1", "seed = 1\nsead = 2", "sead: unknown key; did you mean 'seed'?"),
    "misspelt key": ("duration =", "durration =", "duration: value expected, got nothing; found"),
    "negative seed": ("seed = 1", "seed = -1", "seed: 0 to "),
    "no offset": ("12:00:00Z", "12:00:00", "epoch: a date-time with offset"),
    "no duration": ('"10m"', '"soon"', "duration: duration expected like 90s, 1.5h or 1h30m"),
    "zero duration": ('"10m"', '"0s"', "duration: a duration of at least"),
    "number for a duration": (
        '"10m"',
        "600",
        "duration: a duration such as '90s' expected, got 600",
    ),
    "no nodes": ("[[node]]", "[[nodes]]", "node: at least one [[node]] expected, got none"),
    "interval too short": ("seed = 1", 'seed = 1\ninterval = "10ms"', "interval: 1s to 1h"),
    "same name twice": ('name = "b"', 'name = "a"', "node[1].name: a name of its own"),
    "name with a slash": ('name = "b"', 'name = "b/c"', "node[1].name: a name of letters"),
    "unknown load": ('"constant"', '"steady"', "node[0].load.kind: one of csv, constant"),
    "no load": ('load = { kind = "constant", power_w = 10 }', "", "node[0].load: a load expected"),
    "unknown load file": (
        '{ kind = "constant", power_w = 10 }',
        '"roofless"',
        "file expected, got nothing there",
    ),
    "power as text": (
        "power_w = 10",
        'power_w = "much"',
        "node[0].load.power_w: a number such as",
    ),
    "huge power": ("power_w = 10", "power_w = 1e9", "node[0].load.power_w: -10000000 to 10000000"),
    "divided by zero": (
        "power_w = 10",
        'power_w = "1/0"',
        "node[0].load.power_w: a number such as",
    ),
    "unknown weather": ('weather = "site"', 'weather = "side"', "weather: one of site expected"),
    "zero mean memory": ("mean_m_s = 6.5", 'mean_m_s = 6.5\nmemory = "1m"', "weather.site.memory"),
    "unknown chip error": ("offset_nv", "offset_mv", "node[1].chip.offset_mv: unknown key"),
    "large chip error": ("offset_nv = -5", "gain_current_ppm = 60000", "-50000 to 50000"),
    "unknown party": ('seller = "x"', 'seller = "z"', "contract.c.seller or buyer: one of x, y"),
    "unknown asset": ('assets = ["a"]', 'assets = ["c"]', "contract.c.assets: one of a, b"),
    "unknown template": ('"SUBSCRIPTION"', '"GIFT"', "contract[0].line[0].template: one of"),
    "unknown fault": ('"unplug"', '"unplugged"', "fault[0].kind: one of"),
    "fault of nobody": (
        'node = "a"\nat = "5m"',
        'node = "c"\nat = "5m"',
        "fault.node: one of a, b",
    ),
    "fault too late": ('at = "5m"', 'at = "15m"', "fault[1].at: a time within the run expected"),
    "unknown verdict": ('["gap"]', '["gaps"]', "fault[1].also: one of recovered, frame-lost"),
    "key of another fault": ('at = "5m"', 'at = "5m"\nback = 3', "fault[0].back: unknown key"),
    "clone from the future": (
        '[[fault]]\nkind = "unplug"',
        CLONE + 'copied = "6m"\n[[fault]]\nkind = "unplug"',
        "copied: a time before at",
    ),
    "no verdict given": ('kind = "unplug"', 'kind = "bus-bits"', "expect: a list of verdicts"),
    "unknown action": ('"begin"', '"start"', "action[0].kind: one of begin, end"),
    "long id": ('"tx-1"', '"' + "x" * 21 + '"', "action[0].id: at most 20 printable"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_wrong_scenario_is_refused_in_one_line(case):
    old, new, message = case
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        parse(TEXT.replace(old, new) if "[[node]]" in old else TEXT.replace(old, new, 1))
    line = caught.value.diagnostics()
    assert message in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "file expected, got nothing there"),
        (lambda path: path.mkdir(), "file expected, got a folder"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "UTF-8 expected"),
        (lambda path: path.write_bytes(b" " * (5 << 20)), "at most 4194304 bytes expected"),
    ],
    ids=["absent", "folder", "not text", "too large"],
)
def test_a_file_that_is_none_is_refused(make, message, tmp_path):
    path: Path = tmp_path / "s.toml"
    make(path)
    with pytest.raises(ConfigError, match=message):
        load_scenario(path)


def test_a_scenario_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load_scenario(path).name == "case"
