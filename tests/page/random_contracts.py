"""Random contracts with evidence that is not perfect, to compare two engines on."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from random_terms import DAY_MS, HOUR_MS, random_terms

from wattest.settlement import (
    Cutoff,
    Estimate,
    MeteringNode,
    SettlementReading,
    Terms,
    Window,
    period_at,
)
from wattest.settlement.quantity import OBIS_EXPORT, OBIS_IMPORT, OBIS_USE

SPRING_MS = 1_774_000_000_000  # some days before clocks change in 2026


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything one settlement takes."""

    terms: Terms
    readings: list[SettlementReading]
    nodes: list[MeteringNode]
    period: Window
    cutoff: Cutoff
    estimates: list[Estimate]
    final: bool
    opening: int | None = None


def random_scene(chance: random.Random) -> Scene:
    """Terms, and readings with everything that can be wrong with them."""
    start = SPRING_MS + chance.randrange(20 * DAY_MS)
    terms = random_terms(chance, (start - 5 * DAY_MS, start + 12 * DAY_MS))
    period = period_at(terms, start)
    readings: list[SettlementReading] = []
    nodes = []
    for asset in terms.assets:
        for number in range(chance.choice((1, 1, 2))):
            kid = hashlib.sha256(f"{asset}{number}".encode()).digest()[:8]
            nodes.append(
                MeteringNode(
                    kid=kid,
                    asset=asset,
                    kind=chance.choice((0, 0, 1, 2)),
                    demo=chance.random() < 0.2,
                    power_max_milliwatts=chance.choice((0, 900_000, 20_000_000)),
                )
            )
            readings += random_readings(chance, kid, period, len(readings))
    chance.shuffle(readings)
    return Scene(
        terms=terms,
        readings=readings,
        nodes=nodes,
        period=period,
        cutoff=Cutoff(size=100_000, root=bytes(32)),
        estimates=random_estimates(chance, terms, period),
        final=chance.random() < 0.6,
        opening=chance.choice((None, chance.randrange(1, len(readings) + 2))),
    )


def random_estimates(chance: random.Random, terms: Terms, period: Window) -> list[Estimate]:
    found = []
    for number in range(chance.choice((0, 3, 12))):
        begin = chance.randrange(period.start_ms, period.end_ms)
        found.append(
            Estimate(
                asset=chance.choice((*terms.assets, "elsewhere")),
                quantity=chance.choice(("import_energy", "export_energy", "use_time")),
                start_ms=begin,
                end_ms=begin + chance.randint(1, 5 * HOUR_MS),
                count=chance.randrange(4_000_000),
                index=50_000 + number,
            )
        )
    return found


def random_readings(
    chance: random.Random, kid: bytes, period: Window, first_index: int
) -> list[SettlementReading]:
    span = min(period.end_ms - period.start_ms, 9 * DAY_MS)
    step = chance.choice((span // 12, span // 40, HOUR_MS))
    time_ms = period.start_ms - chance.choice((0, step // 3, 3 * step, -4 * step))
    found: list[SettlementReading] = []
    seqs, registers, boot = [0, 0, 0], [chance.randrange(10**6), 0, 0], 1
    trouble = chance.choice((0, 0.03, 0.2))
    for _ in range(chance.randint(0, 60)):
        time_ms += chance.choice((step, step, step, step // 2, 4 * step, 0))
        ctx = chance.choice((0, 0, 0, 0, 1, 2))
        seqs[ctx] += 1 if chance.random() > trouble else 2
        grown = chance.randrange(900)
        registers = [registers[0] + grown * 1000, registers[1] + grown, registers[2] + grown % 60]
        if chance.random() < trouble:
            boot += 1
            registers[chance.randrange(3)] = chance.randrange(10**6)
        source = chance.choice((0, 1, 2)) if chance.random() < trouble else 0
        known = chance.random() > trouble / 2
        found.append(
            SettlementReading(
                kid=kid,
                ctx=ctx,
                seq=seqs[ctx],
                bootcount=boot,
                mono_ms=time_ms - period.start_ms + chance.choice((0, 0, 1500)) + 10 * DAY_MS,
                time_ms=time_ms if known else None,
                registers=dict(zip((OBIS_IMPORT, OBIS_EXPORT, OBIS_USE), registers, strict=True))
                if chance.random() > trouble / 2
                else {OBIS_USE: registers[2]},
                index=first_index + len(found),
                payload_digest=chance.randbytes(32),
                time_derived=known and chance.random() < trouble,
                status_ok=chance.random() > trouble,
                input=source,
                input_after=source if chance.random() < 0.5 else 0,
                tx=chance.choice("BCE") if ctx == 1 else "",
                relay=chance.choice((0, 1)) if ctx == 2 and chance.random() < 0.4 else None,
            )
        )
    return found + repeated(chance, found, trouble)


def repeated(
    chance: random.Random, found: list[SettlementReading], trouble: float
) -> list[SettlementReading]:
    """Some readings again, some with another content under the same number."""
    more = []
    for reading in found:
        if chance.random() < trouble / 2:
            values = {name: getattr(reading, name) for name in reading.__dataclass_fields__}
            values["index"] += 1000
            if chance.random() < 0.3:
                values["payload_digest"] = chance.randbytes(32)
            more.append(SettlementReading(**values))
    return more
