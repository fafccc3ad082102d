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
from wattest.twin import Health, TwinState

STYLES = {
    Tone.PLAIN: "",
    Tone.GOOD: "#7bd88f",
    Tone.WARN: "#ffd866",
    Tone.BAD: "bold #ff6188",
    Tone.DIM: "dim",
}
MODEL = "#78dce8"
"""Colour of what the plant model expects."""

_WARN = STYLES[Tone.WARN]
_LABEL_CHARS = 9
_WIDE, _WIDEST = 100, 110
_TSYNC = ("clock never set", "clock informative", "clock synchronised", "clock relative")

KEYS = (
    ("space", "pause"),
    ("+ -", "speed"),
    ("enter", "reading"),
    ("l", "ledger"),
    ("s", "statements"),
    ("?", "help"),
    ("q", "quit"),
)
MORE_KEYS = (("m", "max"), ("1-9", "node"), ("e", "events"))
"""Shown only where there is room; the help has them all."""

_VIRTUAL_ONLY = ("pause", "speed", "max")

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
    return styled(str(mark), STYLES[mark.tone])


def styled(text: str, style: str) -> Text:
    """Return a text whose style ends where it ends, whatever is appended to it."""
    return Text().append(text, style)


def clock_line(view: RunView, *, state: str, speed: float | None, width: int) -> Text:
    """Return name of the run, virtual time, progress, speed and state in one line."""
    line = styled(" wattest ", "bold reverse")
    if view.started is None:
        return line.append("  boards are being built and booted…")
    done_ms, whole_ms = view.now_ms - view.start_ms, view.end_ms - view.start_ms
    percent = min(100 * done_ms // whole_ms, 100) if whole_ms > 0 else 100
    tail = Text(f"  {elapsed_text(done_ms)} ")
    if not view.live:
        tail.append(f"of {elapsed_text(whole_ms)} ").append(bar_text(done_ms, whole_ms, 10))
        tail.append(f" {percent:3d} %  speed {speed_text(speed)} ")
    tail.append(" ").append(state, "bold")
    if width >= _WIDE:
        tail = Text(f"  {instant_text(view.now_ms)}") + tail
    room = width - line.cell_len - tail.cell_len - 1
    title = Text(f"  {view.started.scenario}")
    title.truncate(max(room, 0), overflow="ellipsis", pad=True)
    return line + title + tail


def banner_line(view: RunView) -> Text:
    """Return the newest thing a person must see."""
    if view.banner is not None:
        return styled(f" {view.banner.text}", STYLES[view.banner.tone])
    if view.live:
        return styled(" every record is verified, logged, and only then acknowledged", "dim")
    return styled(" attack a node and watch it being caught: ? shows the keys", "dim")


def key_lines(*, attackable: bool, width: int, live: bool = False) -> Text:
    """Return the keys, in two lines; boards on ports know no speed and no attack."""
    text = Text()
    for key, does in (*KEYS, *(MORE_KEYS if width >= _WIDEST else ())):
        if not (live and does in _VIRTUAL_ONLY):
            text.append(f" {key}", "bold").append(f" {does} ")
    if live:
        return text
    text.append("\n attack:", "dim")
    if not attackable:
        return text.append(" nothing is running that could be attacked", "dim")
    for key, does in ATTACKS:
        text.append(f"  {key}", "bold").append(f" {does}")
    return text


def twin_lines(node: NodeView, now_ms: int) -> Text:
    """Return the twin beside its expectation, every value with the proof it rests on."""
    mark = node.mark(now_ms)
    twin = node.twin
    if twin is None or twin.energies is None:
        return _labelled("power").append_text(toned(mark))
    energies, proof, style = twin.energies, twin.energies.proof, STYLES[mark.tone]
    lines = [
        _labelled("power")
        .append(power_text(energies.power_milliwatts), style)
        .append(" ")
        .append_text(toned(mark)),
        _labelled("energy")
        .append(f"{energy_text(energies.export_milliwatthours)} out, ", style)
        .append(f"{energy_text(energies.import_milliwatthours)} in", style),
        *_expectation(twin),
        _labelled("proof").append(f"record {int(proof.ctx)}/{proof.seq}, entry {proof.index}"),
        _labelled("age").append(age_text(proof.age_ms(now_ms))),
    ]
    if proof.derived:
        lines[-1].append(", time derived", _WARN)
    if proof.doubts:
        lines.append(_labelled("in doubt").append(", ".join(proof.doubts), STYLES[Tone.BAD]))
    if twin.health is not None:
        lines.append(_self_description(twin.health))
    if twin.refused:
        counts = ", ".join(f"{code} {count}" for code, count in twin.refused)
        lines.append(_labelled("refused").append(counts, _WARN))
    if twin.expectation is not None:
        lines.append(_labelled("model").append(twin.expectation.basis, "dim"))
    return Text("\n").join(lines)


def _expectation(twin: TwinState) -> list[Text]:
    expectation = twin.expectation
    if expectation is None:
        nothing = "not yet" if twin.has_plant else "no expectation"
        return [_labelled("expected").append(nothing, "dim")]
    return [
        _labelled("expected").append(power_text(expectation.expected_milliwatts), MODEL),
        _labelled("metered").append(power_text(expectation.metered_milliwatts)),
        _labelled("residual").append(difference_text(expectation.residual_milliwatts)),
    ]


def _self_description(health: Health) -> Text:
    text = _labelled("node").append(f"{_TSYNC[health.tsync]}, boot {health.bootcount}")
    if health.input:
        text.append(f", input {health.input.name.lower()}", f"bold {_WARN}")
    if health.status != "G":
        text.append(f", status {health.status}", f"bold {_WARN}")
    return text


def reading_lines(node: NodeView, count: int) -> Text:
    """Return the newest arrivals of a node, newest first, with their verdicts."""
    newest = islice(reversed(node.arrivals), max(count, 0))
    lines = [_reading_line(arrival) for arrival in newest]
    return Text("\n").join(lines) if lines else styled("nothing has arrived yet", "dim")


def _reading_line(arrival: Arrival) -> Text:
    text = Text(f"{clock_text(arrival.now_ms)} ").append_text(toned(arrival.mark))
    record = arrival.verdict.record if arrival.verdict else None
    if record is None:
        return text.append(f"  {len(arrival.data)} bytes", "dim")
    if record.event is not None:
        text.append(f" {record.event.kind.name.lower().replace('_', '-')}")
    elif record.power_milliwatts is not None:
        power = power_text(record.power_milliwatts)
        if arrival.index is None:
            text.append(f" claims {power}", "dim")
        else:
            text.append(f" {power}", STYLES[arrival.mark.tone])
    return text.append(f" {int(record.ctx)}/{record.seq}", "dim")


def ledger_lines(view: RunView, width: int) -> Text:
    """Return size, root and growth of the ledger."""
    newest = view.checkpoint
    if newest is None:
        return styled("no checkpoint yet", "dim")
    text = styled(f"{newest.size:,} entries", "bold").append(f"  root {short_digest(newest.root)}")
    text.append(f"\nsigned at {clock_text(newest.now_ms)}", "dim")
    growth = sparkline(view.growth.points, max(width - 7, 0))
    return text.append("\ngrowth ", "dim").append(growth, MODEL)


def statement_lines(view: RunView, width: int) -> Text:
    """Return the newest statement of each contract: amount, currency, and TEST if it is one."""
    if not view.statements:
        return styled("nothing drawn yet", "dim")
    lines = []
    for drawn in view.statements.values():
        statement = drawn.statement
        amount = Text(f" {statement.total} {statement.currency} ")
        amount.append(
            "TEST" if statement.test else "REAL", f"bold {_WARN}" if statement.test else ""
        )
        name = Text(statement.contract)
        name.truncate(max(width - amount.cell_len, 1), overflow="ellipsis", pad=True)
        lines.append(name + amount)
    running = any(drawn.index is None for drawn in view.statements.values())
    state = "running, not logged yet" if running else "logged in the ledger"
    return Text("\n").join([*lines, styled(state, "dim")])


def evidence_line(view: RunView) -> Text:
    """Return ledger and statements in one line, for a screen without room for their panels."""
    newest = view.checkpoint
    text = styled(" ledger ", "dim").append(f"{newest.size:,}" if newest else "empty")
    drawn = list(view.statements.values())
    all_test = bool(drawn) and all(item.statement.test for item in drawn)
    if all_test:
        text.append("  all TEST:", f"bold {_WARN}")
    for item in drawn:
        statement = item.statement
        text.append(f"  {statement.contract} ", "dim")
        text.append(f"{statement.total} {statement.currency}")
        if statement.test and not all_test:
            text.append(" TEST", f"bold {_WARN}")
    if newest is not None:
        text.append(f"  root {short_digest(newest.root)}", "dim")
    return text


def log_lines(view: RunView, count: int | None = None) -> Text:
    """Return the newest lines of the log, newest last; all that are kept without a count."""
    newest = list(islice(reversed(view.log), count if count is None else max(count, 0)))[::-1]
    return Text("\n").join([_log_line(line) for line in newest])


def _log_line(line: LogLine) -> Text:
    text = styled(f"{clock_text(line.now_ms)} ", "dim")
    if line.node:
        text.append(f"{line.node} ")
    if line.sort:
        text.append(f"{line.sort} ", "bold")
    return text.append(line.text, STYLES[line.tone])


def _labelled(label: str) -> Text:
    """Begin a line with a label of fixed width."""
    return styled(label.ljust(_LABEL_CHARS), "dim")
