"""Faults and actions of a plan: what is done to a node, when, and which verdict it must end in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from wattest.errors import ConfigError
from wattest.tables import Table
from wattest.units import NS_PER_S
from wattest.verify.finding import FindingCode

RECOVERED = "recovered"
"""Verdict: nothing was lost or doubled, and readings go on without a finding."""

FRAME_LOST = "frame-lost"
"""Verdict: the frame was dropped as damaged, and the node sent it again."""

VERDICTS = (RECOVERED, FRAME_LOST, *(code.value for code in FindingCode))


class FaultKind(StrEnum):
    """What can be done to a node."""

    POWER_CUT = "power-cut"
    """The supply fails, at once or inside the n-th flash operation from then; later it returns."""
    UNPLUG = "unplug"
    """The link is pulled and plugged in again."""
    FLIP_BIT = "flip-bit"
    """One bit of a frame changes on the wire."""
    FORGE = "forge"
    """One bit of a record changes and the frame is made whole again, as an attacker would."""
    REPLAY = "replay"
    """An old frame is sent once more."""
    CLONE = "clone"
    """A second board boots from a copy of the node's flash."""
    BUS_NACK = "bus-nack"
    """The sensor does not answer."""
    BUS_STUCK = "bus-stuck"
    """The sensor holds SDA low."""
    BUS_BITS = "bus-bits"
    """Bits change between sensor and node."""
    WRONG_CHIP = "wrong-chip"
    """Another part sits at the sensor's address."""
    INJECT_INPUT = "inject-input"
    """The node is told to meter a made-up power."""
    NO_TIME = "no-time"
    """The host does not set the node's clock."""
    CLOCK_STEP = "clock-step"
    """The host sets the node's clock wrong by ``by``."""
    OVERLOAD = "overload"
    """The load is a given power, which may lie beyond the board's range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One planned fault.

    Args:
        kind: what is done.
        node: to whom.
        at_ns: when, since the run began.
        for_ns: how long, or None for what takes no time.
        expect: verdicts that must appear: finding codes, ``recovered`` or ``frame-lost``.
        also: finding codes that may appear beside them.
        flash_operation: power-cut: which program or erase from ``at`` on is torn, from 1.
        back: replay: how many records before the newest, from 0.
        every: bus-bits: one of so many transfers is hit.
        bit: bus-bits, forge, flip-bit: which bit, counted from the last byte's lowest.
        power_uw: inject-input, overload: signed power.
        by_ms: clock-step: signed error.
        copied_ns: clone: when the flash was copied.
    """

    kind: FaultKind
    node: str
    at_ns: int
    for_ns: int | None = None
    expect: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    flash_operation: int | None = None
    back: int = 0
    every: int = 1
    bit: int = 0
    power_uw: Fraction | None = None
    by_ms: int = 0
    copied_ns: int | None = None


_EXPECT = {
    FaultKind.POWER_CUT: RECOVERED,
    FaultKind.UNPLUG: RECOVERED,
    FaultKind.FLIP_BIT: FRAME_LOST,
    FaultKind.FORGE: FindingCode.BAD_SIGNATURE.value,
    FaultKind.REPLAY: FindingCode.REPLAY.value,
    FaultKind.CLONE: FindingCode.FORK.value,
    FaultKind.BUS_NACK: FindingCode.STATUS.value,
    FaultKind.BUS_STUCK: FindingCode.STATUS.value,
    FaultKind.WRONG_CHIP: FindingCode.STATUS.value,
    FaultKind.INJECT_INPUT: FindingCode.INJECTED_INPUT.value,
    FaultKind.NO_TIME: FindingCode.LATE_TIME.value,
    FaultKind.CLOCK_STEP: FindingCode.STATUS.value,
    FaultKind.OVERLOAD: FindingCode.STATUS.value,
}
"""Verdict each kind ends in unless the plan says otherwise; bus-bits must say."""

_LASTING = {
    FaultKind.POWER_CUT: 60 * NS_PER_S,
    FaultKind.UNPLUG: 300 * NS_PER_S,
    FaultKind.CLONE: 300 * NS_PER_S,
    FaultKind.BUS_NACK: 60 * NS_PER_S,
    FaultKind.BUS_STUCK: 60 * NS_PER_S,
    FaultKind.BUS_BITS: 60 * NS_PER_S,
    FaultKind.WRONG_CHIP: 60 * NS_PER_S,
    FaultKind.INJECT_INPUT: 300 * NS_PER_S,
    FaultKind.NO_TIME: 600 * NS_PER_S,
    FaultKind.OVERLOAD: 60 * NS_PER_S,
}
"""Kinds that last, and how long by default."""


def read_fault(table: Table) -> Fault:
    """Read one ``[[fault]]`` table.

    Raises:
        ConfigError: a key is wrong or does not belong to the kind.
    """
    kind = FaultKind(table.choice("kind", [*FaultKind]))
    fault = Fault(
        kind=kind,
        node=table.name("node"),
        at_ns=table.duration_ns("at"),
        for_ns=_lasting(table, kind),
        expect=_verdicts(table, "expect", (_EXPECT[kind],) if kind in _EXPECT else None),
        also=_verdicts(table, "also", ()),
        flash_operation=_flash_operation(table) if kind is FaultKind.POWER_CUT else None,
        back=table.integer("back", 1, maximum=10_000) if kind is FaultKind.REPLAY else 0,
        every=table.integer("every", 1, minimum=1) if kind is FaultKind.BUS_BITS else 1,
        bit=table.integer("bit", 0, maximum=8191) if kind in _WITH_BIT else 0,
        power_uw=_power(table) if kind in _WITH_POWER else None,
        by_ms=_by_ms(table) if kind is FaultKind.CLOCK_STEP else 0,
        copied_ns=_copied(table) if kind is FaultKind.CLONE else None,
    )
    table.finish()
    return fault


_WITH_BIT = (FaultKind.FLIP_BIT, FaultKind.FORGE, FaultKind.BUS_BITS)
_WITH_POWER = (FaultKind.INJECT_INPUT, FaultKind.OVERLOAD)


def _lasting(table: Table, kind: FaultKind) -> int | None:
    if kind not in _LASTING:
        return None
    return table.duration_ns("for", _LASTING[kind], minimum_ns=1)


def _flash_operation(table: Table) -> int | None:
    if "flash_operation" not in table:
        return None
    return table.integer("flash_operation", minimum=1, maximum=1_000_000)


def _power(table: Table) -> Fraction:
    return table.decimal("power_w", minimum=-(10**6), maximum=10**6) * 10**6


def _by_ms(table: Table) -> int:
    text = table.text("by")
    sign = -1 if text.startswith("-") else 1
    bare = Table({"by": text.lstrip("+-")}, table.path, table.prefix)
    return sign * (bare.duration_ns("by", minimum_ns=10**6) // 10**6)


def _copied(table: Table) -> int:
    copied = table.duration_ns("copied", 0)
    if copied >= table.duration_ns("at"):
        raise table.error("copied", "a time before at expected")
    return copied


def _verdicts(table: Table, key: str, default: tuple[str, ...] | None) -> tuple[str, ...]:
    if key not in table:
        if default is None:
            raise table.error(key, "a list of verdicts expected, got nothing")
        return default
    verdicts = table.strings(key)
    for verdict in verdicts:
        Table({key: verdict}, table.path, table.prefix).choice(key, VERDICTS)
    return verdicts


class ActionKind(StrEnum):
    """What the host may command a node to do, as part of the plan."""

    BEGIN = "begin"
    END = "end"
    RELAY = "relay"
    INTERVAL = "interval"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One planned command.

    Args:
        kind: what is commanded.
        node: of whom.
        at_ns: when, since the run began.
        text: begin: the transaction's id, 0 to 20 printable ASCII.
        closed: relay: true closes it.
        interval_ms: interval: the new record interval.
    """

    kind: ActionKind
    node: str
    at_ns: int
    text: str = ""
    closed: bool = True
    interval_ms: int = 0


def read_action(table: Table) -> Action:
    """Read one ``[[action]]`` table.

    Raises:
        ConfigError: a key is wrong or does not belong to the kind.
    """
    kind = ActionKind(table.choice("kind", [*ActionKind]))
    text = ""
    if kind is ActionKind.BEGIN:
        text = table.text(
            "id", "", pattern=r"[ -~]{0,20}", expected="at most 20 printable ASCII characters"
        )
    action = Action(
        kind=kind,
        node=table.name("node"),
        at_ns=table.duration_ns("at"),
        text=text,
        closed=table.flag("closed") if kind is ActionKind.RELAY else True,
        interval_ms=read_interval_ms(table) if kind is ActionKind.INTERVAL else 0,
    )
    table.finish()
    return action


def read_interval_ms(table: Table, default_ns: int | None = None) -> int:
    """Read ``interval``: 1 s to 1 h in whole milliseconds.

    Raises:
        ConfigError: out of range.
    """
    interval_ns = (
        table.duration_ns("interval")
        if default_ns is None
        else table.duration_ns("interval", default_ns)
    )
    interval_ms, rest = divmod(interval_ns, 10**6)
    if rest or not 1000 <= interval_ms <= 3_600_000:
        raise table.error(
            "interval", f"1s to 1h in whole milliseconds expected, got {interval_ns} ns"
        )
    return interval_ms


def check_within(faults: tuple[Fault, ...], duration_ns: int, *, path: str) -> None:
    """Refuse a fault that would begin after the run has ended.

    Raises:
        ConfigError: which one.
    """
    for number, fault in enumerate(faults):
        if fault.at_ns >= duration_ns:
            raise ConfigError(
                "a time within the run expected", path=path, key=f"fault[{number}].at"
            )
