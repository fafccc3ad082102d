"""A ledger in any store is cosigned and exported: one file, one database, one way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger_samples import plain, signer
from postgresql_samples import own_schema
from wattest.errors import ForkFound
from wattest.ledger import Ledger
from wattest.operations.kept.cosign import Cosigned, NotCosigned, cosign_ledger
from wattest.operations.kept.export_tiles import export_tiles
from wattest.store import open_store
from witness_samples import served, way_to

VKEY = signer().verifier.to_text()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Return where a ledger may be made."""
    if request.param == "sqlite":
        yield tmp_path / "ledger.sqlite"
        return
    with own_schema() as url:
        yield url


def grow(place: Path | str, *numbers: int) -> bytes:
    with open_store(place) as store:
        ledger = Ledger(store, signer())
        ledger.append([plain(number) for number in numbers])
        return ledger.root()


def test_a_ledger_in_any_store_is_cosigned_and_exported(place: Path | str, tmp_path: Path) -> None:
    with served(tmp_path / "w.json") as (server, told):
        for count in (3, 300):
            grow(place, *range(count))
            events = cosign_ledger(place, [way_to(server)], evidence=tmp_path / "f", key=VKEY)
            (event,) = events
            assert isinstance(event, Cosigned)
        assert [each.status for each in told] == [200, 200]  # it knew what the witness knows
    with open_store(place, read_only=True) as store:
        assert [row.size for row in store.cosigned()] == [3, 303]
    done = export_tiles(place, tmp_path / "tiles", key=VKEY)
    assert (done.size, done.cosignatures) == (303, 1)


def test_another_history_is_refused_and_nothing_is_kept_of_it(
    place: Path | str, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    grow(other, 1, 2, 3)
    grow(place, 7, 8, 9, 10)
    with served(tmp_path / "w.json") as (server, _):
        list(cosign_ledger(other, [way_to(server)], evidence=tmp_path / "f", key=VKEY))
        (event,) = cosign_ledger(place, [way_to(server)], evidence=tmp_path / "f", key=VKEY)
    assert isinstance(event, NotCosigned)
    assert isinstance(event.error, ForkFound)
    assert event.evidence is not None
    assert event.evidence.exists()
    with open_store(place, read_only=True) as store:
        assert list(store.cosigned()) == []
