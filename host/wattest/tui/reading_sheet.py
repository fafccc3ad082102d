"""One reading, opened: verdict, verification steps, evidence, what it says, envelope and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from wattest.errors import CoseError
from wattest.tui.marks import Tone
from wattest.tui.node_view import Arrival, NodeView
from wattest.tui.paint import STYLES, styled, toned
from wattest.tui.sheet import Sheet
from wattest.tui.words import instant_text
from wattest.verify import Finding, StepOutcome, Verdict
from wattest.wire.describe import Line, describe_envelope, describe_record, hex_dump

_SIGNS = {
    StepOutcome.PASSED: ("✓", Tone.GOOD),
    StepOutcome.NOTED: ("!", Tone.WARN),
    StepOutcome.FAILED: ("✗", Tone.BAD),
    StepOutcome.SKIPPED: ("·", Tone.DIM),
}
_VALUE_CHARS = 64


class ReadingSheet(Sheet):
    """The arrivals of a node, one at a time, beginning with the newest.

    Args:
        node: whose; what arrives while the sheet is open is not shown until it is opened again.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "older"),
        Binding("right", "move(1)", "newer"),
        Binding("n", "next_notable", "older one with a finding"),
        Binding("enter", "dismiss", "close"),
    ]
    KEYS = "esc close   ← older  → newer   n older one with a finding   ↑ ↓ scroll"

    def __init__(self, node: NodeView) -> None:
        super().__init__()
        self._name = node.name
        self._arrivals = tuple(node.arrivals)
        self._at = len(self._arrivals) - 1

    def on_mount(self) -> None:
        """Show the newest."""
        self._show()

    def action_move(self, by: int) -> None:
        """Go to an older or newer one."""
        self._at = min(max(self._at + by, 0), len(self._arrivals) - 1)
        self._show()

    def action_next_notable(self) -> None:
        """Go to the next older one of which there is something to say."""
        older = range(self._at - 1, -1, -1)
        self._at = next((at for at in older if self._arrivals[at].notable), self._at)
        self._show()

    def _show(self) -> None:
        arrival = self._arrivals[self._at]
        place = f"{self._at + 1} of the last {len(self._arrivals)}"
        self.write(f"{arrival.lane}: {place}", arrival_text(arrival))


def arrival_text(arrival: Arrival) -> Text:
    """Write down all that is known of an arrival."""
    text = Text().append_text(toned(arrival.mark))
    text.append(f"\narrived {instant_text(arrival.now_ms)} on the link of {arrival.lane}, ")
    text.append(f"{len(arrival.data)} bytes, ")
    text.append("not logged" if arrival.index is None else f"entry {arrival.index} of the ledger")
    if arrival.verdict is not None:
        text.append_text(_steps(arrival.verdict))
        text.append_text(_findings(arrival.verdict.findings))
        if arrival.verdict.record is not None:
            said = "what it says"
            if not arrival.verdict.accepted:
                said += " (UNVERIFIED: nothing of this is believed)"
            text.append_text(_heading(said))
            text.append_text(_lines(describe_record(arrival.verdict.record)))
            text.append_text(_envelope(arrival.data))
    text.append_text(_heading("bytes"))
    return text.append("\n" + "\n".join(hex_dump(arrival.data)))


def _steps(verdict: Verdict) -> Text:
    text = _heading("verification")
    for step in verdict.steps:
        sign, tone = _SIGNS[step.outcome]
        text.append(f"\n{step.number:2d} ")
        text.append(f"{sign} {step.outcome.value:<8}", STYLES[tone])
        text.append(step.name, "dim" if step.outcome is StepOutcome.SKIPPED else "")
        if step.detail:
            text.append(f"\n     {step.detail}", STYLES[tone])
    return text


def _findings(findings: Sequence[Finding]) -> Text:
    if not findings:
        return Text()
    text = _heading("findings")
    for finding in findings:
        text.append(f"\n{finding.code.value}", "bold")
        text.append(f" ({finding.severity.name.lower()}): {finding.message}")
        for name, value in finding.evidence:
            text.append(f"\n     {name} ", "dim").append(value)
    return text


def _envelope(data: bytes) -> Text:
    try:
        lines = describe_envelope(data)
    except CoseError as error:
        return _heading("envelope").append(f"\n{error}")
    return _heading("envelope").append_text(_lines(lines))


def _lines(lines: Sequence[Line]) -> Text:
    text = Text()
    for line in lines:
        first, *rest = _cut(line.value)
        text.append(f"\n{line.label:<22}", "dim").append(first)
        for part in rest:
            text.append(f"\n{'':<22}{part}")
        if line.note:
            text.append(f"  {line.note}", "dim")
    return text


def _cut(value: str) -> list[str]:
    return [value[at : at + _VALUE_CHARS] for at in range(0, len(value), _VALUE_CHARS)] or [""]


def _heading(title: str) -> Text:
    return styled(f"\n\n{title}", "bold underline")
