"""The audit of what run.json and frames.bin state: compared with what the ledger proves.

From the ledger follow: its size, whose keys were enrolled, the registers and the number of
readings of every node, which keys are demo keys, and the findings about logged records. Not from
it follow: what the load truly was, findings about what was refused, faults and the verdict of the
run. These are as good as whoever kept the run; running its scenario again proves them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any

from wattest.operations.kept.audit_files import Problem
from wattest.operations.rundir import LIVE_ORIGIN, RunDir
from wattest.units import format_decimal
from wattest.verify import Finding, FindingCode
from wattest.wire import Enrolment, Frame, FrameKind, FrameScanner, Record

_POSITION_BYTES = 4
_BRANCHES = (FindingCode.FORK, FindingCode.LATE)
Registers = tuple[str, str]


@dataclass(slots=True)
class _Node:
    enrolments: dict[str, Enrolment] = field(default_factory=dict)
    newest: Registers = ("0.000", "0.000")
    states: set[Registers] = field(default_factory=set)
    readings: int = 0
    branched: bool = False


class Proved:
    """What the sound entries of a ledger prove, by the serial of the node."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._by_kid: dict[bytes, _Node] = {}
        self._records: dict[bytes, int] = {}

    def enrol(self, enrolment: Enrolment) -> None:
        """Take an enrolment."""
        node = self._nodes.setdefault(enrolment.serial, _Node())
        node.enrolments[enrolment.kid.hex()] = enrolment
        self._by_kid[enrolment.kid] = node

    def add(self, record: Record, index: int) -> None:
        """Take a record of an enrolled key, logged at ``index``."""
        node = self._by_kid[record.kid]
        node.newest = (
            _watthours(record.import_milliwatthours),
            _watthours(record.export_milliwatthours),
        )
        node.states.add(node.newest)
        node.readings += record.event is None
        self._records[record.digest] = index

    def branch(self, kid: bytes) -> None:
        """Note that two boards signed with this key: which of them was the node's is not said."""
        if kid in self._by_kid:
            self._by_kid[kid].branched = True

    def check(
        self,
        values: Mapping[str, Any],
        *,
        size: int,
        findings: Iterable[Finding],
        shared: bool = False,
    ) -> Iterator[Problem]:
        """Compare what run.json states of a run that ended.

        Args:
            values: run.json.
            size: entries of the ledger.
            findings: warnings and errors about logged records.
            shared: other benches may have logged something, too, and go on.
        """
        entries = values.get("entries")
        if entries != size and not (shared and isinstance(entries, int) and entries <= size):
            yield _wrong("entries", size, entries)
        enrolments = [e for node in self._nodes.values() for e in node.enrolments.values()]
        demo = any(enrolment.demo for enrolment in enrolments)
        if demo and not shared and values.get("demo_keys") is not True:
            yield _wrong("demo_keys", demo, values.get("demo_keys"))
        yield from _check_verdict(values)
        nodes = values.get("nodes")
        if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
            yield _wrong("nodes", "a list of objects", nodes)
            return
        live = values.get("live") is True
        for place, node in enumerate(nodes):
            yield from self._check_node(f"nodes[{place}]", node, live=live)
        yield from _check_total(values.get("total"), nodes)
        if not live:
            yield from _check_findings(values.get("findings"), findings)

    def check_frames(self, run: RunDir) -> Iterator[Problem]:
        """Every logged record must be among the bytes that the nodes sent."""
        missing = dict(self._records)
        for digest in _received(run):
            missing.pop(digest, None)
        for index in sorted(missing.values()):
            message = f"the record of entry {index} is not among the bytes"
            yield Problem(where=run.frames.name, message=message, index=None)

    def _check_node(
        self, where: str, stated: Mapping[str, Any], *, live: bool
    ) -> Iterator[Problem]:
        serial = stated.get("serial")
        node = self._nodes.get(serial) if isinstance(serial, str) else None
        if node is None:
            if live and stated.get("kid") == "":
                return  # it never said a word
            yield _wrong(f"{where}.serial", "that of an enrolled node", serial)
            return
        enrolment = node.enrolments.get(str(stated.get("kid")))
        if enrolment is None:
            yield _wrong(f"{where}.kid", "a key enrolled for this serial", stated.get("kid"))
            return
        known = {"asset": enrolment.asset, "board": enrolment.board}
        for name, expected in known.items():
            if stated.get(name, expected) != expected:
                yield _wrong(f"{where}.{name}", expected, stated[name])
        states = node.states if node.branched else {node.newest}
        if (registers := _registers(stated)) not in states:
            yield _wrong(f"{where}.metered", " / ".join(node.newest) + " Wh", registers)
        readings = stated.get("readings")
        if live or node.branched:
            if not isinstance(readings, int) or not 0 <= readings <= node.readings:
                yield _wrong(f"{where}.readings", f"at most {node.readings}", readings)
        elif readings != node.readings:
            yield _wrong(f"{where}.readings", node.readings, readings)


def check_kind_of_run(run: RunDir, origin: str) -> Iterator[Problem]:
    """A live collection, which keeps no digests and no statement files, signs as one.

    Args:
        run: the folder.
        origin: of the ledger's checkpoints.
    """
    values = run.read_json()
    if run.digests.exists() and values.get("finished") is not True:
        yield _wrong("finished", "true, for digests.txt is written last", values.get("finished"))
    live = values.get("live") is True
    if live != (origin == LIVE_ORIGIN):
        yield _wrong("live", origin == LIVE_ORIGIN, values.get("live"))


def branches(findings: Iterable[Finding]) -> set[bytes]:
    """Return the keys with records that a twin does not follow."""
    return {finding.kid for finding in findings if finding.code in _BRANCHES}


def _check_verdict(values: Mapping[str, Any]) -> Iterator[Problem]:
    """A run passed when there is no reason against it, and every failed fault is a reason."""
    reasons, faults = values.get("reasons"), values.get("faults")
    if not isinstance(reasons, list) or not isinstance(faults, list):
        yield _wrong("reasons and faults", "two lists", (reasons, faults))
        return
    failed = [f for f in faults if not isinstance(f, dict) or f.get("passed") is not True]
    expected = not reasons and not failed
    if values.get("passed") is not expected:
        yield _wrong("passed", expected, values.get("passed"))


def _check_total(total: Any, nodes: list[Mapping[str, Any]]) -> Iterator[Problem]:
    if not isinstance(total, dict):
        yield _wrong("total", "an object", total)
        return
    for name in ("metered_import_wh", "metered_export_wh", "readings"):
        try:
            parts = [Fraction(node[name]) for node in nodes]
            right = sum(parts) == Fraction(total[name])
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            right = False
        if not right:
            yield _wrong(f"total.{name}", "the sum over the nodes", total.get(name))


def _check_findings(stated: Any, findings: Iterable[Finding]) -> Iterator[Problem]:
    """What was found in logged records must be told; what was refused comes on top."""
    if not isinstance(stated, dict):
        yield _wrong("findings", "an object", stated)
        return
    for code, count in sorted(Counter(finding.code.value for finding in findings).items()):
        told = stated.get(code, 0)
        if not isinstance(told, int) or told < count:
            yield _wrong(f"findings.{code}", f"at least {count}", told)


def _received(run: RunDir) -> Iterator[bytes]:
    """Yield the digest of every whole record among the bytes from the nodes."""
    scanners: dict[str, FrameScanner] = {}
    try:
        data = run.frames.read_bytes()
        text = run.frames_index.read_text("utf-8")
    except (OSError, ValueError):
        return
    for row in csv.DictReader(text.splitlines()):
        try:
            offset, length = int(row["offset"]), int(row["length"])
        except (KeyError, TypeError, ValueError):
            continue
        scanner = scanners.setdefault(str(row.get("node")), FrameScanner())
        for item in scanner.feed(data[max(offset, 0) : max(offset, 0) + max(length, 0)]):
            if isinstance(item, Frame) and item.kind == FrameKind.RECORD:
                yield sha256(item.body[_POSITION_BYTES:]).digest()


def _registers(stated: Mapping[str, Any]) -> Registers:
    return str(stated.get("metered_import_wh")), str(stated.get("metered_export_wh"))


def _watthours(milliwatthours: int | None) -> str:
    return format_decimal(Fraction(milliwatthours or 0, 1000), 3)


def _wrong(where: str, expected: object, got: object) -> Problem:
    text = repr(got)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return Problem(where=f"run.json {where}", message=f"expected {expected}, got {shown}")
