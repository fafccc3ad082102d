"""Each rule of the record schema has a vector that breaks only it; the offset names the value."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from wire_oracle import BODY, event, reading, unsigned

from wattest.errors import RecordError
from wattest.wire import parse_record

BOOT = {1: 1, 2: 0, 3: 0, 4: 0, 5: 0}
ERROR = {1: 4, 2: 1, 3: 1}
LONG = bytes(1024)


def register(**changes: Any) -> list[Any]:
    """One register with some of its four parts changed."""
    parts = {"obis": bytes(6), "mantissa": 1, "scale": 0, "unit": 30, **changes}
    return list(parts.values())


def changed(name: str, body: dict[int, Any], *path: int) -> Any:
    """A case that breaks a body field; the offset is that of the value at ``path``."""
    return pytest.param(reading(body=body), name, (BODY, *path), id=f"{name} {body}"[:60])


def claimed(name: str, claims: dict[int, Any], *path: int) -> Any:
    """A case that breaks a claim."""
    return pytest.param(reading(claims=claims), name, path, id=f"{name} {claims}"[:60])


def logged(name: str, fields: Any, *path: int, **changes: Any) -> Any:
    """A case that breaks an event."""
    return pytest.param(
        event(fields, **changes), name, (BODY, 17, *path), id=f"{name} {fields}"[:60]
    )


CASES = [
    pytest.param([1], "claims", (), id="claims are an array"),
    claimed("serial", {2: None}),
    claimed("serial", {2: ""}, 2),
    claimed("serial", {2: "x" * 33}, 2),
    claimed("serial", {2: "no\nline"}, 2),
    claimed("serial", {2: "µ"}, 2),
    claimed("serial", {2: b"bytes"}, 2),
    claimed("nonce", {10: bytes(7)}, 10),
    claimed("nonce", {10: bytes(65)}, 10),
    claimed("nonce", {10: bytes(8)}, 10),
    claimed("ueid", {256: bytes(6)}, 256),
    claimed("ueid", {256: bytes(7)}, 256),
    claimed("uptime", {261: -1}, 261),
    claimed("uptime", {261: 1}, 261),
    claimed("dbgstat", {263: 5}, 263),
    claimed("dbgstat", {263: 0}, 263),
    claimed("bootcount", {267: None}),
    claimed("bootcount", {267: -1}, 267),
    claimed("bootseed", {268: None}),
    claimed("bootseed", {268: bytes(7)}, 268),
    claimed("swname", {270: 1}, 270),
    claimed("swname", {270: "n"}, 270),
    claimed("swversion", {271: "1"}, 271),
    claimed("swversion", {271: [1]}, 271),
    claimed("swversion", {271: ["1"]}, 271),
    claimed("body", {BODY: None}),
    claimed("body", {BODY: [1]}, BODY),
    changed("seq", {1: None}),
    changed("seq", {1: 0}, 1),
    changed("seq", {1: -1}, 1),
    changed("seq", {1: True}, 1),
    changed("ctx", {2: None}),
    changed("ctx", {2: 3}, 2),
    changed("time", {3: "now"}, 3),
    changed("tsync", {4: None}),
    changed("tsync", {4: 4}, 4),
    changed("mono", {5: None}),
    changed("mono", {5: -1}, 5),
    changed("registers", {6: None}),
    changed("registers", {6: {}}, 6),
    changed("registers", {6: []}, 6),
    changed("registers", {6: [register()] * 9}, 6),
    changed("register", {6: [register(), [1]]}, 6, 1),
    changed("register", {6: [5]}, 6, 0),
    changed("obis", {6: [register(obis=bytes(5))]}, 6, 0, 0),
    changed("obis", {6: [register(obis="123456")]}, 6, 0, 0),
    changed("mantissa", {6: [register(mantissa=b"1")]}, 6, 0, 1),
    changed("scale", {6: [register(scale=7)]}, 6, 0, 2),
    changed("scale", {6: [register(scale=-7)]}, 6, 0, 2),
    changed("unit", {6: [register(unit=-1)]}, 6, 0, 3),
    changed("status", {7: None}),
    changed("status", {7: "g"}, 7),
    changed("status", {7: "GT"}, 7),
    changed("status", {7: ""}, 7),
    changed("err", {8: ""}, 8),
    changed("err", {8: "tE"}, 8),
    changed("tx", {9: "B"}, 9),
    changed("tx", {2: 1}),
    changed("tx", {2: 1, 9: "Z"}, 9),
    changed("tx", {2: 1, 9: "BE"}, 9),
    changed("evt", {10: None}),
    changed("evt", {10: -1}, 10),
    changed("prev", {11: None}),
    changed("prev", {11: bytes(31)}, 11),
    changed("cfg", {12: None}),
    changed("cfg", {12: bytes(17)}, 12),
    changed("cur", {13: 2}, 13),
    changed("loss", {14: {1: 1, 2: 1}}, 14),
    changed("loss", {14: {1: 1, 2: 1, 3: "0"}}, 14),
    changed("user", {15: [True, "NONE", [], "NONE", ""]}, 15),
    changed("user", {2: 1, 9: "B", 15: [1, "NONE", [], "NONE", ""]}, 15),
    changed("user", {2: 1, 9: "B", 15: [True, "NONE", [1], "NONE", ""]}, 15),
    changed("user", {2: 1, 9: "B", 15: [True, "NONE", [], "NONE"]}, 15),
    changed("input", {16: None}),
    changed("input", {16: 3}, 16),
    changed("event", {17: {1: 7}}, 17),
    changed("event", {2: 2, 10: 7}),
    changed("event", {2: 2, 10: 7, 17: [1]}, 17),
    changed("body-key", {18: 0}, 18),
    changed("body-key", {23: 0}, 23),
    changed("body-key", {0: 0}, 0),
    changed("body-key", {-1: 0}, -1),
    pytest.param(event({1: 5, 2: 1}, body={10: 2}), "evt", (BODY, 10), id="evt of another event"),
    pytest.param(event({1: 7}), "nonce", (BODY, 17), id="identify without nonce"),
    logged("event-kind", {2: 1}),
    logged("event-kind", {1: 0}, 1),
    logged("event-kind", {1: 11}, 1),
    logged("event-kind", {1: "1"}, 1),
    logged("event-key", {**ERROR, 5: 1}, 5),
    logged("event-key", {**ERROR, 0: 1}, 0),
    logged("cause", {**BOOT, 2: -1}, 2),
    logged("unmetered-ms", {1: 1, 2: 0, 4: 0, 5: 0}),
    logged("registers-from", {**BOOT, 4: 3}, 4),
    logged("torn-bytes", {**BOOT, 5: "1"}, 5),
    logged("old-time", {1: 2, 2: "x", 3: 1, 4: 0}, 2),
    logged("new-time", {1: 2, 4: 0}),
    logged("new-tsync", {1: 2, 3: 1, 4: 4}, 4),
    logged("parameter", {1: 3, 2: 2, 3: 0, 4: 0}, 2),
    logged("old", {1: 3, 2: 1, 4: 0}),
    logged("new", {1: 3, 2: 1, 3: 0}),
    logged("code", {**ERROR, 2: -1}, 2),
    logged("active", {**ERROR, 3: 2}, 3),
    logged("detail", {**ERROR, 4: "x"}, 4),
    logged("closed", {1: 5, 2: 2}, 2),
    logged("reason", {1: 6, 3: 1}),
    logged("total", {1: 6, 2: 1, 3: -1}, 3),
    logged("old", {1: 8, 2: 3, 3: 0}, 2),
    logged("new", {1: 8, 2: 0, 3: 3}, 3),
    logged("reason", {1: 9, 2: 3}, 2),
    logged("lost", {1: 10, 2: 1}),
    claimed("integer-range", {-70_000: 2**63}, -70_000),
    claimed("map-key", {-70_000: {"text": 1}}),
    claimed("null", {BODY + 1: {1: None}}),
    claimed("float", {-70_000: 1.5}, -70_000),
    claimed("tag", {-70_000: cbor2.CBORTag(1, 5)}, -70_000),
    changed("depth", {24: [[[[1]]]]}),
]


def offset_of_value(data: bytes, path: tuple[int, ...]) -> int:
    """Where the value at ``path`` begins: the sizes of what cbor2 writes before it."""
    payload = cbor2.loads(data).value[2]
    base = data.index(payload)
    value = cbor2.loads(payload)
    offset = 0
    for step in path:
        head = cbor2.dumps(len(value))
        offset += len(head)
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        for key, item in items:
            offset += len(cbor2.dumps(key)) if isinstance(value, dict) else 0
            if key == step:
                value = item
                break
            offset += len(cbor2.dumps(item))
    return base + offset


@pytest.mark.parametrize(("claims", "rule", "path"), CASES)
def test_broken_rule_is_named_at_its_value(claims: Any, rule: str, path: tuple[int, ...]) -> None:
    data = unsigned(claims)
    with pytest.raises(RecordError, match=rf"^record: {rule} at byte \d+") as caught:
        parse_record(data)
    if rule not in {"map-key", "null", "depth"}:  # these name a place inside the value
        assert caught.value.offset == offset_of_value(data, path)


def test_record_beyond_1024_bytes_is_refused() -> None:
    data = unsigned(reading(claims={-70_000: LONG}))
    with pytest.raises(
        RecordError, match=r"^record: size at byte 1024 \(\d+ bytes, at most 1024\)"
    ):
        parse_record(data)


def test_record_of_1024_bytes_is_read() -> None:
    base = len(unsigned(reading(claims={-70_000: bytes(300)}))) - 300
    data = unsigned(reading(claims={-70_000: bytes(1024 - base)}))
    assert len(data) == 1024
    assert parse_record(data).extra_claims == ((-70_000, bytes(1024 - base)),)
