"""What the boards screen shows, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.text import Text

from wattest.cli.boards_show import story_lines
from wattest.operations.commission.passport import BoardStory
from wattest.operations.commission.scan import FoundPort
from wattest.operations.commission.words import candidate_rows, question
from wattest.operations.console.view import Item, ItemKind
from wattest.store import BoardEntry
from wattest.tui.boards.job import Job, Outcome
from wattest.tui.boards.tap import Tap

HEAD = ("port", "board", "chip id", "node", "state")
_BAR = 30
_WIDTH_MIN = 20
_STYLES = {
    ItemKind.TEXT: "",
    ItemKind.FRAME: "cyan",
    ItemKind.DAMAGED: "bold red",
    ItemKind.NOTE: "yellow",
    ItemKind.SENT: "green",
}
_KEYS = "f flash  p provision  c console  n note  enter passport  r scan  ? help  q quit"
_ASKED = "y enrol this node   n do not"
_AT_WORK = "esc stop it"


def port_row(port: FoundPort, known: Sequence[BoardEntry]) -> tuple[str, ...]:
    """Return the cells of one port."""
    entry = next((each for each in known if each.chip_id == port.chip_id), None)
    state = entry.state.value if entry is not None else ""
    held = port.holders.found
    if held:
        state = f"{state}, in use by {held[0].name}".lstrip(", ")
    boards = port.boards[0] if len(port.boards) == 1 else " or ".join(port.boards)
    chip = port.chip_id or port.last_here or ""
    return (port.address, boards or port.description, chip, port.node, state)


def head_line(home: str, ports: int, remarks: Sequence[str], trouble: str) -> Text:
    """Return the first line: where we are, or what is wrong."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" boards ", "bold")
    if trouble:
        return text.append(trouble, "bold red")
    text.append(f"{ports} {'port' if ports == 1 else 'ports'}, home {home}")
    if remarks:
        text.append(f"   {remarks[0]}", "yellow")
    return text


def key_line(job: Job | None) -> Text:
    """Return the last line: what the keys do now."""
    if job is None or job.outcome is not None:
        return Text(f" {_KEYS}")
    return Text(f" {_AT_WORK if job.candidate is None else _ASKED}", "bold")


def passport_text(story: BoardStory | None, now_ms: int, port: FoundPort | None) -> Text:
    """Return what the passport panel holds."""
    if port is None:
        return Text("plug a board in, or start emulated ones: wattest board up --blank", "dim")
    if story is None:
        return Text("no passport yet: it begins when the board is flashed (f)", "dim")
    return story_text(story, now_ms)


def story_text(story: BoardStory, now_ms: int) -> Text:
    """Return a passport, as `wattest boards passport` prints it."""
    return Text.from_ansi("\n".join(story_lines(story, now_ms)))


def job_text(job: Job | None, height: int, width: int) -> Text:
    """Return what the panel of the work shows: its newest lines, and who waits for a yes.

    What went wrong is wrapped: what to do next stands at its end.
    """
    if job is None:
        return Text("nothing is being done", "dim")
    lines: list[Text] = [
        Text(part, line.style) for line in job.lines for part in _wrapped(line.text, width)
    ]
    if job.total:
        lines.append(_bar(job.done, job.total, width))
    if job.candidate is not None:
        asked = question(job.candidate)
        if not job.candidate.throw_away:
            lines += [Text(part) for part in _candidate(candidate_rows(job.candidate), width)]
            asked = "is this the board in front of you?"
        lines += [Text(part, "bold yellow") for part in _wrapped(f"{asked} y/n", width)]
    elif job.outcome is None and not job.total:
        lines.append(Text("…", "dim"))
    return Text("\n").join(lines[-max(height, 1) :])


def job_title(job: Job | None) -> str:
    """Return the title of that panel."""
    if job is None:
        return "work"
    outcomes = {
        None: "at work",
        Outcome.DONE: "done",
        Outcome.FAILED: "failed",
        Outcome.STOPPED: "stopped",
    }
    return f"{job.title}: {outcomes[job.outcome]}"


def console_text(tap: Tap | None, height: int, width: int) -> Text:
    """Return the newest lines of the console, with times."""
    if tap is None:
        return Text("c shows what the board says", "dim")
    lines = list(_console_lines(tap.items, width))
    if tap.trouble:
        lines += [Text(part, "bold red") for part in _wrapped(tap.trouble, width)]
    return Text("\n").join(lines[-max(height, 1) :])


def console_title(tap: Tap | None) -> str:
    """Return the title of the console panel."""
    if tap is None:
        return "console"
    return f"console of {tap.address}{': recorded here' if tap.ours else ''}"


def _console_lines(items: Iterable[Item], width: int) -> Iterable[Text]:
    for item in items:
        moment = datetime.fromtimestamp(item.utc_ms / 1000, UTC)
        text = Text(f"{moment:%H:%M:%S} ", "dim", no_wrap=True)
        text.append(item.text, _STYLES[item.kind])
        text.truncate(max(width, _WIDTH_MIN), overflow="ellipsis")
        yield text


def _candidate(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Return who waits for a yes, wrapped; the fingerprint last: it must not scroll away."""
    told: dict[str, str] = {}
    for word, what in rows:  # a row without a word goes on with the one before
        key = word or next(reversed(told))
        told[key] = f"{told[key]} {what}" if key in told else what
    compared = told.pop("fingerprint", None)
    if compared is not None:
        told["fingerprint"] = compared
    return [
        line
        for word, what in told.items()
        for line in textwrap.wrap(
            what,
            max(width, _WIDTH_MIN),
            initial_indent=f"{word:<12} ",
            subsequent_indent=" " * 13,
            break_on_hyphens=False,
        )
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, _WIDTH_MIN), break_on_hyphens=False)


def _bar(done: int, total: int, width: int) -> Text:
    words = f" {100 * done // total:3d} %  {done} of {total} KiB"
    length = max(min(_BAR, width - len(words)), 0)
    filled = length * done // total
    text = Text("█" * filled, "green")
    text.append("░" * (length - filled), "dim")
    return text.append(words)
