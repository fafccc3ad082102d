"""One self-contained page of HTML: escaped text, one style sheet, no script, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --rule: #d5dae0;
  --tint: #f4f6f8; --a: #0550ae; --b: #9a3b00; --c: #1a7f37; --warn: #a40e26;
  --warnpaper: #fff0f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaef; --paper: #14181d; --soft: #a0abb6;
  --rule: #38414b; --tint: #1d232a; --a: #79b8ff; --b: #ffab70; --c: #7ee787; --warn: #ff9492;
  --warnpaper: #38191c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.2rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .2rem 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p, ul { margin: .4rem 0; } ul { padding-left: 1.2rem; }
a { color: var(--a); } code, .mono { font: .85em/1.4 ui-monospace, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.soft { color: var(--soft); } .small { font-size: .85rem; }
.sum { font-size: 1.9rem; font-weight: 650; }
.example { border-left: 3px solid var(--rule); padding: .1rem 0 .1rem .7rem; color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 600; font-size: .85rem; color: var(--soft); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n:last-child, td.n:last-child { padding-right: 0; }
tr.total td { font-weight: 650; border-bottom: 3px double var(--ink); }
.test { border: 3px solid var(--warn); background: var(--warnpaper); color: var(--warn);
  padding: .5rem .8rem; margin: .8rem 0; font-weight: 650; }
.test b { font-size: 1.3rem; letter-spacing: .12em; }
figure { margin: .8rem 0; } figcaption { font-size: .9rem; color: var(--soft); }
svg { display: block; width: 100%; max-width: 36rem; height: auto; }
svg text { font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis { stroke: var(--ink); stroke-width: 1.2; }
svg .k0, svg .k1, svg .k2, svg .k3 { fill: none; stroke-width: 2.2; }
svg .k0 { stroke: var(--a); } svg .k1 { stroke: var(--b); stroke-dasharray: 7 4; }
svg .k2 { stroke: var(--c); stroke-dasharray: 2 3; } svg .k3 { stroke: var(--soft);
  stroke-dasharray: 10 3 2 3; }
svg .jump { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 2; }
svg .dot { fill: var(--ink); }
svg .ring { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5; }
svg .gap { fill: var(--warn); opacity: .18; }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #333; --rule: #999;
  --tint: #fff; --a: #000; --b: #000; --c: #000; --warn: #000; --warnpaper: #fff; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; } .screen { display: none; }
  h2, h3 { break-after: avoid; } tr, figure, .example, .keep { break-inside: avoid; }
  .page { break-before: page; }
  thead { display: table-header-group; } @page { margin: 18mm 15mm; } }
"""


def esc(text: object) -> str:
    """Escape a value for text and quoted attributes of HTML."""
    return html.escape(str(text), quote=True)


def tag(name: str, text: object, **attributes: str) -> str:
    """Return an element around escaped text; ``class_`` stands for ``class``."""
    return raw(name, esc(text), **attributes)


def raw(name: str, inner: str, **attributes: str) -> str:
    """Return an element around markup that is already escaped."""
    given = "".join(f' {key.rstrip("_")}="{esc(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{inner}</{name}>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: frozenset[int] = frozenset()
) -> str:
    """Return a table of escaped cells that scrolls sideways on a narrow screen.

    Args:
        head: titles of the columns, text.
        rows: cells, markup.
        numbers: columns to set flush right.
    """
    marks = [' class="n"' if i in numbers else "" for i in range(len(head))]
    top = "".join(
        f'<th scope="col"{mark}>{esc(title)}</th>' for title, mark in zip(head, marks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True))
        + "</tr>\n"
        for row in rows
    )
    inner = f"<table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"
    return f'<div class="wide">{inner}</div>'


def page(title: str, body: Iterable[str], *, meta: Mapping[str, str] | None = None) -> str:
    """Return a whole page; it may load nothing and run nothing, and says so to the browser."""
    named = "".join(
        f'<meta name="{esc(name)}" content="{esc(value)}">\n'
        for name, value in (meta or {}).items()
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{esc(policy)}">\n'
        f"{named}<title>{esc(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )
