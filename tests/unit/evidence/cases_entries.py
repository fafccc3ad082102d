"""Steps 6, 8 and 9: forms of entries, keys and signatures, what must be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evidence_bench import EPOCH_MS, MINUTE_MS, Meter, Signer, resigned
from forge import Forge
from mutants import Expected, Mutant
from scenes import CONTRACT, PERIOD, Scene

from wattest.ledger import EntryKind
from wattest.wire import cbor
from wattest.wire.act import Agreement
from wattest.wire.enrolment import EnrolmentAction, KeptFinding
from wattest.wire.record_reader import parse_record

K = EntryKind


def cases(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    forges = {n: Forge.of(s.bench, s.data, s.witnesses) for n, s in scenes.items()}
    yield from _forms(forges["statement"], scenes["statement"])
    yield from _records(forges["reading"])
    yield from _conflicts(forges["statement"])
    yield from _complete(forges)
    yield from _sessions(forges["session"])


def _made(name: str, base: str, forge: Forge, step: int | None, rule: str | None = None) -> Mutant:
    expect = Expected(passed=step is None, step=step, rule=rule)
    return Mutant(name=name, base=base, members=forge.members(), expect=expect)


def _forms(forge: Forge, scene: Scene) -> Iterator[Mutant]:
    def added(name: str, kind: int, body: bytes, rule: str = "form") -> Mutant:
        changed = forge.copy()
        changed.add(kind, body)
        return _made(name, "statement", changed, 6, rule)

    record = forge.entries[forge.places(K.READING)[0]][1]
    event = Meter(1, "lamp").seal(EPOCH_MS, 2, _17={1: 3, 2: 1, 3: 1, 4: 2}, _10=1)
    yield added("entry of kind 0", 0, b"\xa0", "kind")
    yield added("entry of kind 14", 14, b"\xa0", "kind")
    yield added("entry of kind 255", 255, b"", "kind")
    yield added("an event called a reading", K.READING, event)
    yield added("a reading called an event", K.EVENT, record)
    yield added("an empty body", K.READING, b"")
    yield added("a reading cut off", K.READING, record[:-1])
    yield added("a byte behind a reading", K.READING, record + b"\0")
    yield added("a reading without its tag", K.READING, record[1:])
    yield added("a reading of more than 1,024 bytes", K.READING, record + bytes(1_024))
    for name, body in _odd_records():
        yield added(name, K.READING, body)
    for name, body in _odd_enrolments():
        yield added(name, K.ENROLMENT, body)
    finding = {1: "refused", 2: bytes(8), 3: 0, 4: 1, 5: "text"}
    yield added("a finding without its message", K.FINDING, cbor.encode({**finding, 5: 1}))
    yield added("a finding with an unknown key", K.FINDING, cbor.encode({**finding, 7: 1}))
    agreement = forge.entries[forge.places(K.AGREEMENT)[0]][1]
    yield added("an agreement called a payment", K.PAYMENT, agreement)
    yield added("an act in the type of a record", K.AGREEMENT, record)
    yield added("terms that are a list", K.TERMS, cbor.encode([]))
    yield added("terms with whole-number keys", K.TERMS, cbor.encode({1: "wattest-terms/1"}))
    yield added(
        "terms of another format", K.TERMS, cbor.encode({"format": "terms", "contract": ""})
    )
    yield added("terms without a contract", K.TERMS, cbor.encode({"format": "wattest-terms/1"}))
    for name, change in _odd_statements():
        changed = forge.copy()
        changed.edit(changed.places(K.STATEMENT)[-1], change)
        yield Mutant(
            name=name,
            base="statement",
            members=changed.members(restate=False),
            expect=Expected(passed=False, step=6, rule="form"),
        )
    yield added("a machine dispute of another reason", K.DISPUTE, cbor.encode({1: "doubt"}))
    yield added("an estimate of an empty window", K.ESTIMATE, cbor.encode(
        {1: "lamp", 2: "import_energy", 3: [5, 5], 4: 1, 5: bytes(32), 6: bytes(32), 7: 1}
    ))  # fmt: skip
    yield added("an anchor without its place", K.ANCHOR, cbor.encode({1: 1, 2: bytes(32)}))
    yield added(
        "a rotation of a short signature", K.ROTATION, cbor.encode({1: "a", 2: "b", 3: b""})
    )
    late = Agreement(
        contract=CONTRACT, party="lake", time_ms=1, terms=bytes(31), public_key=bytes(64)
    )
    yield added("an agreement to 31 bytes", K.AGREEMENT, scene.parties["lake"].act(late))


def _odd_records() -> Iterator[tuple[str, bytes]]:
    def sealed(**changes: Any) -> bytes:
        return Meter(1, "lamp").seal(EPOCH_MS, **changes)

    yield "a reading of status Q", sealed(_7="Q")
    yield "a reading with an unknown key 20", sealed(_20=1)
    yield "a reading with a transaction mark", sealed(_9="B")
    yield "a reading of an unknown input", sealed(_16=3)
    yield "a reading without registers", sealed(_6=[])
    yield "a reading whose register has a scale of 7", sealed(_6=[[bytes(6), 1, 7, 30]])
    yield "a reading with a short digest before it", sealed(_11=bytes(31))
    yield "a reading of number 0 below zero", sealed(_1=-1)
    yield "a reading with a text for its time", sealed(_3="now")


def _odd_enrolments() -> Iterator[tuple[str, bytes]]:
    base = cbor.decode(Meter(4, "lamp").enrolment().to_cbor())
    yield "an enrolment with the kid of another key", cbor.encode({**base, 1: bytes(8)})
    yield "an enrolment of kind 3", cbor.encode({**base, 4: 3})
    yield "an enrolment without an asset", cbor.encode({k: v for k, v in base.items() if k != 10})
    yield "an enrolment that replaces without action", cbor.encode({**base, 14: bytes(8)})
    yield "an enrolment whose key is no key", cbor.encode({**base, 2: bytes(91)})


def _odd_statements() -> Iterator[tuple[str, Callable[[Any], None]]]:
    def put(key: str, value: Any) -> Callable[[Any], None]:
        return lambda document: document.update({key: value})

    yield "a statement without a contract", lambda document: document.pop("contract")
    yield "a statement of format 0", put("format", "statement/0")
    yield "a statement of an empty period", put("period", [5, 5])
    yield "a statement of generation 0", put("generation", 0)
    yield "a statement of terms of 31 bytes", put("terms", bytes(31))
    yield "a statement without a root", put("cutoff", {"size": 26})
    yield "a statement with a cut-off at nothing", put("cutoff", {"size": 0, "root": bytes(32)})


def _records(forge: Forge) -> Iterator[Mutant]:
    place = forge.places(K.READING)[0]
    enrolment = forge.places(K.ENROLMENT)[0]
    lamp = Meter(1, "lamp")

    def made(name: str, changed: Forge, rule: str | None) -> Mutant:
        return _made(name, "reading", changed, None if rule is None else 8, rule)

    changed = forge.copy()
    changed.put(place, forge.entries[place][1][:-1] + b"\0")
    yield made("a record whose signature does not hold", changed, "record-signature")
    changed = forge.copy()
    changed.put(place, resigned(forge.entries[place][1]))
    yield made("a record logged with the high signature", changed, None)
    changed = forge.copy()
    body = forge.entries[place][1]
    changed.put(place, body[:-64] + Signer(77).sign(b"x"))
    yield made("a record signed by another key under its kid", changed, "record-signature")
    changed = forge.copy()
    changed.put(place, body[:-64] + bytes(64))
    yield made("a signature of zeros", changed, "record-signature")
    changed = forge.copy()
    stranger = Meter(8, "lamp")
    changed.put(place, [*stranger.readings([0, 1, 2, 3])][-1])
    changed.about(kid=stranger.kid)
    yield made("a record of a key nobody enrolled", changed, "unknown-key")
    changed = forge.copy()
    changed.chosen.remove(enrolment)
    yield made("the enrolment left out", changed, "unknown-key")
    changed = forge.copy()
    changed.entries[enrolment], changed.entries[place] = (
        forge.entries[place],
        forge.entries[enrolment],
    )
    yield made("a record before its enrolment", changed, "unknown-key")
    yield from _closed(forge, place, lamp)
    changed = forge.copy()
    changed.put(place - 1, forge.entries[place][1])
    changed.chosen.add(place - 1)
    yield made("a record logged twice", changed, "identity")
    changed = forge.copy()
    changed.add(K.READING, resigned(forge.entries[place][1]))
    yield made("a record logged again under its other signature", changed, "identity")
    changed = forge.copy()
    other = Meter(1, "lamp")
    other.seq[0] = 3
    changed.add(K.READING, other.seal(EPOCH_MS + 1))
    yield made("two contents under one number, both as readings", changed, "identity")


def _closed(forge: Forge, place: int, lamp: Meter) -> Iterator[Mutant]:
    """Keys that were retired, replaced, enrolled again or otherwise."""

    def made(name: str, changed: Forge, rule: str | None) -> Mutant:
        return _made(name, "reading", changed, None if rule is None else 8, rule)

    retire = lamp.enrolment(action=EnrolmentAction.RETIRE)
    heir = Meter(9, "lamp").enrolment(action=EnrolmentAction.REKEY, replaces=lamp.kid)
    for name, enrolment in (("retired", retire), ("replaced", heir)):
        changed = forge.copy()
        changed.put(place - 1, enrolment.to_cbor(), K.ENROLMENT)
        changed.chosen.add(place - 1)
        yield made(f"a record of a key that was {name} before", changed, "retired-key")
        changed = forge.copy()
        changed.add(K.ENROLMENT, enrolment.to_cbor())
        yield made(f"a record of a key that was {name} after it", changed, None)
        changed.add(K.ENROLMENT, lamp.enrolment().to_cbor())
        yield made(f"a key enrolled again after it was {name}", changed, "enrolment")
    changed = forge.copy()
    changed.add(K.ENROLMENT, Meter(9, "x").enrolment(action=EnrolmentAction.RETIRE).to_cbor())
    yield made("a key retired that was never enrolled", changed, "enrolment")
    for name, change in (
        ("asset", {"asset": "heater"}),
        ("serial", {"serial": "demo-0002"}),
        ("board", {"board": "another"}),
        ("demo mark", {"demo": True}),
        ("largest power", {"power_max_milliwatts": 1}),
    ):
        changed = forge.copy()
        changed.add(K.ENROLMENT, lamp.enrolment(**change).to_cbor())
        yield made(f"a second enrolment with another {name}", changed, "enrolment")
    changed = forge.copy()
    changed.add(K.ENROLMENT, lamp.enrolment(cfg=b"\1" * 16).to_cbor())
    yield made("a second enrolment with another firmware", changed, None)


def _conflicts(forge: Forge) -> Iterator[Mutant]:
    place = forge.places(K.FINDING)[0]
    body = cbor.decode(forge.entries[place][1])
    first = next(
        i for i in forge.places(K.READING)
        if parse_record(forge.entries[i][1]).identity == (body[2], body[3], body[4])
    )  # fmt: skip

    def made(name: str, step: int, rule: str, **changes: Any) -> Mutant:
        changed = forge.copy()
        fields = {**body, **{int(key[1:]): value for key, value in changes.items()}}
        kept = {key: value for key, value in fields.items() if value is not None}
        changed.put(place, cbor.encode(kept))
        return _made(name, "statement", changed, step, rule)

    yield made("a conflict that keeps no record", 8, "conflict", _6=None)
    yield made("a conflict that keeps no true record", 8, "conflict", _6=b"\xd2")
    yield made(
        "a conflict whose record nobody signed", 8, "conflict", _6=body[6][:-64] + bytes(64)
    )
    yield made("a conflict of another number than its record", 8, "conflict", _4=body[4] + 1)
    yield made("a conflict of a key nobody enrolled", 8, "conflict", _2=bytes(8))
    yield made("a conflict with itself", 9, "conflict-first", _6=resigned(forge.entries[first][1]))
    changed = forge.copy()
    lonely = Meter(1, "lamp")
    lonely.seq[0] = 40
    data = lonely.seal(EPOCH_MS)
    finding = KeptFinding(code="conflict", kid=body[2], ctx=0, seq=41, message="m", record=data)
    changed.add(K.FINDING, finding.to_cbor())
    yield _made("a conflict without a first content", "statement", changed, 9, "conflict-first")


def _complete(forges: Mapping[str, Forge]) -> Iterator[Mutant]:
    forge = forges["statement"]
    readings = forge.places(K.READING)
    for name, place in (("before", readings[0]), ("after", readings[-1])):
        changed = forge.copy()
        changed.chosen.discard(place)
        times = {p: parse_record(forge.entries[p][1]).time_ms or 0 for p in readings}
        beyond = PERIOD[0] > times[place] if name == "before" else times[place] > PERIOD[1]
        if beyond:
            yield _made(f"the neighbour {name} the period left out", "statement", changed, 9,
                        "missing-record")  # fmt: skip
    plain = forges["plain"]
    for place in plain.places(K.READING):
        record = parse_record(plain.entries[place][1])
        if record.time_ms == PERIOD[1]:
            changed = plain.copy()
            changed.chosen.discard(place)
            yield _made("the record at the end left out", "plain", changed, 9, "missing-record")
    changed = forge.copy()
    for place in readings:
        changed.chosen.discard(place)
    yield _made("all readings left out", "statement", changed, 9)
    reading = forges["reading"]
    changed = reading.copy()
    changed.chosen -= {*changed.places(K.READING)}
    yield _made("the reading left out", "reading", changed, 9, "reading")
    for name, about in (
        ("another number than the reading's", {"seq": 5}),
        ("another context than the reading's", {"ctx": 1}),
        ("another key than the reading's", {"kid": bytes(8)}),
    ):
        changed = reading.copy()
        changed.about(**about)
        yield _made(name, "reading", changed, 9, "reading")


def _sessions(forge: Forge) -> Iterator[Mutant]:
    places = forge.places(K.READING)

    def made(name: str, changed: Forge) -> Mutant:
        return _made(name, "session", changed, 9, "session")

    for number, place in enumerate(places):
        changed = forge.copy()
        changed.chosen.discard(place)
        yield made(f"record {number + 1} of the session left out", changed)
    for name, about in (
        ("a session that begins later", {"begin": 2}),
        ("a session that ends earlier", {"end": 2}),
        ("a session of one record", {"end": 1}),
        ("a session that ends before it begins", {"begin": 3, "end": 1}),
        ("a session of a million records", {"end": 1_000_000}),
        ("a session of another key", {"kid": bytes(8)}),
    ):
        changed = forge.copy()
        changed.about(**about)
        yield made(name, changed)
    for name, minute, changes in (
        ("a session that begins twice", 20, {"_9": "B"}),
        ("a session that ends twice", 20, {"_9": "E"}),
    ):
        changed = forge.copy()
        changed.put(places[1], _sealed(2, minute, **changes))
        yield made(name, changed)
    changed = forge.copy()
    changed.put(places[2], _sealed(3, 35, _9="X"))
    yield made("a session that ends with a mark of its middle", changed)
    changed = forge.copy()
    changed.put(places[2], _sealed(3, 35, _9="E", energy=-1))
    yield made("a session whose register ran backwards", changed)
    changed = forge.copy()
    changed.put(places[2], _sealed(3, 35, _9="E", _6=[[bytes(6), 1, 0, 30]]))
    yield made("a session without an energy register", changed)


def _sealed(seq: int, minute: int, *, energy: int = 5_000_000, **changes: Any) -> bytes:
    post = Meter(3, "post")
    post.seq[1] = seq - 1
    post.import_milliwh = max(0, energy)
    return post.seal(EPOCH_MS + minute * MINUTE_MS, 1, **changes)
