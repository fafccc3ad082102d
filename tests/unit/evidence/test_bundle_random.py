"""Ledgers at random: whatever happened to the nodes, a bundle holds all its amounts need."""

from __future__ import annotations

import random

import pytest
from evidence_bench import EPOCH_MS, MINUTE_MS, Bench, Meter
from scenes import CONTRACT, HOUR_MS

from wattest.evidence.select import subjects_of
from wattest.evidence.verify import verdict_of
from wattest.ledger import EntryKind
from wattest.wire.entries import LoggedEstimate

PERIODS = 3
BOOT, TIME_SET, RELAY, INPUT = 1, 2, 5, 8
_METERED = 'quantity = "import_energy"\nunit = "kWh"\n'
_USE = f"""
template = "PAY_PER_USE"
code = "use"
{_METERED}
price = "0.35"
estimate_cap = "2"
"""
_FREE = f"""
template = "FREEMIUM"
code = "free"
{_METERED}
free = "0.3"
price = "0.2"
carry = 2
estimate_cap = "1"
"""
_COUNT = """
template = "PAY_PER_USE"
code = "count"
quantity = "record_count"
price = "0.01"
"""
_UP = """
template = "PAY_FOR_PERFORMANCE"
code = "up"
amount = "5"
metric = "availability"
bands = [{ from = "0.9", multiplier = "1" }, { from = "0", multiplier = "0.5" }]
"""
_LINES = (_USE, _FREE, _COUNT, _UP)


def terms(chance: random.Random) -> str:
    policy = {
        "max_gap_s": chance.choice([600, 3600]),
        "unmetered": chance.choice(["zero", "estimate", "exclude"]),
        "derived_time": chance.choice(["accept", "estimate", "exclude"]),
        "input": chance.choice(["sensor", "any"]),
        "status": chance.choice(["accept", "exclude"]),
        "estimates": chance.choice(["rule", "logged"]),
    }
    lines = chance.sample(_LINES, chance.randint(1, len(_LINES)))
    return "\n".join(
        [
            f'contract = "{CONTRACT}"\nseller = "lake"\nbuyer = "cabin"\nassets = ["lamp"]',
            'currency = "EUR"\n[period]\nkind = "fixed"',
            "start = 2026-01-01T00:00:00Z\nduration_s = 3600\n[policy]",
            *(
                f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
                for key, value in policy.items()
            ),
            *(f"[[line]]\n{line}" for line in lines),
        ]
    )


class Node:
    """A meter with a life: it reboots without its clock, loses its sensor, is played to."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.meter = Meter(number, "lamp")
        self.chance = chance
        self.timed = True
        self.boots = 0
        self.input = 0

    def records(self, minute: int) -> list[bytes]:
        """Return what it seals in a minute of its life."""
        at = EPOCH_MS + minute * MINUTE_MS + self.chance.choice([0, 0, 0, 1, 700])
        what = self.chance.random()
        if what < 0.04:
            return [self.boot(at)]
        if what < 0.08:
            return [self.event(at, {1: RELAY, 2: self.chance.randint(0, 1)})]
        if what < 0.11:
            old, self.input = self.input, self.chance.choice([0, 0, 1])
            return [self.event(at, {1: INPUT, 2: old, 3: self.input})]
        if not self.timed and what < 0.5:
            self.timed = True
            return [self.event(at, {1: TIME_SET, 3: at, 4: 2})]
        self.meter.import_milliwh += self.chance.choice([0, 20_000, 100_000])
        status = self.chance.choice(["G", "G", "G", "G", "D"])
        return [self.meter.seal(at, timed=self.timed, _7=status, _16=self.input)]

    def boot(self, at: int) -> bytes:
        self.boots += 1
        self.timed = self.chance.random() < 0.3
        self.meter.bootseed = bytes([self.boots]) * 8
        self.meter.boot_ms = at - 300
        return self.event(at, {1: BOOT, 2: 1, 3: 500, 4: 2, 5: 0})

    def event(self, at: int, event: dict[int, int]) -> bytes:
        meter = self.meter
        return meter.seal(at, 2, timed=self.timed, _17=event, _10=meter.seq[2] + 1, _16=self.input)


def life(chance: random.Random) -> Bench:
    """Return a ledger of three periods, with late records, generations and estimates."""
    bench = Bench()
    bench.log_terms(terms(chance))
    nodes = [Node(number + 1, chance) for number in range(chance.randint(1, 2))]
    for node in nodes:
        bench.enrol(node.meter.enrolment())
    waiting: list[bytes] = []
    settled: list[int] = []
    step = chance.choice([3, 7, 15])
    silence = chance.choice([range(0), range(40, 75), range(100, 200)])
    for minute in range(-40, 60 * PERIODS + 50, step):
        for node in nodes:
            records = node.records(minute) if minute not in silence else []
            late = chance.random() < 0.15
            (waiting.extend if late else lambda some: bench.add(*some))(records)
        if chance.random() < 0.1:
            bench.add(*waiting)
            waiting = []
        if chance.random() < 0.08:
            estimate(bench, chance)
        for number in range(PERIODS):
            if minute > 60 * (number + 1) + 5 and chance.random() < 0.12:
                settle(bench, number, settled, final=False)
    bench.add(*waiting)
    for number in range(PERIODS):
        settle(bench, number, settled, final=chance.random() < 0.7)
    return bench


def settle(bench: Bench, number: int, settled: list[int], *, final: bool) -> None:
    start = EPOCH_MS + number * HOUR_MS
    settled.append(number)
    bench.settle(CONTRACT, start, start + HOUR_MS, generation=settled.count(number), final=final)


def estimate(bench: Bench, chance: random.Random) -> None:
    start = EPOCH_MS + chance.randrange(60 * PERIODS) * MINUTE_MS
    logged = LoggedEstimate(
        asset="lamp",
        quantity="import_energy",
        window=(start, start + chance.choice([2, 5, 20]) * MINUTE_MS),
        count=chance.choice([1_000, 40_000]),
        model=bytes(32),
        inputs=bytes(32),
        made_ms=start,
    )
    index = bench.append(EntryKind.ESTIMATE, logged.to_cbor())
    bench.estimates[index] = logged


@pytest.mark.parametrize(
    "seeds", [range(15), pytest.param(range(15, 600), marks=pytest.mark.long)], ids=str
)
def test_bundle_of_any_ledger_settles_to_the_same_bytes(seeds: range) -> None:
    for seed in seeds:
        bench = life(random.Random(seed))
        maker = bench.maker()
        subjects = subjects_of(maker.catalogue, CONTRACT)
        assert len(subjects) == PERIODS
        for subject in subjects:
            verdict = verdict_of(maker.statement(subject), log_key=bench.log)
            assert verdict.passed, (seed, subject.period, verdict)
