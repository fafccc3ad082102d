"""``wattest ocmf``: readings and sessions as OCMF, and what is wrong with anybody's OCMF."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattest.cli.options import Commands, Parser, add_json
from wattest.cli.output import bad, good, marked, print_json
from wattest.errors import ConfigError, OcmfError, StoreError, one_line

if TYPE_CHECKING:
    from wattest.exports.ocmf_lint import LintedText, LintReport
    from wattest.exports.ocmf_rules import OcmfFinding
    from wattest.operations.ocmf import ExportedText

_EXPORT = """\
Write sessions (pages T) and fiscal readings (pages F) of a kept run as OCMF texts. The bench
signs them, with the records of the node inside (--mode gateway), or the text of a session goes
out under the signature that its node made (--mode node). docs/ocmf.md says what each proves.
"""

_LINT = """\
Check OCMF texts, one a line or in the XML of the Transparenzsoftware, by numbered rules: each
finding says what the standard wants and what that verifier really does.
"""

_EXAMPLES = """\
examples:
  wattest ocmf export OUT
  wattest ocmf export OUT --session van-0001 --mode node --format xml -o van.xml
  wattest ocmf lint van.xml
"""


def add_command(commands: Commands) -> None:
    """Add ``ocmf`` and its two verbs to the command line."""
    parser = commands.add_parser(
        "ocmf",
        help="readings and sessions as OCMF; check anybody's OCMF",
        description="Readings and sessions as OCMF; check anybody's OCMF.",
        epilog=_EXAMPLES,
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Parser)
    export = verbs.add_parser(
        "export", help="write a kept run's sessions and readings", description=_EXPORT
    )
    export.add_argument("folder", type=Path, metavar="DIR", help="folder of a kept run")
    export.add_argument("--session", metavar="ID", help="one session: its id, or a page like T3")
    export.add_argument("--node", metavar="N", help="one node: serial, asset, name or key id")
    export.add_argument(
        "--from", dest="from_ms", type=instant_ms, metavar="TIME", help="first instant, UTC"
    )
    export.add_argument(
        "--to", dest="to_ms", type=instant_ms, metavar="TIME", help="first instant after it, UTC"
    )
    export.add_argument(
        "--mode", choices=("gateway", "node"), default="gateway", help="who signs the texts"
    )
    export.add_argument(
        "--format", choices=("text", "xml", "json"), default="text", help="form of the output"
    )
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write into a new file")
    export.set_defaults(run=_export)
    lint = verbs.add_parser("lint", help="check OCMF texts by the rules", description=_LINT)
    lint.add_argument("source", metavar="FILE|-", help="texts one a line, or XML; - for stdin")
    lint.add_argument(
        "--key", type=_key, metavar="HEX", help="public key: SPKI DER in hex, or x and y"
    )
    lint.add_argument(
        "--node-key",
        type=_key,
        metavar="HEX",
        help="public key of the node: also check its records inside a bench's texts",
    )
    add_json(lint)
    lint.set_defaults(run=_lint)


def instant_ms(text: str) -> int:
    """Read an instant such as ``2026-06-15`` or ``2026-06-15T12:00:00Z``; UTC unless it says so.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 2026-06-15T12:00:00Z, got {text!r}"
        ) from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * 1000)


def _key(text: str) -> bytes:
    from wattest.exports.ocmf_signature import read_key
    from wattest.wire import spki_der

    try:
        key = read_key(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return spki_der(key) if len(key) == 64 else key


# ---- export ----


def _export(args: argparse.Namespace) -> int:
    """Export; exit 1 when a signature that must hold does not."""
    from wattest.operations.ocmf import Mode, OcmfQuery, export_ocmf

    query = OcmfQuery(
        mode=Mode(args.mode),
        session=args.session,
        node=args.node,
        from_ms=args.from_ms,
        to_ms=args.to_ms,
    )
    if args.output is not None and args.output.exists():
        raise ConfigError("is there already", path=str(args.output), hint="name a new file")
    found = export_ocmf(args.folder, query)
    _write(_formatted(found.texts, args.format), args.output)
    for reason in found.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    for reason in found.broken:
        print(f"wattest: {reason}", file=sys.stderr)
    keys = {text.spki: (text.serial, text.demo) for text in found.texts}
    if args.format == "text":
        for spki, (serial, demo) in keys.items():
            note = " (demo key: proves nothing outside of this run)" if demo else ""
            print(f"key for {serial}{note}: {spki.hex()}", file=sys.stderr)
    if not found.texts:
        print("no text was exported", file=sys.stderr)
    return 1 if found.broken else 0


def _formatted(texts: Sequence[ExportedText], form: str) -> str:
    import json

    from wattest.exports.ocmf_container import write_lines, write_xml

    if form == "xml":
        return write_xml([(text.text, text.spki) for text in texts])
    if form == "text":
        return write_lines(text.text for text in texts)
    documents = [
        {
            "page": text.page,
            "serial": text.serial,
            "session": text.session,
            "entries": list(text.entries),
            "public_key": text.spki.hex(),
            "demo": text.demo,
            "ocmf": text.text,
        }
        for text in texts
    ]
    return json.dumps(documents, indent=2) + "\n"


def _write(content: str, path: Path | None) -> None:
    if path is None:
        print(content, end="")
        return
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(content)
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise StoreError(f"{path}: {reason}") from error


# ---- lint ----


def _lint(args: argparse.Namespace) -> int:
    """Check; exit 1 when the verifier would refuse a text, or a page is missing or twice."""
    from wattest.exports.ocmf_container import read_items
    from wattest.exports.ocmf_lint import lint_ocmf

    try:
        items = read_items(_source(args.source), args.key)
        report = lint_ocmf(items, node_spki=args.node_key)
    except OcmfError as error:
        if args.json:
            print_json({"passed": False, "error": str(error), "texts": [], "findings": []})
            return 1
        raise
    if args.json:
        print_json(_report_json(report))
    else:
        _show(report)
    return 0 if report.passed else 1


def _source(name: str) -> bytes:
    from wattest.exports.ocmf_container import FILE_BYTES_MAX

    if name == "-":
        data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise ConfigError((error.strerror or "cannot be read").lower(), path=name) from error
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"at most {FILE_BYTES_MAX} bytes can be checked", path=name)
    return data


def _show(report: LintReport) -> None:
    for text in report.texts:
        print(f"{text.name}: signature {_state(text)}")
        for finding in text.findings:
            _show_finding(finding)
    if report.findings:
        print("together:")
    for finding in report.findings:
        _show_finding(finding)
    print(_verdict(report))


def _state(text: LintedText) -> str:
    state = str(text.signature.state)
    paint = {"valid": good, "unchecked": marked}.get(state, bad)
    return paint(state) + (f": {text.signature.message}" if text.signature.message else "")


def _show_finding(finding: OcmfFinding) -> None:
    rule = finding.rule
    mark = bad("fails") if rule.fails else marked("breaks" if rule.broken else "note")
    print(f"  {mark} {one_line(f'{finding.where}: {finding.message}')}")
    print(f"    rule {rule.number}: {rule.standard}")
    print(f"    Transparenzsoftware 1.4.1: {rule.verifier}")


def _verdict(report: LintReport) -> str:
    unchecked = any(text.signature.state == "unchecked" for text in report.texts)
    also = "; no key was given, signatures are not checked" if unchecked else ""
    if report.refused:
        return bad("refused") + ": the Transparenzsoftware would not accept this" + also
    if not report.complete:
        return bad("not all right") + ": that verifier accepts it and misses the rest" + also
    broken = any(finding.rule.broken for finding in report.all_findings)
    word = "accepted, though the standard is broken" if broken else "accepted"
    return good(word) + also


def _report_json(report: LintReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "refused": report.refused,
        "complete": report.complete,
        "texts": [
            {
                "name": text.name,
                "signature": str(text.signature.state),
                "message": text.signature.message,
                "findings": [_finding_json(finding) for finding in text.findings],
            }
            for text in report.texts
        ],
        "findings": [_finding_json(finding) for finding in report.findings],
    }


def _finding_json(finding: OcmfFinding) -> dict[str, Any]:
    return {
        "rule": finding.rule.number,
        "where": finding.where,
        "message": finding.message,
        "standard": finding.rule.standard,
        "verifier": finding.rule.verifier,
        "fails": finding.rule.fails,
        "broken": finding.rule.broken,
    }
