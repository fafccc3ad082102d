"""What a run tells its faces: typed events, past tense, plain values only.

The command line prints them, the terminal interface draws them; neither reaches behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wattest.settlement import Statement
from wattest.twin import TwinState
from wattest.verify import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """One node of a run, as the faces need to label it."""

    name: str
    asset: str
    board: str
    serial: str
    kid: bytes
    load: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """Boards are flashed and enrolled; virtual time is about to begin."""

    scenario: str
    seed: int
    start_ms: int
    end_ms: int
    nodes: tuple[NodeInfo, ...]
    out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """Virtual time has come to ``now_ms``."""

    now_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePrinted:
    """Ordinary text on a node's console."""

    node: str
    now_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLogged:
    """A verified record was committed to the ledger at ``index``."""

    node: str
    now_ms: int
    verdict: Verdict
    index: int
    twin: TwinState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefused:
    """Bytes that claimed to be a record, or repeated one, were not logged as a reading."""

    node: str
    now_ms: int
    data: bytes
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLost:
    """A frame arrived damaged; the node will send it again."""

    node: str
    now_ms: int
    rule: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSigned:
    """The ledger grew to ``size`` entries."""

    now_ms: int
    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDrawn:
    """A contract was priced: provisional while its period runs, then logged at ``index``."""

    now_ms: int
    contract: str
    statement: Statement
    index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultApplied:
    """A fault of the plan, or one asked for by a person, was carried out."""

    now_ms: int
    node: str
    kind: str
    detail: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultJudged:
    """What the run made of a fault: the finding it was answered with, against the expected one."""

    now_ms: int
    node: str
    kind: str
    expected: str
    got: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChanged:
    """A node was powered, unplugged, reset: ``state`` is running, off, unplugged or crashed."""

    node: str
    now_ms: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTotals:
    """Truth and metered energy of one node over the run, nanojoule-exact truth in milliwatt-hours.

    Truth is a decimal string of watt-hours, because it is an exact rational.
    """

    node: str
    load_import_wh: str
    load_export_wh: str
    metered_import_wh: str
    metered_export_wh: str
    error_percent: str
    error_limit_percent: str
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run is over and everything of it is durable."""

    now_ms: int
    passed: bool
    nodes: tuple[NodeTotals, ...]
    total: NodeTotals
    findings: tuple[Finding, ...]
    faults: tuple[FaultJudged, ...]
    statements: tuple[StatementDrawn, ...]
    checkpoint: str
    entries: int
    reasons: tuple[str, ...] = field(default=())


RunEvent = (
    RunStarted
    | Progressed
    | ConsolePrinted
    | RecordLogged
    | RecordRefused
    | FrameLost
    | CheckpointSigned
    | StatementDrawn
    | FaultApplied
    | FaultJudged
    | NodeChanged
    | RunFinished
)
