"""The evidence part of a statement's page: charts, keys, records, checkpoint, how to check it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from wattest.exports.chart import Chart, Curve, svg
from wattest.exports.markup import esc, raw, table, tag
from wattest.exports.placed import PlacedStatement, record_indexes
from wattest.exports.words import counted, instant, number, span
from wattest.settlement.period import load_zone

_RULES = {
    "EXACT": "a record states the register at this very instant",
    "INTERP": "read between two records, pro rata to time",
    "FIRST": "metering begins here",
    "LAST": "metering ends here",
    "GAP": "the next record is too far away to read between",
}
_CURVES_MAX = 4
_POINTS_MAX = 240
_DAY_MS = 86_400_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def evidence_section(
    placed: PlacedStatement, line: Mapping[str, Any], identity: str
) -> Iterator[str]:
    """Yield the evidence of one line: chart, then assets, keys and the records at the ends."""
    if not line.get("usage"):
        return
    yield f'<h3 id="{esc(identity)}-evidence">Evidence for {esc(line["code"])}</h3>'
    same = _same_before(placed, line)
    if same is not None:
        link = tag("a", f"that of {same}", href=f"#s{placed.index}-{same}-evidence")
        yield raw("p", f"The same as {link}: both count the same quantity of the same assets.")
        return
    chart = usage_chart(placed, line)
    if chart is not None:
        yield raw("figure", f"{svg(chart)}\n{tag('figcaption', chart.title)}")
    for usage in line["usage"]:
        yield from _asset(placed, line, usage, identity)


def _same_before(placed: PlacedStatement, line: Mapping[str, Any]) -> str | None:
    """Return the code of an earlier line that rests on the same evidence."""
    for earlier in placed.document["lines"]:
        if earlier is line:
            return None
        if earlier.get("usage") == line["usage"] and earlier["quantity"] == line["quantity"]:
            return str(earlier["code"])
    return None


def _asset(
    placed: PlacedStatement, line: Mapping[str, Any], usage: Mapping[str, Any], identity: str
) -> Iterator[str]:
    base, unit = line["base_per_unit"], line["unit"]
    metered = number(Fraction(usage["metered"], base))
    yield '<div class="keep">'
    yield raw(
        "p",
        f"<b>{esc(usage['asset'])}</b>: {esc(metered)} {esc(unit)} proven by readings.",
        id=f"{identity}-{usage['asset']}",
    )
    items = [_key(placed, line, key) for key in usage["keys"]]
    if not usage["keys"]:
        items.append("<li>No record of this asset lies in the period.</li>")
    gaps = sum(end - start for start, end in usage["unmetered"])
    if gaps:
        items.append(f"<li>{esc(span(gaps))} of the period are covered by no record.</li>")
    if usage["excluded"]:
        left = number(Fraction(usage["excluded"], base))
        items.append(
            f"<li>{esc(left)} {esc(unit)} did not come from the sensor and are left out.</li>"
        )
    yield raw("ul", "".join(items))
    yield "</div>"


def _key(placed: PlacedStatement, line: Mapping[str, Any], key: Mapping[str, Any]) -> str:
    quantity = number(Fraction(key["quantity"], line["base_per_unit"]))
    text = (
        f"key <code>{key['kid'].hex()}</code> signed {esc(quantity)} {esc(line['unit'])} in "
        f"{counted(key['records'], 'record')}; their digests together: "
        f"<code>{key['digest'].hex()}</code>"
    )
    ends = "".join(_end(placed, line, key[name], name) for name in ("start", "end") if name in key)
    return f"<li>{text}{raw('ul', ends) if ends else ''}</li>"


def _end(
    placed: PlacedStatement, line: Mapping[str, Any], end: Mapping[str, Any], name: str
) -> str:
    links = " and ".join(
        tag("a", f"entry {ref['index']}", href=f"#s{placed.index}-entry-{ref['index']}")
        for ref in end["records"]
    )
    value = number(Fraction(end["value"], line["base_per_unit"]))
    at = instant(end["time"], placed.zone)
    rule = _RULES.get(end["rule"], end["rule"])
    said = f"{'from' if name == 'start' else 'to'} {at}: register {value} {line['unit']}; {rule}: "
    return f"<li>{esc(said)}{links}</li>"


def evidence_table(placed: PlacedStatement, identity: str) -> Iterator[str]:
    """Yield the table of every record the statement names, with digests."""
    refs = {
        ref["index"]: (key["kid"], ref)
        for line in placed.document["lines"]
        for usage in line.get("usage", ())
        for key in usage["keys"]
        for name in ("start", "end")
        for ref in key.get(name, {}).get("records", ())
    }
    yield f'<h2 class="page" id="{esc(identity)}-records">Records behind it</h2>'
    if not refs:
        yield "<p>No record is named: nothing here depends on a reading.</p>"
        return
    rows = []
    for index in sorted(set(record_indexes(placed.document))):
        kid, ref = refs[index]
        record = placed.records.get(index)
        digest = "no such record" if record is None else record.content_digest.hex()
        leaf = "no such record" if record is None else record.leaf.hex()
        name = f'<span id="s{placed.index}-entry-{index}">{index}</span>'
        which = f"<code>{kid.hex()}</code> {ref['ctx']}/{ref['seq']}"
        digests = (
            f"record <code>{digest}</code><br><span class='soft'>leaf <code>{leaf}</code></span>"
        )
        rows.append((name, f"{which}<br>{esc(instant(ref['time'], placed.zone))}", digests))
    yield table(("Entry", "Key, context/number, time", "SHA-256"), rows)


def how_to_check(placed: PlacedStatement) -> Iterator[str]:
    """Yield the checkpoint, the digest and the commands that check everything above."""
    document = placed.document
    cutoff = document["cutoff"]
    folder = placed.folder or "DIR"
    ledger = f" of the ledger {placed.origin}" if placed.origin else ""
    yield '<section class="keep"><h2>How to check it</h2>'
    yield raw(
        "p",
        f"This statement is entry {placed.index}{esc(ledger)}, generation "
        f"{document['generation']}. It rests on the first {cutoff['size']:,} entries, whose tree "
        f"has the root <code>{cutoff['root'].hex()}</code>. SHA-256 of its canonical bytes: "
        f"<code>{placed.digest}</code>. SHA-256 of the terms it was priced by: "
        f"<code>{document['terms'].hex()}</code>.",
    )
    if "opening" in document:
        yield tag(
            "p",
            "The registers at its begin are those that became final with the period before, by "
            f"the first {document['opening']:,} entries.",
        )
    commands = [f"wattest verify {folder}", f"wattest ledger checkpoint {folder}"]
    commands.append(f"wattest ledger prove {folder} {placed.index}")
    first = next(record_indexes(document), None)
    if first is not None:
        commands.append(f"wattest ledger entries {folder} --from {first} --count 1")
    items = "".join(raw("li", raw("code", esc(command))) for command in commands)
    yield (
        "<p>With the folder of the run, on a machine of your own, the first command recomputes "
        f"every amount above from the signed readings:</p>{raw('ul', items)}</section>"
    )


def usage_chart(placed: PlacedStatement, line: Mapping[str, Any]) -> Chart | None:
    """Return what each key added up over the period; None where no readings are at hand."""
    start_ms, end_ms = placed.document["period"]
    curves = []
    for usage in line["usage"]:
        for key in usage["keys"]:
            points = placed.series.get((key["kid"], line["quantity"]), ())
            if "start" not in key or not points:
                continue
            zero, base = key["start"]["value"], line["base_per_unit"]
            inside = [
                (Fraction(max(time_ms - start_ms, 0)), Fraction(max(value - zero, 0), base))
                for time_ms, value in _thinned(points)
                if key["start"]["time"] <= time_ms <= key["end"]["time"]
            ]
            if inside:
                curves.append(Curve(label=str(usage["asset"]), points=tuple(inside)))
    if not curves:
        return None
    gaps = _merged(
        sorted((start, end) for usage in line["usage"] for start, end in usage["unmetered"])
    )
    shown = sorted(curves, key=lambda curve: -curve.points[-1][1])[:_CURVES_MAX]
    more = f" (the {_CURVES_MAX} largest of {len(curves)})" if len(curves) > len(shown) else ""
    shaded = "; shaded: covered by no record" if gaps else ""
    return Chart(
        title=f"{line['quantity'].replace('_', ' ')}, added up{more}{shaded}",
        x_label=f"time, {placed.zone}",
        y_label=str(line["unit"]),
        x_max=Fraction(end_ms - start_ms),
        curves=tuple(shown),
        gaps=tuple((Fraction(low - start_ms), Fraction(high - start_ms)) for low, high in gaps),
        x_ticks=_time_ticks(start_ms, end_ms, placed.zone),
    )


def _merged(gaps: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join gaps that overlap; they come ascending."""
    joined: list[tuple[int, int]] = []
    for start, end in gaps:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _thinned(points: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Keep a few hundred points, the last among them: a curve is no table."""
    if len(points) <= _POINTS_MAX:
        return points
    step = -(-len(points) // _POINTS_MAX)
    return (*points[:-1:step], points[-1])


def _time_ticks(start_ms: int, end_ms: int, zone: str) -> tuple[tuple[Fraction, str], ...]:
    """Return about four ticks at whole days, or at whole hours within few days."""
    info = load_zone(zone)
    long = end_ms - start_ms > 3 * _DAY_MS
    count = 4
    found = []
    for number_ in range(count + 1):
        at_ms = start_ms + (end_ms - start_ms) * number_ // count
        local = (_EPOCH + at_ms * dt.timedelta(milliseconds=1)).astimezone(info)
        if long:
            local = local.replace(hour=0, minute=0, second=0, microsecond=0)
            at_ms = max(
                start_ms, (local.astimezone(dt.UTC) - _EPOCH) // dt.timedelta(milliseconds=1)
            )
        text = (
            f"{local.month:02d}-{local.day:02d}"
            if long
            else f"{local.hour:02d}:{local.minute:02d}"
        )
        found.append((Fraction(at_ms - start_ms), text))
    return tuple(found)
