"""What PostgreSQL and its client say, as one clear line; and what to call a database."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from wattest.errors import DamagedStore, StoreError

_VERIFY = "run `wattest verify` on the ledger"
_AGAIN = "try again when it is back; records that were logged already are not logged twice"

# (beginning of the SQLSTATE, what it means, what to do next); the longest beginning comes first.
_MEANINGS = (
    ("55P03", "another program holds the ledger", "close it, then try again"),
    ("53100", "the server's disk is full", "free some space there, then try again"),
    ("53300", "the server takes no more connections", "close some, then try again"),
    ("53", "the server is short of something it needs", "look into its log, then try again"),
    ("42501", "the user has no right to do that", "let the owner of the schema grant it"),
    ("25006", "it is read-only", "open it for writing, or write to the primary server"),
    ("28", "the server refuses the user or the password", "check both, and its pg_hba.conf"),
    ("3D000", "there is no such database", "make it with createdb, or check the URL"),
    ("42P01", "a table of the ledger is missing", _VERIFY),
    ("42703", "a column of the ledger is missing", _VERIFY),
    ("XX00", "the server finds its data damaged", f"{_VERIFY}, or restore a copy"),
    ("22", "the schema refuses the rows", _VERIFY),
    ("23", "the schema refuses the rows", _VERIFY),
    ("57P03", "the server is not ready", "wait until it is"),
    ("57P", "the server went away", _AGAIN),
    ("25P03", "the server closed a turn that lasted too long", _AGAIN),
    ("08", "the server went away", _AGAIN),
)

_DAMAGED = {"42P01", "42703", "XX00"}

# What the client says without an SQLSTATE: of connections that are refused or lost.
_SAID = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("role ", "28"),
    ("database ", "3D000"),
    ("closed the connection", "08"),
    ("connection is lost", "08"),
    ("too many", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
)


def place_of(url: str) -> str:
    """Return what to call the database of a URL: without its password.

    Raises:
        StoreError: the URL cannot be read.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as exc:
        raise StoreError(
            f"the URL of the database cannot be read: {exc}",
            hint="write it as postgresql://user@host:5432/database",
        ) from exc
    user, host, port = (str(parts.get(key) or "") for key in ("user", "host", "port"))
    in_folder = host.startswith("/")
    where = "" if in_folder else host + (f":{port}" if port else "")
    name = f"postgresql://{user + '@' if user else ''}{where}/{parts.get('dbname') or user}"
    return f"{name}?host={host}" if in_folder else name


def explain(exc: psycopg.Error, place: str, doing: str) -> StoreError:
    """Make one clear line of an error.

    Args:
        exc: what the client raised.
        place: what to call the database.
        doing: what we were doing, such as ``appending 3 entries``.
    """
    said = " ".join(str(exc).split())
    state = exc.sqlstate or next((s for words, s in _SAID if words in said), "")
    for beginning, meaning, hint in _MEANINGS:
        if state.startswith(beginning):
            error = DamagedStore if beginning in _DAMAGED else StoreError
            return error(f"{place}: {meaning} ({doing}: {said})", hint=hint)
    if isinstance(exc, psycopg.OperationalError):
        hint = "check that the server runs and that the URL is right"
        return StoreError(f"{place}: no connection to the server ({doing}: {said})", hint=hint)
    return StoreError(f"{place}: {doing}: {said}")
