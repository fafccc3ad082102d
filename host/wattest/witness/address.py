"""Where a witness answers, and how requests travel there."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from wattest.errors import ConfigError, LinkError, NoteError
from wattest.ledger.cosignature import WitnessKey
from wattest.ledger.witness import AddCheckpoint
from wattest.ledger.witness_client import Reply, WitnessLine
from wattest.witness.keeper import digest_of

ANSWER_BYTES_MAX = 65_536
PATIENCE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAddress:
    """A witness and where to ask it.

    Attributes:
        url: prefix of its addresses, without a slash at the end.
        key: its public key.
    """

    url: str
    key: WitnessKey

    @classmethod
    def from_text(cls, text: str) -> WitnessAddress:
        """Read ``URL#VKEY``.

        Raises:
            ConfigError: it is not an address of http or https, or not the key of a witness.
        """
        url, divider, vkey = text.partition("#")
        path = f"--witness {url}"
        if not divider:
            raise ConfigError("expected URL#VKEY, a witness and its key", path=path)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(str(error), path=path) from error
        plain = not (parts.query or parts.username or parts.password or port == 0)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ConfigError("expected http://HOST:PORT or https://HOST", path=path)
        try:
            key = WitnessKey.from_text(vkey)
        except NoteError as error:
            hint = "`wattest witness key` prints it where the witness runs"
            raise ConfigError(str(error), path=path, hint=hint) from error
        return cls(url=url.rstrip("/"), key=key)


def line_to(address: WitnessAddress, *, patience_s: float = PATIENCE_S) -> WitnessLine:
    """Return the way to a witness over HTTP; each request is a connection of its own.

    Args:
        address: where it answers.
        patience_s: how long to wait for each step, s.
    """

    def add(request: AddCheckpoint) -> Reply:
        return _ask(address.url, "POST", "/add-checkpoint", request.encode(), patience_s)

    def newest(origin: str) -> bytes | None:
        path = f"/{digest_of(origin)}/checkpoint"
        reply = _ask(address.url, "GET", path, None, patience_s)
        return reply.body if reply.status == http.HTTPStatus.OK else None

    return WitnessLine(key=address.key, where=address.url, add=add, newest=newest)


def _ask(url: str, method: str, path: str, body: bytes | None, patience_s: float) -> Reply:
    """Send one request; redirects are not followed: an address is what was agreed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patience_s)
    try:
        headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
        connection.request(method, parts.path + path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LinkError(
            f"witness {url}: cannot be reached: {reason.lower()}",
            hint="is it running, and is this its address?",
        ) from error
    finally:
        connection.close()
    if len(answer) > ANSWER_BYTES_MAX:
        raise LinkError(f"witness {url}: expected at most {ANSWER_BYTES_MAX} bytes of answer")
    kind_of_body = response.headers.get("Content-Type", "")
    return Reply(status=response.status, content_type=kind_of_body, body=answer)
