"""A record that arrives after a period is final moves no energy over its end."""

from __future__ import annotations

from hashlib import sha256

from test_settler_generations import HOUR_MS, Bench

from ledger_samples import EPOCH_MS, entry_of
from wattest.operations.settler import Drawn
from wattest.wire import parse_record


def log(bench: Bench, seq: int, milliwh: int) -> None:
    """Log one reading; ``seq`` counts minutes."""
    data = bench.node.sealed(seq, milliwh)
    bench.node.prev = sha256(data).digest()
    (receipt,) = bench.ledger.append([entry_of(data)])
    bench.settler.add(parse_record(data), index=receipt.index)


def hour(drawn: list[Drawn], number: int) -> Drawn:
    return next(d for d in drawn if d.statement.period.start_ms == EPOCH_MS + number * HOUR_MS)


def test_the_begin_is_frozen_when_the_period_before_is_final() -> None:
    bench = Bench()
    for seq, milliwh in ((1, 0), (51, 100_000), (71, 300_000), (120, 900_000)):
        log(bench, seq, milliwh)
    first = hour(bench.settle(3.1), 0).statement
    assert (first.state.value, first.opening) == ("final", None)
    log(bench, 59, 290_000)
    second = hour(bench.settle(3.5), 1).statement
    assert second.opening == first.cutoff.size
    assert first.lines[0].metered + second.lines[0].metered == 900_000


def test_nothing_is_frozen_where_it_makes_no_difference() -> None:
    bench = Bench()
    for seq, milliwh in ((1, 0), (51, 100_000), (71, 300_000), (120, 900_000)):
        log(bench, seq, milliwh)
    bench.settle(3.1)
    assert hour(bench.settle(3.5), 1).statement.opening is None
