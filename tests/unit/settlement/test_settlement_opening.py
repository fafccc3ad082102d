"""The value at the begin of a period is frozen once the period before is final."""

from __future__ import annotations

from typing import Any

import pytest
from settlement_bench import (
    CUTOFF,
    make_node,
    make_readings,
    make_terms,
    terms_map,
    window,
)

from wattest.errors import VerificationError
from wattest.settlement import Cutoff, Statement, recompute, settle, terms_hash
from wattest.wire import cbor

MARCH = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
APRIL = ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")
BASE = [
    {"at": MARCH[0], "import": 0, "index": 1},
    {"at": "2026-03-31T23:45:00Z", "import": 1_000_000, "index": 2},
    {"at": "2026-04-01T00:15:00Z", "import": 2_000_000, "index": 3},
    {"at": APRIL[1], "import": 9_000_000, "index": 20},
]
LATE = {"at": "2026-03-31T23:50:00Z", "import": 1_900_000, "seq": 9, "index": 10}
LATER = {"at": "2026-04-01T00:05:00Z", "import": 1_950_000, "seq": 10, "index": 11}


def drawn(
    specs: list[dict[str, Any]],
    period: tuple[str, str],
    *,
    opening: int | None = None,
    cutoff: Cutoff = CUTOFF,
) -> Statement:
    return settle(
        make_terms(terms_map()),
        make_readings(specs),
        window(*period),
        nodes=[make_node()],
        cutoff=cutoff,
        opening=opening,
    )


def metered(*given: Any, **options: Any) -> int:
    return drawn(*given, **options).lines[0].metered


def test_late_records_around_a_final_end_move_no_energy_over_it() -> None:
    closed = metered(BASE[:3], MARCH)
    late = [*BASE, LATE, LATER]
    whole = metered(late, (MARCH[0], APRIL[1]))
    assert closed == 1_500_000
    assert closed + metered(late, APRIL) != whole
    assert closed + metered(late, APRIL, opening=4) == whole


def test_records_that_change_nothing_of_the_end_still_count() -> None:
    inside = {"at": "2026-04-10T00:00:00Z", "import": 4_000_000, "seq": 9, "index": 10}
    frozen = drawn([*BASE, inside], APRIL, opening=4)
    assert frozen.lines[0].usage[0].keys[0].records == 4


def test_an_end_inside_of_a_gap_is_not_frozen() -> None:
    far = [{**BASE[1], "at": "2026-03-31T20:00:00Z"}, *BASE[2:], LATE]
    assert metered(far, APRIL, opening=4) == metered(far, APRIL)
    assert metered(far, APRIL) > metered(far[:-1], APRIL)


def test_a_key_that_nobody_knew_then_is_not_frozen() -> None:
    specs = [LATE, LATER, BASE[3]]
    assert metered(specs, APRIL, opening=4) == metered(specs, APRIL)


def test_a_logged_statement_is_drawn_again_with_its_opening() -> None:
    specs, cutoff = [*BASE, LATE, LATER], Cutoff(size=30, root=bytes(32))
    statement = drawn(specs, APRIL, opening=4, cutoff=cutoff)
    evidence: dict[str, Any] = {
        "terms": {terms_hash(statement.terms): statement.terms},
        "readings": make_readings(specs),
        "nodes": [make_node()],
    }
    assert statement.to_document()["opening"] == 4
    assert recompute(statement.to_cbor(), **evidence).to_cbor() == statement.to_cbor()
    for change in ({"opening": 12}, {"opening": "4"}):
        body = cbor.encode({**statement.to_document(), **change})
        with pytest.raises(VerificationError, match=r"step [13]: "):
            recompute(body, **evidence)


def test_the_opening_is_a_place_and_no_part_of_the_economic_digest() -> None:
    same = drawn(BASE, APRIL), drawn(BASE, APRIL, opening=4)
    assert same[0].digest != same[1].digest
    assert same[0].economic_digest == same[1].economic_digest
