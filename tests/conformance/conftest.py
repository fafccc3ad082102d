"""The stores that one suite holds for."""

import pytest

from ledger_samples import SampleNode, signer
from postgresql_samples import own_schema
from wattest.ledger import Ledger
from wattest.store import MemoryStore, SqliteStore
from wattest.store.postgresql import PostgresqlStore


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def store(request, tmp_path):
    """An empty store of each kind."""
    if request.param == "postgresql":
        with own_schema() as url, PostgresqlStore(url) as opened:
            yield opened
        return
    opened = (
        SqliteStore(tmp_path / "ledger.sqlite") if request.param == "sqlite" else MemoryStore()
    )
    yield opened
    opened.close()


@pytest.fixture
def ledger(store):
    """A ledger over the store."""
    return Ledger(store, signer())


@pytest.fixture
def node():
    """A node that signs readings."""
    return SampleNode()
