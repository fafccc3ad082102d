"""The view of a run: a fold over events, bounded, with the run's own time only."""

from __future__ import annotations

from dataclasses import replace

from scripted import END_MS, EXPECTED_MILLIWATTS, NAMES, Script, story, whole_story

from ledger_samples import EPOCH_MS, INTERVAL_MS
from wattest.operations.events import ConsolePrinted, RecordLogged
from wattest.scenario import FaultKind
from wattest.tui.marks import STALE, VERIFIED, Tone
from wattest.tui.model import LOG_LINES_MAX, RunView
from wattest.tui.node_view import READINGS_MAX
from wattest.tui.paint import reading_lines


def told(*parts) -> RunView:
    view = RunView()
    for part in parts:
        for event in part:
            view.apply(event)
    return view


def test_before_it_begins_a_run_has_no_nodes_and_no_time() -> None:
    view = RunView()
    assert (view.nodes, view.now_ms, view.start_ms, view.banner) == ([], 0, 0, None)


def test_the_view_follows_time_nodes_ledger_and_statement() -> None:
    view = told(story())
    assert [node.name for node in view.nodes] == list(NAMES)
    assert (view.start_ms, view.end_ms) == (EPOCH_MS, END_MS)
    assert view.now_ms == EPOCH_MS + 20 * INTERVAL_MS
    assert view.checkpoint is not None
    assert view.checkpoint.size == 4 + 16 * 3 + 4 * 2
    assert view.growth.points[-1][1] == view.checkpoint.size
    assert view.statements["pumping"].statement.total == "5.70"
    assert view.statements["pumping"].statement.test


def test_a_node_that_is_silent_goes_stale_while_the_others_stay_verified() -> None:
    view = told(story())
    marks = {node.name: node.mark(view.now_ms) for node in view.nodes}
    assert marks == {"pump": VERIFIED, "lamp": STALE, "oven": VERIFIED}
    assert view.nodes[1].state == "unplugged"


def test_power_between_readings_stands_beside_the_expectation() -> None:
    pump, _, oven = told(story()).nodes
    assert {value for _, value in pump.metered.points} == {60_000}
    assert {value for _, value in pump.expected.points} == {EXPECTED_MILLIWATTS}
    assert len(pump.metered.points) == 19
    assert oven.expected.points == ()


def test_registers_in_doubt_are_drawn_apart_and_compared_with_nothing_later() -> None:
    script = Script()
    view = told([script.start()], script.minute("pump"), script.minute("pump"))
    pump, node = view.nodes[0], script.nodes["pump"]
    node.seq += 1
    for event in script.send("pump", node.sealed(3, 10**9)):
        view.apply(event)
    assert [time_ms for time_ms, _ in pump.doubted.points] == [EPOCH_MS + 3 * INTERVAL_MS]
    assert [value for _, value in pump.metered.points] == [60_000]
    assert max(value for _, value in pump.imported.points) == 2_000
    for event in script.send("pump", node.sealed(4, 4_000)):
        view.apply(event)
    assert pump.mark(view.now_ms).word == "in doubt"  # the register ran backwards
    for event in script.send("pump", node.sealed(5, 5_000)):
        view.apply(event)
    assert [value for _, value in pump.metered.points][-1] == 60_000


def test_every_attack_is_logged_with_its_verdict_and_the_banner_shows_the_last() -> None:
    view = told(story())
    verdicts = [line.text for line in view.log if "AS EXPECTED" in line.text]
    assert verdicts == [
        "✓ AS EXPECTED: flip-bit ended in frame-lost",
        "✓ AS EXPECTED: replay ended in replay",
        "✓ AS EXPECTED: forge ended in bad-signature",
    ]
    assert view.banner is not None
    assert view.banner.text.startswith("pump ✓ AS EXPECTED: forge")
    assert view.open_faults == []


def test_a_fault_that_ends_wrong_says_so_in_words() -> None:
    script = Script()
    view = told([script.start(), script.applied("pump", "forge", "bad-signature")])
    assert len(view.open_faults) == 1
    view.apply(script.judged("pump", "forge", "bad-signature", "nothing"))
    assert view.open_faults == []
    assert view.banner is not None
    assert view.banner.tone is Tone.BAD
    assert view.banner.text == (
        "pump ✗ NOT AS EXPECTED: forge had to end in bad-signature, got nothing"
    )


def test_refused_bytes_change_no_value_but_are_counted_and_kept() -> None:
    script = Script()
    view = told([script.start()], script.minute())
    pump = view.nodes[0]
    before = pump.twin
    for event in script.forge("pump"):
        view.apply(event)
    assert pump.twin is before
    assert pump.found == {"bad-signature": 1}
    assert pump.arrivals[-1].index is None
    assert pump.arrivals[-1].notable
    assert not pump.arrivals[0].notable


def test_what_a_refused_record_says_is_shown_as_a_claim_only() -> None:
    pump = told(story()).nodes[0]
    forged, replayed, lost, verified, *_ = reading_lines(pump, 10).plain.splitlines()
    assert forged.endswith("✗ refused: bad-signature claims 60.0 W in 0/9")
    assert replayed.endswith("✗ not counted: replay claims 60.0 W in 0/1")
    assert lost.endswith("✗ frame lost: crc  9 bytes")
    assert verified.endswith("✓ verified 60.0 W in 0/20")


def test_a_damaged_frame_is_kept_with_its_rule_and_bytes() -> None:
    script = Script()
    view = told([script.start()], script.flip("pump"))
    arrival = view.nodes[0].arrivals[-1]
    assert str(arrival.mark) == "✗ frame lost: crc"
    assert arrival.data.endswith(b"damaged")
    assert view.nodes[0].found == {"frame-lost": 1}


def test_a_clone_is_shown_with_the_node_it_claims_to_be() -> None:
    script = Script()
    view = told([script.start()])
    (logged,) = [e for e in script.minute("pump") if isinstance(e, RecordLogged)]
    view.apply(replace(logged, node="pump~clone"))
    assert view.nodes[0].arrivals[-1].lane == "pump~clone"
    view.apply(script.changed("pump~clone", "off"))
    assert view.nodes[0].state == "running"


def test_steps_towards_running_are_shown_as_running() -> None:
    script = Script()
    view = told([script.start()])
    for state in ("off", "restarted", "enrolled", "connected"):
        view.apply(script.changed("pump", state))
    assert view.nodes[0].state == "running"
    assert [line.text for line in view.log][-2:] == ["enrolled", "connected"]


def test_what_names_no_node_of_the_run_changes_no_node() -> None:
    script = Script()
    view = told([script.start()], script.minute())
    arrivals = [len(node.arrivals) for node in view.nodes]
    for event in script.flip("kettle"):
        view.apply(event)
    assert [len(node.arrivals) for node in view.nodes] == arrivals


def test_histories_are_bounded_however_long_the_run() -> None:
    script = Script()
    view = told([script.start()])
    for _ in range(LOG_LINES_MAX):
        for event in (*script.minute("pump"), *script.flip("pump")):
            view.apply(event)
    assert len(view.log) == LOG_LINES_MAX
    assert len(view.nodes[0].arrivals) == READINGS_MAX
    assert len(view.nodes[0].metered.points) <= 481
    assert len(view.growth.points) <= 481


def test_time_never_runs_back_and_console_text_moves_it_too() -> None:
    script = Script()
    view = told([script.start()], script.minute())
    now_ms = view.now_ms
    view.apply(ConsolePrinted(node="pump", now_ms=now_ms - 1, text="late"))
    assert view.now_ms == now_ms
    view.apply(ConsolePrinted(node="pump", now_ms=now_ms + 1, text="hello"))
    assert view.now_ms == now_ms + 1


def test_asking_is_answered_at_once_even_before_it_happens() -> None:
    view = told([Script().start()])
    view.asked(FaultKind.CLONE, "lamp")
    assert view.banner is not None
    assert view.banner.text == "clone on lamp: asked for"
    assert view.log[-1].text == "clone, by you"


def test_the_end_says_whether_it_passed_and_why_not() -> None:
    view = told(whole_story())
    assert view.finished is not None
    assert view.banner is not None
    assert view.banner.text == "finished. PASS: every verdict is as the scenario expects"
    assert "entry 94" in view.log[-2].text
    script = Script()
    view = told([script.start(), script.finish(passed=False)])
    assert view.banner is not None
    assert view.banner.text.startswith("finished. FAIL: pump: forge: expected")
