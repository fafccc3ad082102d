"""Clocks, plausibility, freshness and the sensor: steps 9 to 12."""

from __future__ import annotations

from typing import Any

import pytest
from chain import START_MS, Node, received

from wattest.verify import DerivedTime, Severity, Verdict, Verifier


@pytest.fixture
def node() -> Node:
    return Node()


def run(node: Node, *records: bytes, **changes: Any) -> list[Verdict]:
    verifier = Verifier([node.enrolment(**changes)])
    return [verifier.check(data, received_ms=received(data)) for data in records]


def only(verdict: Verdict, code: str, severity: Severity) -> str:
    """The message of the only finding, which must be this one."""
    assert [(f.code.value, f.severity) for f in verdict.findings] == [(code, severity)]
    return verdict.findings[0].message


def test_uptime_running_backwards_within_a_boot_is_an_error(node: Node) -> None:
    records = [node.first(), node.seal(), node.seal(after_ms=0, body={5: 50})]
    message = only(run(node, *records)[-1], "clock-backwards", Severity.ERROR)
    assert message == "uptime ran backwards: 60010 ms, then 50 ms"


def test_time_running_backwards_unsigned_is_an_error(node: Node) -> None:
    records = [node.first(), node.seal(), node.seal(body={3: START_MS + 60_009})]
    message = only(run(node, *records)[-1], "clock-backwards", Severity.ERROR)
    assert message == "time ran backwards by 1 ms without a time-set event"


def test_clock_set_back_under_signature_is_a_warning(node: Node) -> None:
    records = [node.first(), node.seal()]
    old_ms = START_MS + node.mono_ms + 10
    node.offset_ms = START_MS - 30_000
    records.append(node.event(2, {2: old_ms, 3: START_MS + node.mono_ms - 29_990, 4: 2}))
    records.append(node.seal())
    verdicts = run(node, *records)
    message = only(verdicts[2], "clock-backwards", Severity.WARNING)
    assert message == "clock set back by 30000 ms, signed"
    assert verdicts[3].findings == ()


def test_clock_set_forward_under_signature_is_clean_whatever_time_the_event_bears(
    node: Node,
) -> None:
    for bears_new_time in (True, False):
        twin = node.clone()
        records = [twin.first(), twin.seal()]
        old_ms = START_MS + twin.mono_ms + 10
        twin.offset_ms = START_MS + 90_000
        fields = {2: old_ms, 3: old_ms + 90_000, 4: 2}
        body = {} if bears_new_time else {3: old_ms}
        records += [twin.event(2, fields, body=body), twin.seal()]
        assert [v.findings for v in run(twin, *records)] == [()] * 4


def test_clock_step_without_event_is_a_warning(node: Node) -> None:
    records = [node.first(), node.seal(), node.seal(body={3: START_MS + 180_000})]
    message = only(run(node, *records)[-1], "clock-step", Severity.WARNING)
    assert message == "time went 119990 ms while uptime went 60000 ms"


def test_boot_is_clean(node: Node) -> None:
    records = [node.first(), node.seal(), node.boot(), node.seal()]
    assert [v.findings for v in run(node, *records)] == [()] * 4


def test_boot_count_that_does_not_rise_is_a_warning(node: Node) -> None:
    records = [node.first(), node.seal()]
    node.bootcount = 0
    message = only(run(node, *records, node.boot())[-1], "clock-backwards", Severity.WARNING)
    assert message == "another boot, but boot count 1, then 1"


@pytest.mark.parametrize(
    ("registers", "expected"),
    [
        ((17_224, 0, 0, 0), None),  # 1 kW for 62 s is 17,222.2 mWh, and two may be rounded
        ((17_225, 0, 0, 0), "17225000 µWh in 60000 ms, more than 1000000 mW can bring"),
        ((0, 17_225, 0, 0), "17225000 µWh in 60000 ms"),
        ((9_000, 9_000, 0, 0), "18000000 µWh in 60000 ms"),
        ((0, 0, 0, 1_000_000), None),
        ((0, 0, 0, 1_000_001), "power 1000001 mW, limit 1000000 mW"),
        ((0, 0, 0, -1_000_001), "power 1000001 mW, limit 1000000 mW"),
        ((0, 0, 62, 0), None),
        ((0, 0, 63, 0), "in use for 63 s within 60000 ms"),
    ],
)
def test_plausibility_ends_at_the_power_limit(
    node: Node, registers: tuple[int, int, int, int], expected: str | None
) -> None:
    verdict = run(node, node.first(), node.seal(registers=registers))[-1]
    if expected is None:
        assert verdict.findings == ()
    else:
        assert expected in only(verdict, "implausible", Severity.ERROR)


UNREAD = {7: "D", 8: "E"}


@pytest.mark.parametrize(
    ("milliwh", "booted", "expected"),
    [
        (50_557, False, None),  # 1 kW for 182 s is 50,555.6 mWh
        (50_558, False, "50558000 µWh in 60000 ms, more than 1000000 mW can bring"),
        (17_500, True, "17500000 µWh in "),
    ],
)
def test_energy_that_a_sensor_kept_while_it_could_not_be_read_may_come_in_one_step(
    milliwh: int, booted: bool, expected: str | None, node: Node
) -> None:
    records = [node.first(), node.seal(body=UNREAD), node.seal(body=UNREAD)]
    if booted:  # what was owed before is gone with the boot
        records.append(node.boot())
    records.append(node.seal(registers=(milliwh, 0, 0, 0)))
    verdict = run(node, *records)[-1]
    if expected is None:
        assert verdict.findings == ()
    else:
        assert expected in only(verdict, "implausible", Severity.ERROR)
    again = run(node, *records, node.seal(registers=(milliwh + 17_225, 0, 0, 0)))[-1]
    assert "17225000 µWh in 60000 ms" in only(again, "implausible", Severity.ERROR)


def test_energy_across_a_boot_is_judged_by_time(node: Node) -> None:
    records = [node.first(), node.seal()]
    records.append(node.boot())
    records.append(node.seal(registers=(17_500, 0, 0, 0)))
    assert "implausible" in [f.code for f in run(node, *records)[-1].findings]
    twin = Node()
    records = [twin.first(), twin.seal()]
    twin.registers = (17_500, 0, 0, 0)
    twin.offset_ms = START_MS + 120_000
    records.append(twin.boot())
    assert run(twin, *records)[-1].findings == ()


def test_energy_across_a_boot_without_time_is_not_judged(node: Node) -> None:
    node.offset_ms = None
    records = [node.first(), node.seal()]
    node.registers = (10**9, 0, 0, 0)
    records.append(node.boot())
    assert [f.code.value for f in run(node, *records)[-1].findings] == ["late-time"]


def test_age_and_future_are_judged_against_reception(node: Node) -> None:
    data = node.first()
    time_ms = START_MS + 10
    for received_ms, expected in (
        (time_ms + 900_000, []),
        (time_ms + 900_001, ["stale"]),
        (time_ms - 60_000, []),
        (time_ms - 60_001, ["ahead"]),
        (None, []),
    ):
        verdict = Verifier([node.enrolment()]).check(data, received_ms=received_ms)
        assert [finding.code.value for finding in verdict.findings] == expected


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({7: "D", 8: "E"}, "status", "status D, not usable: E"),
        ({7: "O"}, "status", "status O"),
        ({8: "t"}, "status", "status G, not usable: t"),
        ({16: 1}, "injected-input", "measured injected input, not its own sensor"),
        ({16: 2}, "injected-input", "measured stimulus input, not its own sensor"),
    ],
)
def test_sensor_trouble_is_a_warning(
    node: Node, body: dict[int, Any], code: str, message: str
) -> None:
    verdict = run(node, node.first(), node.seal(body=body))[-1]
    assert only(verdict, code, Severity.WARNING) == message


def test_time_set_event_gives_earlier_records_of_its_boot_their_time(node: Node) -> None:
    node.offset_ms = None
    records = [node.first(), node.seal(), node.boot(), node.seal(), node.seal()]
    new_ms = START_MS + 500_000
    node.offset_ms = new_ms - node.mono_ms - 10
    records += [node.event(2, {3: new_ms, 4: 2}), node.seal()]
    verdicts = run(node, *records)
    late = [[f.code.value for f in verdict.findings] for verdict in verdicts]
    assert late == [["late-time"]] * 5 + [[], []]
    assert [verdict.derived for verdict in verdicts if verdict.derived] == [
        (
            DerivedTime(kid=node.kid, ctx=2, seq=2, time_ms=new_ms - 120_010, event_seq=3),
            DerivedTime(kid=node.kid, ctx=0, seq=2, time_ms=new_ms - 60_010, event_seq=3),
            DerivedTime(kid=node.kid, ctx=0, seq=3, time_ms=new_ms - 10, event_seq=3),
        )
    ]


def test_time_set_event_without_a_time_of_its_own_is_settled_by_itself(node: Node) -> None:
    node.offset_ms = None
    records = [node.first(), node.event(2, {3: START_MS, 4: 2})]
    derived = run(node, *records)[-1].derived
    assert [(one.seq, one.time_ms) for one in derived] == [(1, START_MS - 10), (2, START_MS)]
