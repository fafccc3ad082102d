"""Steps 7, 10 and 11: terms and agreements, statements settled again, what parties say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from evidence_bench import EPOCH_MS, Meter, Signer
from forge import Forge
from mutants import Expected, Mutant
from scenes import CONTRACT, HOUR_MS, PERIOD, Scene

from wattest.evidence.manifest import WitnessAsk
from wattest.ledger import EntryKind
from wattest.wire import cbor
from wattest.wire.act import AnyAct, KeyRotation, parse_act, seal_act
from wattest.wire.record_reader import parse_record

K = EntryKind
BASE = "statement"


def cases(scenes: Mapping[str, Scene]) -> Iterator[Mutant]:
    scene = scenes[BASE]
    forge = Forge.of(scene.bench, scene.data, scene.witnesses)
    plain = Forge.of(scenes["plain"].bench, scenes["plain"].data)
    yield from _terms(forge, plain)
    yield from _agreements(forge, scene)
    yield from _statements(forge)
    yield from _evidence(forge, plain)
    yield from _acts(forge, scene)
    yield from _openings(Forge.of(scenes["opening"].bench, scenes["opening"].data))


def _made(
    name: str, forge: Forge, step: int | None, rule: str | None = None, *,
    base: str = BASE, restate: bool = True,
) -> Mutant:  # fmt: skip
    expect = Expected(passed=step is None, step=step, rule=rule)
    return Mutant(name=name, base=base, members=forge.members(restate=restate), expect=expect)


def _edited(
    forge: Forge, place: int, change: Callable[[Any], None], *, terms: bool = False
) -> Forge:
    """Return a copy with one body changed; ``terms``: everything that names them follows."""
    changed = forge.copy()
    changed.edit(place, change)
    if terms:
        digest = sha256(changed.entries[place][1]).digest()
        changed.about(terms=digest)
        for statement in changed.places(K.STATEMENT):
            changed.edit(statement, lambda document: document.update(terms=digest))
    return changed


def _put(key: str, value: Any) -> Callable[[Any], None]:
    return lambda document: document.update({key: value})


def _terms(forge: Forge, plain: Forge) -> Iterator[Mutant]:
    place = plain.places(K.TERMS)[0]

    def made(name: str, changed: Forge, rule: str) -> Mutant:
        return _made(name, changed, 7, rule, base="plain")

    changed = plain.copy()
    changed.about(terms=bytes(32))
    yield made("a manifest of other terms", changed, "terms")
    changed = plain.copy()
    changed.chosen.discard(place)
    yield made("no terms", changed, "terms")
    yield made(
        "terms of another contract", _edited(plain, place, _put("contract", "heater"), terms=True),
        "terms",
    )  # fmt: skip
    for name, change in (
        ("terms without lines", _put("line", [])),
        ("terms with an unknown key", _put("discount", "1")),
        ("terms with a price that is no number", lambda d: d["line"][0].update(price="cheap")),
        ("terms with a price of 0.350", lambda d: d["line"][0].update(price="0.350")),
        ("terms of a template nobody knows", lambda d: d["line"][0].update(template="GIFT")),
        ("terms without a buyer", lambda d: d.pop("buyer")),
        ("terms of a newer format", _put("format", "wattest-terms/99")),
    ):
        yield made(name, _edited(plain, place, change, terms=True), "terms-form")
    changed = forge.copy()
    changed.about(witness=WitnessAsk())
    changed.witnesses = ()
    yield _made("a manifest that asks for no witness", changed, 7, "witness-policy")
    changed = forge.copy()
    ask = forge.subject.witness  # type: ignore[union-attr]
    changed.about(witness=WitnessAsk(threshold=2, keys=ask.keys))
    yield _made("a manifest that asks for more witnesses", changed, 7, "witness-policy")
    changed = forge.copy()
    changed.about(witness=WitnessAsk(threshold=1, keys=tuple(reversed(ask.keys))))
    yield _made("a manifest with the witnesses in another order", changed, 7, "witness-policy")


def _agreements(forge: Forge, scene: Scene) -> Iterator[Mutant]:
    cabin, lake = forge.places(K.AGREEMENT)
    act = parse_act(forge.entries[cabin][1]).act
    thief = Signer(99)

    def put(name: str, changed_act: AnyAct, key: Signer, rule: str) -> Mutant:
        changed = forge.copy()
        changed.put(cabin, key.act(changed_act))
        return _made(name, changed, 7, rule)

    def without(place: int) -> Forge:
        changed = forge.copy()
        changed.chosen.discard(place)
        return changed

    yield _made("no agreement of the buyer", without(cabin), 7, "agreement")
    yield _made("no agreement of the seller", without(lake), 7, "agreement")
    yield put(
        "agreement by another key", replace(act, public_key=thief.public_key), thief, "party-key"
    )
    key = scene.parties["cabin"]
    yield put("agreement sealed by another key than it names", act, thief, "party-key")
    changed = forge.copy()
    body = forge.entries[cabin][1]
    changed.put(cabin, body[:-64] + thief.sign(b"x"))
    yield _made("agreement with a signature of something else", changed, 7, "act-signature")
    yield put("agreement of somebody who is no party", replace(act, party="thief"), key, "party")
    yield put("agreement of another contract", replace(act, contract="heater"), key, "party")
    yield put(
        "agreement to terms nobody logged", replace(act, terms=bytes(32)), key, "agreed-terms"
    )
    changed = forge.copy()
    changed.entries[0], changed.entries[cabin] = forge.entries[cabin], forge.entries[0]
    changed.chosen.discard(lake)
    yield _made("agreement before its terms", changed, 7, "party")
    rotation = KeyRotation(
        contract=CONTRACT, party="cabin", time_ms=EPOCH_MS, public_key=thief.public_key
    )
    changed = forge.copy()
    changed.add(K.ROTATION, key.act(rotation))
    yield _made("a party takes another key", changed, None)
    changed = forge.copy()
    changed.add(K.ROTATION, thief.act(rotation))
    yield _made("a thief takes over a party's key", changed, 7, "party-key")
    changed = forge.copy()
    changed.put(cabin, key.act(rotation), K.ROTATION)
    yield _made("a rotation without an agreement before it", changed, 7, "party-key")


def _statements(forge: Forge) -> Iterator[Mutant]:
    first, last = forge.places(K.STATEMENT)

    def edited(name: str, change: Callable[[Any], None], rule: str = "statement") -> Mutant:
        return _made(name, _edited(forge, last, change), 10, rule)

    def line(number: int, **values: Any) -> Callable[[Any], None]:
        return lambda document: document["lines"][number].update(values)

    yield edited("a cent more in total", lambda d: d.update(total=d["total"] + 1))
    yield edited("a cent more on a line", lambda d: line(0, amount=d["lines"][0]["amount"] + 1)(d))
    yield edited("more energy than was metered", line(0, metered=1_000_000))
    yield edited("another exact amount", line(0, exact="1/3"))
    yield edited("another rounding", _put("rounding", "half_up"))
    yield edited("another currency", _put("currency", "USD"))
    yield edited("another seller", _put("seller", "thief"))
    yield edited("another buyer", _put("buyer", "thief"))
    final = _edited(forge, last, _put("state", "final"))
    yield _made("drawn as final, which changes nothing else", final, None)
    yield edited("a state nobody knows", _put("state", "paid"))
    yield edited("a TEST it is not", lambda d: d.update(test=True, test_reasons=["why not"]))
    yield edited("a flag more", line(0, flags=["EST"]))
    yield edited("no lines", _put("lines", []))
    stranger = _edited(
        forge, last, lambda d: d["lines"][0]["usage"][0]["keys"][0].update(kid=bytes(8))
    )
    yield _made("a statement names a key nobody enrolled", stranger, 9, "missing-enrolment")
    moved = _edited(
        forge, last,
        lambda d: d["lines"][0]["usage"][0]["keys"][0]["start"]["records"][0].update(index=0),
    )  # fmt: skip
    yield _made("a statement names another entry", moved, 9, "missing-record")
    yield edited("lines that are a text", _put("lines", "none"))
    yield edited("an unknown key", _put("comment", "trust me"))
    yield edited("a newer engine", _put("engine", 99), "engine")
    yield edited("no engine", lambda d: d.pop("engine"), "engine")
    yield edited("a newer statement format", _put("format", "wattest-statement/99"), "engine")
    shifted = [PERIOD[0] + HOUR_MS, PERIOD[1] + HOUR_MS]
    yield edited("a statement of another period", _put("period", shifted), "generations")
    yield edited("a statement of another contract", _put("contract", "heater"), "generations")
    yield edited("a statement of unknown terms", _put("terms", bytes(32)), "generations")
    yield edited("the same generation twice", _put("generation", 1), "generations")
    yield edited("a generation left out", _put("generation", 3), "generations")
    wrong = forge.copy()
    wrong.restate()
    wrong.edit(last, lambda d: d["cutoff"].update(root=bytes(32)))
    yield _made("another root at the cut-off", wrong, 10, "cutoff", restate=False)
    wrong = forge.copy()
    wrong.edit(last, lambda d: d["cutoff"].update(size=32))
    yield _made("another size of the cut-off", wrong, 10, "cutoff")
    wrong = forge.copy()
    wrong.about(period=(PERIOD[0] + HOUR_MS, PERIOD[1] + HOUR_MS))
    yield _made("a manifest of another period", wrong, 10, "generations")
    wrong = forge.copy()
    wrong.about(generations=401)
    yield _made("a manifest of 401 generations", wrong, 1, "manifest")
    wrong = forge.copy()
    wrong.about(generations=1)
    wrong.cutoffs = wrong.cutoffs[:1]
    yield _made("a manifest of fewer generations", wrong, 10, "generations")
    wrong = forge.copy()
    wrong.about(generations=1)
    wrong.cutoffs = wrong.cutoffs[:1]
    wrong.chosen.discard(last)
    yield _made("only the first generation, as it was then", wrong, None)
    wrong = forge.copy()
    wrong.chosen.discard(first)
    yield _made("the first generation left out", wrong, 10, "generations")


def _evidence(forge: Forge, plain: Forge) -> Iterator[Mutant]:
    """Bundles from which evidence was left out, with proofs that hold."""
    first_end = forge.places(K.STATEMENT)[0]
    for place in forge.places(K.READING):
        record = parse_record(forge.entries[place][1])
        if record.time_ms is not None and PERIOD[0] <= record.time_ms < PERIOD[1]:
            changed = forge.copy()
            changed.chosen.discard(place)
            after = " that came late" if place > first_end else ""
            step: int = 10
            rule: str | None = "statement"
            if record.seq in {3, 8}:  # disputed by the evidence; named as an end
                step, rule = 9, None
            yield _made(f"reading {record.seq}{after} left out", changed, step, rule)
    for place in plain.places(K.EVENT):
        record = parse_record(plain.entries[place][1])
        assert record.event is not None
        changed = plain.copy()
        changed.chosen.discard(place)
        name = record.event.kind.name.lower()
        yield _made(f"{name} event left out", changed, 10, "statement", base="plain")
    changed = forge.copy()
    place = changed.places(K.READING)[2]
    lamp = Meter(1, "lamp")
    record = parse_record(forge.entries[place][1])
    lamp.seq[0], lamp.prev = record.seq - 1, record.prev
    lamp.import_milliwh = 1_400_000
    assert record.time_ms is not None
    changed.put(place, lamp.seal(record.time_ms))
    yield _made("another content of a reading, signed by its node", changed, 10, "statement")
    changed = plain.copy()
    changed.cutoffs = [10]
    changed.edit(changed.places(K.STATEMENT)[0], lambda d: d["cutoff"].update(size=10))
    yield _made("an earlier cut-off that changes nothing", changed, None, base="plain")
    changed = changed.copy()
    changed.cutoffs = [9]
    changed.edit(changed.places(K.STATEMENT)[0], lambda d: d["cutoff"].update(size=9))
    yield _made("a cut-off before a reading that counts", changed, 10, "statement", base="plain")


def _openings(forge: Forge) -> Iterator[Mutant]:
    """A begin is frozen by a final statement of the period before, or not at all."""
    before, own = forge.places(K.STATEMENT)

    def made(name: str, changed: Forge, rule: str = "opening") -> Mutant:
        return _made(name, changed, 10, rule, base="opening")

    changed = forge.copy()
    changed.chosen.discard(before)
    yield made("a frozen begin without the statement that froze it", changed)
    changed = _edited(forge, before, _put("state", "complete"))
    yield made("a frozen begin after a statement that is not final", changed)
    changed = _edited(forge, own, lambda d: d.update(opening=d["opening"] - 1))
    yield made("a begin frozen at another number of entries", changed)
    changed = _edited(forge, own, _put("opening", "now"))
    yield made("a begin frozen at a text", changed)
    changed = _edited(forge, own, lambda d: d.pop("opening"))
    yield made("a begin that is not frozen any more", changed, "statement")
    shifted = [PERIOD[0] - 2 * HOUR_MS, PERIOD[0] - HOUR_MS]
    changed = _edited(forge, before, _put("period", shifted))
    yield made("a statement of a period long before", changed, "generations")
    changed = _edited(forge, before, _put("contract", "heater"))
    yield made("a frozen begin by a statement of another contract", changed, "generations")


def _acts(forge: Forge, scene: Scene) -> Iterator[Mutant]:
    cabin, thief = scene.parties["cabin"], Signer(99)
    places = {
        "dispute": next(p for p in forge.places(K.DISPUTE) if forge.entries[p][1][0] == 0xD2),
        "resolution": forge.places(K.RESOLUTION)[0],
        "payment": forge.places(K.PAYMENT)[0],
    }

    def put(name: str, what: str, change: dict[str, Any], key: Signer, rule: str) -> Mutant:
        changed = forge.copy()
        place = places[what]
        act = replace(parse_act(forge.entries[place][1]).act, **change)
        changed.put(place, key.act(act))
        return _made(name, changed, 11, rule)

    for what, place in places.items():
        yield put(f"a {what} by another key", what, {}, thief, "party-key")
        yield put(
            f"a {what} of somebody who is no party", what, {"party": "thief"}, thief, "party"
        )
        yield put(f"a {what} of another contract", what, {"contract": "heater"}, cabin, "party")
        changed = forge.copy()
        act = parse_act(forge.entries[place][1]).act
        changed.put(place, seal_act(act, cabin.public_key, thief.sign))
        yield _made(f"a {what} under the buyer's name by a thief", changed, 11, "act-signature")
    other = (PERIOD[0] + HOUR_MS, PERIOD[1] + HOUR_MS)
    lonely = forge.copy()
    lonely.chosen -= {*lonely.places(K.RESOLUTION)}
    act = replace(parse_act(forge.entries[places["dispute"]][1]).act, period=other, window=other)
    lonely.put(places["dispute"], cabin.act(act))
    yield _made("a dispute of another period", lonely, 11, "dispute")
    yield put("a resolution of an unknown dispute", "resolution", {"dispute": bytes(32)}, cabin,
              "resolution")  # fmt: skip
    changed = forge.copy()
    changed.chosen.discard(places["dispute"])
    yield _made("a resolution without its dispute", changed, 11, "resolution")
    changed = forge.copy()
    changed.chosen -= {*changed.places(K.RESOLUTION)}
    yield _made("a dispute that is still open", changed, None)
    yield from _machine_disputes(forge)
    changed = _edited(forge, forge.places(K.ESTIMATE)[0], lambda d: d.update({1: "heater"}))
    yield _made("an estimate of another asset", changed, 11, "estimate")


def _machine_disputes(forge: Forge) -> Iterator[Mutant]:
    place = next(p for p in forge.places(K.DISPUTE) if forge.entries[p][1][:1] != b"\xd2")
    body = cbor.decode(forge.entries[place][1])
    for name, change in (
        ("of another number", {4: body[4] + 1}),
        ("of another key", {2: bytes(8)}),
        ("of another first content", {5: body[5] + 1}),
        ("of another finding", {6: body[6] - 1}),
    ):
        changed = _edited(forge, place, lambda d, c=change: d.update(c))
        yield _made(f"a machine dispute {name}", changed, 11, "machine-dispute")
    changed = forge.copy()
    changed.chosen.discard(body[6])
    yield _made("a machine dispute without its finding", changed, 11, "machine-dispute")
