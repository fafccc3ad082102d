"""A PostgreSQL server to test with: a schema for each test, dropped at its end.

The server is named by WATTEST_TEST_POSTGRESQL, a URL; tests/postgresql_server.sh starts one.
"""

import os
import uuid
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

VARIABLE = "WATTEST_TEST_POSTGRESQL"


def server_url():
    """Return the URL of the server; skip the test if there is none."""
    url = os.environ.get(VARIABLE, "")
    if not url:
        pytest.skip(f"no server: {VARIABLE} is not set, see tests/postgresql_server.sh")
    return url


def with_schema(url, name):
    """Return a URL that leads to a schema of the same database."""
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}options=-csearch_path%3D{name}"


@contextmanager
def own_schema():
    """Hand out the URL of an empty schema."""
    url = server_url()
    name = f"test_{uuid.uuid4().hex}"
    run_sql(url, f"CREATE SCHEMA {name}")
    try:
        yield with_schema(url, name)
    finally:
        run_sql(url, f"DROP SCHEMA {name} CASCADE", "SET client_min_messages = warning")


def run_sql(url, sql, *before):
    """Run statements as somebody else would, and return the rows of the last."""
    with psycopg.connect(make_conninfo(url), autocommit=True) as connection:
        for statement in before:
            connection.execute(statement)
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []
