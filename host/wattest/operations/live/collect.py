"""Collects from real ports into a folder that outlives the collector: told as events.

One thread reads each port and hands what it gets to an inbox; everything else happens here, in one
thread, in the order of arrival: verify, commit, acknowledge. The process may be killed at any
moment; a new one goes on from the ledger, and the nodes send again what was not acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from wattest.errors import LinkError, LocalProtocolError
from wattest.link import Port, SerialPort, serial_ports
from wattest.operations.collector import Collector
from wattest.operations.control import RunControl
from wattest.operations.events import (
    NodeChanged,
    Progressed,
    RecordLogged,
    RecordRefused,
    RunEvent,
    RunStarted,
)
from wattest.operations.live.beginning import take_up
from wattest.operations.live.clock import SteadyClock
from wattest.operations.live.folder import LiveDir
from wattest.operations.live.nodes import host_line, info_of, refused_fault
from wattest.operations.live.opener import PortOpener
from wattest.operations.live.played_input import InputPlan, PlayedInputs
from wattest.operations.live.ports import LivePort, PortsFile, address_now, require_nodes
from wattest.operations.live.reader import Inbox, PortLost, PortOpened, PortRead, PortReader
from wattest.operations.live.settling import Settling
from wattest.operations.live.silence import SILENT, Silence
from wattest.operations.live.summary import finished
from wattest.system import entropy, monotonic_ns, utc_ms
from wattest.twin import Twin
from wattest.verify import Finding, Severity, Verdict
from wattest.wire import Op, kid_of, spki_der

TICK_MS = 200
SET_CLOCK_MS = 6 * 3_600_000
VIEW_MS = 2_000
LEAVE_NS = 3_000_000_000
_DAY_MS = 86_400_000
_NS_PER_MS = 1_000_000
_NONCE_BYTES = 16
_FINDINGS_KEPT = 1000
_Opened = tuple[Port, PortOpener]


@dataclass(slots=True)
class _Line:
    """One port and where its node stands."""

    live: LivePort
    reader: PortReader
    twin: Twin
    port: Port | None = None
    was_lost: bool = False
    set_clock_at_ms: int | None = None


def collect_live(
    file: PortsFile,
    out: Path,
    *,
    control: RunControl | None = None,
    duration_s: int | None = None,
    inputs: Mapping[str, InputPlan | None] | None = None,
    lister: Callable[[], Sequence[SerialPort]] = serial_ports,
    copies: Path | None = None,
) -> Generator[RunEvent]:
    """Collect until somebody stops it, or for a time; `RunFinished` is last.

    Closing the generator stops the collection; what was committed stays, and a new one goes on.

    Args:
        file: the ports and whose time the nodes keep.
        out: folder that keeps everything; it may hold an earlier live collection.
        control: the hand of a person; only `stopped` means something to nodes that are not ours.
        duration_s: time of the nodes to stop after, or None.
        inputs: by name, loads played to nodes; None: a stimulus board plays, and the node says so.
        lister: lists serial ports, to find one again that comes back by another name.
        copies: folder outside that keeps the ledger's newest checkpoint, too; None: nobody does.

    Raises:
        ConfigError: the folder holds something else, or another collector is at work there.
        LinkError: a port is not there, or another program uses it; nothing was started.
        StoreError: the ledger could not be written; nothing that was acknowledged is lost.
    """
    require_nodes(file)
    with ExitStack() as stack:
        openers = [
            PortOpener(partial(address_now, file, each), lister=lister) for each in file.ports
        ]
        ports = [(stack.enter_context(opener.open()), opener) for opener in openers]
        clock = SteadyClock(
            utc_ms=utc_ms, monotonic_ns=monotonic_ns, anchor_ms=file.started_ms, speed=file.speed
        )
        folder = stack.enter_context(
            LiveDir(
                out,
                epoch_ms=clock.now_ms(),
                interval_ms=max(live.interval_ms for live in file.ports),
                demo_keys=any(live.expected.demo for live in file.ports),
                copies=copies,
            )
        )
        collection = _Collection(file, folder, clock, control or RunControl(), inputs or {})
        stack.callback(collection.close)
        yield from collection.begin(ports, duration_s)
        yield from collection.go_on()
        yield from collection.end_inputs()
        yield from collection.finish()


class _Collection:
    def __init__(
        self,
        file: PortsFile,
        folder: LiveDir,
        clock: SteadyClock,
        control: RunControl,
        inputs: Mapping[str, InputPlan | None],
    ) -> None:
        self._file = file
        self._folder = folder
        self._control = control
        self._inputs = PlayedInputs(inputs)
        self._clock = clock
        self._silence = Silence()
        self._told: deque[RunEvent] = deque()
        self._inbox = Inbox()
        self._lines: dict[str, _Line] = {}
        self._findings: deque[Finding] = deque(maxlen=_FINDINGS_KEPT)
        self._readings = dict.fromkeys((live.expected.name for live in file.ports), 0)
        self._start_ms = self._clock.now_ms()
        self._end_ms: int | None = None
        self._told_at_ms = self._viewed_at_ms = 0

    def begin(self, ports: Sequence[_Opened], duration_s: int | None) -> Iterator[RunEvent]:
        """Take up the ledger, enrol keys known from provisioning, start to read."""
        file, folder = self._file, self._folder
        begun = take_up(file, folder, now_ms=self._clock.now_ms())
        self._ledger, self._settler = begun.ledger, begun.settler
        self._settling = Settling(begun.ledger, begun.settler)
        self._collector = Collector(
            self._ledger,
            begun.verifier,
            nonce=lambda _node: entropy(_NONCE_BYTES),
            on_enrolled=self._settler.enrol,
            on_reply=self._inputs.answered,
        )
        for live, opened in zip(file.ports, ports, strict=True):
            self._lay(live, opened, begun.twins[live.expected.name])
        if duration_s is not None:
            self._end_ms = self._start_ms + duration_s * 1000
        yield self._started()
        for line in self._lines.values():
            line.reader.start()

    def go_on(self) -> Iterator[RunEvent]:
        """Take reports and act on deadlines until the end."""
        while not self._control.stopped and not self._is_over():
            self._wait()
            self._run_due()
            self._tell_time()
            yield from self._drain()

    def finish(self) -> Iterator[RunEvent]:
        """Commit and acknowledge what is there, and say how it ended."""
        self._flush()
        self._view()
        yield from self._drain()
        event, values = finished(
            now_ms=self._clock.now_ms(),
            ledger=self._ledger,
            twins=[line.twin.state for line in self._lines.values()],
            readings=self._readings,
            findings=tuple(self._findings),
        )
        duration_ns = (event.now_ms - self._folder.begun_ms) * _NS_PER_MS
        self._folder.end({**values, "duration_ns": duration_ns})
        yield event

    def close(self) -> None:
        """Let the ports go; nodes that meter a played load are told to stop, if they listen."""
        self._leave_inputs()
        for line in self._lines.values():
            line.reader.drop()
        for line in self._lines.values():
            line.reader.stop()

    # ---- beginning ---------------------------------------------------------------------------

    def _lay(self, live: LivePort, opened: _Opened, twin: Twin) -> None:
        name = live.expected.name
        key = live.public_key
        kid = None if key is None else kid_of(spki_der(key))
        self._collector.attach(live.expected, twin, kid=kid)
        port, opener = opened
        reader = PortReader(name, port, reopen=opener.open, inbox=self._inbox)
        self._lines[name] = _Line(live=live, reader=reader, twin=twin)
        self._inputs.attach(name, self._collector.session(name).command)

    def _started(self) -> RunStarted:
        return RunStarted(
            scenario="live collection",
            seed=0,
            start_ms=self._start_ms,
            end_ms=self._horizon_ms(self._start_ms),
            nodes=tuple(info_of(line.live) for line in self._lines.values()),
            out=str(self._folder.run.path),
        )

    # ---- going on ----------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return self._end_ms is not None and self._clock.now_ms() >= self._end_ms

    def _horizon_ms(self, now_ms: int) -> int:
        """Return the end, or of a collection without one, the end of the day."""
        return self._end_ms if self._end_ms is not None else (now_ms // _DAY_MS + 1) * _DAY_MS

    def _wait(self) -> None:
        """Take what has arrived; wait for it no longer than until the next deadline."""
        wait_ms = Fraction(TICK_MS)
        due_ms = min((due for due in self._deadlines() if due is not None), default=None)
        if due_ms is not None:
            left_ms = max(0, due_ms - self._clock.now_ms()) / self._file.speed
            wait_ms = min(wait_ms, left_ms)
        for report in self._inbox.take(float(wait_ms) / 1000):
            self._take(report)

    def _deadlines(self) -> Iterator[int | None]:
        yield self._collector.flush_at_ms
        for name, line in self._lines.items():
            yield self._collector.next_deadline_ms(name)
            if line.port is not None:
                yield line.set_clock_at_ms
                yield self._inputs.due_ms(name)

    def _take(self, report: PortOpened | PortRead | PortLost) -> None:
        line = self._lines[report.lane]
        now_ms = self._clock.now_ms()
        match report:
            case PortRead():
                self._silence.heard(report.lane, now_ms)
                t_ns = (now_ms - self._folder.begun_ms) * _NS_PER_MS
                self._folder.frames.append(t_ns, report.lane, report.data)
                self._tell(self._collector.receive(report.lane, report.data, now_ms))
            case PortOpened():
                line.port = report.port
                if line.was_lost:
                    self._collector.session(report.lane).hello()
                    self._change(report.lane, "running")
            case PortLost():
                line.port = None
                line.was_lost = True
                line.set_clock_at_ms = None
                self._change(report.lane, "unplugged")
                self._told.append(host_line(report.lane, now_ms, report.error))
        self._pump(report.lane)

    def _run_due(self) -> None:
        now_ms = self._clock.now_ms()
        for name, line in self._lines.items():
            due_ms = self._collector.next_deadline_ms(name)
            if due_ms is not None and due_ms <= now_ms:
                self._tell(self._collector.receive(name, b"", now_ms))
                self._pump(name)
            if line.set_clock_at_ms is not None and line.set_clock_at_ms <= now_ms:
                self._set_clock(name)
                self._pump(name)
            if line.port is not None:
                self._look_for_silence(name, line, now_ms)
        for name in self._inputs.act(self._plugged(), now_ms):
            self._pump(name)
        flush_ms = self._collector.flush_at_ms
        if flush_ms is not None and flush_ms <= now_ms:
            self._flush()
        for request in self._control.requests():
            self._told.append(refused_fault(request.node, request.kind.value, now_ms))

    def _look_for_silence(self, name: str, line: _Line, now_ms: int) -> None:
        session = self._collector.session(name)
        state = session.state
        if self._silence.act(name, session, line.live.interval_ms, now_ms):
            self._change(name, "silent")
            self._told.append(host_line(name, now_ms, SILENT))
        if session.state is not state:  # it was greeted
            self._pump(name)

    def _flush(self) -> None:
        self._tell(self._collector.flush(self._clock.now_ms()))
        for name in self._lines:
            self._pump(name)

    def _pump(self, name: str) -> None:
        """Send what the conversation has to say; without a port it keeps it."""
        line = self._lines[name]
        if line.port is None:
            return
        data = self._collector.outgoing(name, self._clock.now_ms())
        if not data:
            return
        try:
            line.port.write(data)
        except LinkError:
            line.port = None
            line.reader.drop()

    def _set_clock(self, name: str) -> None:
        self._lines[name].set_clock_at_ms = self._clock.now_ms() + SET_CLOCK_MS
        try:
            self._collector.session(name).command(Op.SET_TIME)
        except LocalProtocolError:  # it has not answered yet: the clock is set when it does
            return

    # ---- test input ---------------------------------------------------------------------------

    def end_inputs(self) -> Iterator[RunEvent]:
        """Send the nodes back to their sensors, and wait a little until they say so."""
        until_ns = monotonic_ns() + LEAVE_NS
        self._leave_inputs()
        while self._inputs.any_away(self._plugged()) and monotonic_ns() < until_ns:
            self._wait()
            self._run_due()
            yield from self._drain()

    def _leave_inputs(self) -> None:
        for name in self._inputs.leave(self._clock.now_ms()):
            self._pump(name)

    def _plugged(self) -> list[str]:
        return [name for name, line in self._lines.items() if line.port is not None]

    # ---- telling -----------------------------------------------------------------------------

    def _tell(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            match event:
                case RecordLogged():
                    record = event.verdict.record
                    assert record is not None, "only parsed records are logged"
                    self._settler.add(record, index=event.index)
                    self._readings[event.node] += record.event is None
                    self._keep_findings(event.verdict)
                case RecordRefused():
                    self._keep_findings(event.verdict)
                case NodeChanged(state="enrolled" | "connected"):
                    self._silence.connected(event.node)
                    self._set_clock(event.node)
                    self._inputs.connected(event.node, event.now_ms)
                case _:
                    pass
            self._told.append(event)

    def _keep_findings(self, verdict: Verdict) -> None:
        self._findings += (f for f in verdict.findings if f.severity >= Severity.WARNING)

    def _change(self, name: str, state: str) -> None:
        self._told.append(NodeChanged(node=name, now_ms=self._clock.now_ms(), state=state))

    def _tell_time(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms >= self._viewed_at_ms + VIEW_MS:
            self._view()
        if now_ms >= self._told_at_ms + TICK_MS:
            self._told_at_ms = now_ms
            self._told.append(Progressed(now_ms=now_ms, end_ms=self._horizon_ms(now_ms)))

    def _view(self) -> None:
        """Draw the running statements, log those that are due."""
        self._viewed_at_ms = now_ms = self._clock.now_ms()
        self._told += self._settling.tell(now_ms)

    def _drain(self) -> Iterator[RunEvent]:
        now_ms = self._clock.now_ms()
        self._told += (host_line(name, now_ms, text) for name, text in self._inputs.lines())
        while self._told:
            yield self._told.popleft()
