"""Paints the panels of the main screen: a view in, rich text out; no widget in here."""

from __future__ import annotations

from itertools import islice

from rich.text import Text

from wattest.tui.curve import sparkline
from wattest.tui.marks import Mark, Tone
from wattest.tui.model import LogLine, RunView
from wattest.tui.node_view import Arrival, NodeView
from wattest.tui.words import (
    age_text,
    bar_text,
    clock_text,
    difference_text,
    elapsed_text,
    energy_text,
    instant_text,
    power_text,
    short_digest,
    speed_text,
)

STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
    Tone.DIM: "dim",
}
_LABEL_CHARS = 10
_WIDE = 100
_TSYNC = ("clock never set", "clock informative", "clock synchronised", "clock relative")
_LATEST = 8

KEYS = (
    ("space", "pause"),
    ("+ -", "speed"),
    ("m", "max"),
    ("1-9", "node"),
    ("enter", "reading"),
    ("l", "ledger"),
    ("s", "statements"),
    ("?", "help"),
    ("q", "quit"),
)
ATTACKS = (
    ("p", "cut power"),
    ("u", "unplug"),
    ("f", "flip a bit"),
    ("F", "forge"),
    ("r", "replay"),
    ("c", "clone"),
)


def toned(mark: Mark) -> Text:
    """Return a mark in its tone."""
    return Text(str(mark), STYLES[mark.tone])


def clock_line(view: RunView, *, state: str, speed: float | None, width: int) -> Text:
    """Return name of the run, virtual time, progress, speed and state in one line."""
    line = Text(" wattest ", "bold reverse")
    if view.started is None:
        return line.append("  boards are being built and booted…")
    done_ms, whole_ms = view.now_ms - view.start_ms, view.end_ms - view.start_ms
    percent = min(100 * done_ms // whole_ms, 100) if whole_ms > 0 else 100
    tail = Text(f"  {elapsed_text(done_ms)} of {elapsed_text(whole_ms)} ")
    tail.append(bar_text(done_ms, whole_ms, 10)).append(f" {percent:3d} %  ")
    tail.append(f"speed {speed_text(speed)}  ").append(state, "bold")
    if width >= _WIDE:
        tail = Text(f"  {instant_text(view.now_ms)}") + tail
    room = width - line.cell_len - tail.cell_len - 1
    title = Text(f"  {view.started.scenario}")
    title.truncate(max(room, 0), overflow="ellipsis", pad=True)
    return line + title + tail


def banner_line(view: RunView) -> Text:
    """Return the newest thing a person must see."""
    if view.banner is not None:
        return Text(f" {view.banner.text}", STYLES[view.banner.tone])
    return Text(" attack a node and watch it being caught: ? shows the keys", "dim")


def key_lines(*, attackable: bool) -> Text:
    """Return the keys, in two lines."""
    text = Text()
    for key, does in KEYS:
        text.append(f" {key}", "bold").append(f" {does} ")
    text.append("\n attack:", "dim")
    if not attackable:
        return text.append(" the run is over, nothing can be done to it any more", "dim")
    for key, does in ATTACKS:
        text.append(f"  {key}", "bold").append(f" {does}")
    return text


def twin_lines(node: NodeView, now_ms: int) -> Text:
    """Return the twin beside its expectation, every value with the proof it rests on."""
    mark = node.mark(now_ms)
    twin = node.twin
    if twin is None or twin.energies is None:
        return _labelled("values").append_text(toned(mark))
    energies, proof, style = twin.energies, twin.energies.proof, STYLES[mark.tone]
    text = _labelled("power").append(power_text(energies.power_milliwatts), style)
    text.append("  ").append_text(toned(mark))
    text.append_text(_labelled("\nenergy"))
    text.append(f"{energy_text(energies.export_milliwatthours)} out", style)
    text.append(f"  {energy_text(energies.import_milliwatthours)} in", style)
    text.append_text(_labelled("\nproof")).append(f"record {int(proof.ctx)}/{proof.seq}")
    text.append(f"  entry {proof.index}  {age_text(proof.age_ms(now_ms))}")
    if proof.derived:
        text.append("  time derived", "yellow")
    if proof.doubts:
        text.append_text(_labelled("\nin doubt")).append(", ".join(proof.doubts), "bold red")
    text.append_text(_expectation(node))
    text.append_text(_self_description(node))
    if twin.refused:
        counts = ", ".join(f"{code} {count}" for code, count in twin.refused)
        text.append_text(_labelled("\nnot taken")).append(counts, "yellow")
    return text


def _expectation(node: NodeView) -> Text:
    assert node.twin is not None, "only asked for a twin"
    expectation = node.twin.expectation
    text = _labelled("\nexpected")
    if expectation is None:
        return text.append("not yet" if node.twin.has_plant else "no expectation", "dim")
    text.append(power_text(expectation.expected_milliwatts), "cyan")
    text.append_text(_labelled("\nmetered")).append(power_text(expectation.metered_milliwatts))
    text.append(f"  residual {difference_text(expectation.residual_milliwatts)}")
    return text.append_text(_labelled("\nmodel")).append(expectation.basis, "dim")


def _self_description(node: NodeView) -> Text:
    assert node.twin is not None, "only asked for a twin"
    health = node.twin.health
    if health is None:
        return Text()
    text = _labelled("\nnode").append(f"{_TSYNC[health.tsync]}, boot {health.bootcount}")
    if health.input:
        text.append(f", input {health.input.name.lower()}", "bold yellow")
    if health.status != "G":
        text.append(f", status {health.status}", "bold yellow")
    return text


def reading_lines(node: NodeView, count: int) -> Text:
    """Return the newest arrivals of a node, newest first, with their verdicts."""
    newest = islice(reversed(node.arrivals), max(count, 0))
    lines = [_reading_line(arrival) for arrival in newest]
    return Text("\n").join(lines) if lines else Text("nothing has arrived yet", "dim")


def _reading_line(arrival: Arrival) -> Text:
    text = Text(f"{clock_text(arrival.now_ms)} ")
    record = arrival.verdict.record if arrival.verdict else None
    if record is None:
        text.append(f"{len(arrival.data)} bytes ")
    else:
        text.append(f"{int(record.ctx)}/{record.seq} ")
        if record.event is not None:
            text.append(f"{record.event.kind.name.lower().replace('_', '-')} ")
        elif record.power_milliwatts is not None:
            text.append(f"{power_text(record.power_milliwatts)} ")
    if arrival.index is not None:
        text.append(f"entry {arrival.index} ", "dim")
    return text.append_text(toned(arrival.mark))


def ledger_lines(view: RunView, width: int) -> Text:
    """Return size, root and growth of the ledger."""
    newest = view.checkpoint
    if newest is None:
        return Text("no checkpoint yet", "dim")
    text = Text(f"{newest.size:,} entries", "bold").append(f"  root {short_digest(newest.root)}")
    text.append(f"\nsigned at {clock_text(newest.now_ms)}", "dim")
    growth = sparkline(view.growth.points, max(width - 7, 0))
    return text.append("\ngrowth ", "dim").append(growth, "cyan")


def statement_lines(view: RunView) -> Text:
    """Return the newest statement of each contract: amount, currency, and TEST if it is one."""
    if not view.statements:
        return Text("nothing drawn yet", "dim")
    lines = []
    for drawn in view.statements.values():
        statement = drawn.statement
        line = Text(f"{statement.contract:<12.12} {statement.total:>9} {statement.currency} ")
        line.append(
            "TEST " if statement.test else "REAL ", "bold yellow" if statement.test else ""
        )
        place = "running" if drawn.index is None else f"{statement.state}, entry {drawn.index}"
        lines.append(line.append(place, "dim"))
    return Text("\n").join(lines)


def evidence_line(view: RunView) -> Text:
    """Return ledger and statements in one line, for a screen without room for their panels."""
    newest = view.checkpoint
    text = Text(" ledger ", "dim")
    if newest is None:
        return text.append("empty")
    text.append(f"{newest.size:,}").append(f" root {short_digest(newest.root)}", "dim")
    for drawn in view.statements.values():
        statement = drawn.statement
        text.append(f"  {statement.contract} ", "dim")
        text.append(f"{statement.total} {statement.currency}")
        if statement.test:
            text.append(" TEST", "bold yellow")
    return text


def log_lines(view: RunView, count: int) -> Text:
    """Return the newest lines of the log, newest last."""
    newest = list(islice(reversed(view.log), max(count, 0)))[::-1]
    return Text("\n").join([_log_line(line) for line in newest])


def _log_line(line: LogLine) -> Text:
    text = Text(f"{clock_text(line.now_ms)} ", "dim")
    if line.node:
        text.append(f"{line.node} ")
    return text.append(f"{line.sort}: ", "bold").append(line.text, STYLES[line.tone])


def _labelled(label: str) -> Text:
    """Begin a line, or with a line feed the next one, with a label of fixed width."""
    return Text(label.ljust(_LABEL_CHARS + label.startswith("\n")), "dim")
