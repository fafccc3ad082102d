"""Wiring diagrams: blocks with pins in columns, wires in lanes between them, drawn as SVG.

A wire leaves its pin sideways, changes height in a lane of its own, and enters the other pin
sideways; so no two wires share a line, and the picture follows from the list of wires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

PITCH = 26
HEAD = 50
LANE = 13
MARGIN = 24
CAPTION = 46

COLOURS = {
    "plus": "#c62828",
    "ground": "#37474f",
    "clock": "#ef6c00",
    "data": "#1565c0",
    "signal": "#2e7d32",
    "live": "#6a1b9a",
    "power": "#ad1457",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part with named pins.

    Args:
        name: by which wires name it.
        title: what a person calls it.
        column: place from the left, 0 first.
        row: height of its upper edge, in pin pitches.
        left, right: pins from top to bottom; an empty name leaves a gap.
        width: in pixels.
        note: small print below the title.
        danger: draw it as a part that carries mains voltage.
    """

    name: str
    title: str
    column: int
    row: int = 0
    left: Sequence[str] = ()
    right: Sequence[str] = ()
    width: int = 170
    note: str = ""
    danger: bool = False

    @property
    def height(self) -> int:
        """Height in pixels."""
        return HEAD + PITCH * max(len(self.left), len(self.right), 1) + 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """A connection from a pin on a right side to a pin on a left side, ``block.pin`` each."""

    start: str
    end: str
    kind: str


@dataclass(slots=True)
class Diagram:
    """A whole picture."""

    title: str
    blocks: Sequence[Block]
    wires: Sequence[Wire]
    gap: int = 150
    _x: dict[str, int] = field(default_factory=dict)

    def svg(self) -> str:
        """Draw it."""
        by_name = {block.name: block for block in self.blocks}
        widths: dict[int, int] = {}
        for block in self.blocks:
            widths[block.column] = max(widths.get(block.column, 0), block.width)
        edge = MARGIN
        for column in sorted(widths):
            for block in self.blocks:
                if block.column == column:
                    self._x[block.name] = edge
            edge += widths[column] + self.gap
        width = edge - self.gap + MARGIN
        bottom = max(_top(block) + block.height for block in self.blocks)
        kinds = list(dict.fromkeys(wire.kind for wire in self.wires))
        height = bottom + CAPTION
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">'
            ),
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *self._wires(by_name),
            *(line for block in self.blocks for line in self._block(block)),
            *_legend(kinds, bottom + 30),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _wires(self, by_name: dict[str, Block]) -> list[str]:
        groups: dict[int, list[tuple[int, int, int, int, str]]] = {}
        for wire in self.wires:
            start, end = by_name[wire.start.split(".")[0]], by_name[wire.end.split(".")[0]]
            x0 = self._x[start.name] + start.width
            y0 = _pin_y(start, start.right, wire.start)
            x1 = self._x[end.name]
            y1 = _pin_y(end, end.left, wire.end)
            groups.setdefault(end.column, []).append((y0, y1, x0, x1, wire.kind))
        lines = []
        for group in groups.values():
            down = sorted((w for w in group if w[1] > w[0]), key=lambda w: -w[0])
            up = sorted((w for w in group if w[1] < w[0]), key=lambda w: w[0])
            lanes = {wire: lane for lane, wire in enumerate([*down, *up])}
            first = max(w[2] for w in group)
            room = min(w[3] for w in group) - first
            start_x = first + (room - LANE * (len(lanes) - 1)) // 2
            for wire in group:
                y0, y1, x0, x1, kind = wire
                bend = f"H{start_x + LANE * lanes[wire]}V{y1}" if wire in lanes else ""
                lines.append(
                    f'<path d="M{x0} {y0}{bend}H{x1}" fill="none" stroke="{COLOURS[kind]}" '
                    f'stroke-width="2.4" stroke-linejoin="round"/>'
                )
        return lines

    def _block(self, block: Block) -> list[str]:
        x, y = self._x[block.name], _top(block)
        edge = "#c62828" if block.danger else "#455a64"
        fill = "#ffebee" if block.danger else "#eceff1"
        middle = x + block.width // 2
        lines = [
            (
                f'<rect x="{x}" y="{y}" width="{block.width}" height="{block.height}" rx="6" '
                f'fill="{fill}" stroke="{edge}" stroke-width="1.6"/>'
            ),
            (
                f'<text x="{middle}" y="{y + 19}" text-anchor="middle" font-weight="bold" '
                f'fill="#212121">{escape(block.title)}</text>'
            ),
            (
                f'<text x="{middle}" y="{y + 36}" text-anchor="middle" font-size="11" '
                f'fill="#546e7a">{escape(block.note)}</text>'
            ),
        ]
        for pins, at, anchor, inward in (
            (block.left, x, "start", 9),
            (block.right, x + block.width, "end", -9),
        ):
            for number, pin in enumerate(pins):
                if not pin:
                    continue
                pin_y = y + HEAD + PITCH * number + PITCH // 2
                lines.append(f'<circle cx="{at}" cy="{pin_y}" r="4" fill="{edge}"/>')
                lines.append(
                    f'<text x="{at + inward}" y="{pin_y + 4}" text-anchor="{anchor}" '
                    f'fill="#212121">{escape(pin)}</text>'
                )
        return lines


def _top(block: Block) -> int:
    return MARGIN + PITCH * block.row


def _pin_y(block: Block, pins: Sequence[str], name: str) -> int:
    pin = name.split(".", 1)[1]
    if pin not in pins:
        raise ValueError(f"{block.name} has no pin {pin!r} on that side, only {list(pins)}")
    return _top(block) + HEAD + PITCH * list(pins).index(pin) + PITCH // 2


_MEANINGS = {
    "plus": "supply 3.3 V or 5 V",
    "ground": "ground",
    "clock": "SCL",
    "data": "SDA, TX, RX",
    "signal": "signal",
    "live": "mains: dangerous",
    "power": "measured current",
}


def _legend(kinds: Sequence[str], y: int) -> list[str]:
    lines = []
    x = MARGIN
    for kind in kinds:
        text = _MEANINGS[kind]
        lines.append(
            f'<path d="M{x} {y - 4}H{x + 22}" stroke="{COLOURS[kind]}" stroke-width="2.4"/>'
        )
        lines.append(
            f'<text x="{x + 28}" y="{y}" font-size="11" fill="#546e7a">{escape(text)}</text>'
        )
        x += 44 + 7 * len(text)
    return lines
