"""Terms as people write them: a TOML table to validated ``Terms``, one clear line an error.

The keys are listed in ``docs/settlement.md``. Numbers may be written plain or as strings and stay
exact.
"""

from __future__ import annotations

import re
from fractions import Fraction

from wattest.errors import ConfigError, NoteError
from wattest.ledger.cosignature import WitnessPolicy
from wattest.settlement.fields import read_decimal, read_instant, read_windows
from wattest.settlement.money import Rounding
from wattest.settlement.period import load_zone
from wattest.settlement.templates import TEMPLATES, Draft
from wattest.settlement.terms import (
    CalendarPeriods,
    DerivedTime,
    Estimates,
    FixedPeriods,
    InputPolicy,
    LifeCycle,
    LineTerms,
    PeriodUnit,
    Policy,
    StatusPolicy,
    Terms,
    Unmetered,
    WitnessTerms,
)
from wattest.tables import NAME_EXPECTED, NAME_PATTERN, Table, parse_table

_WEEK_S = 7 * 86_400
_YEAR_S = 366 * 86_400
_CODE_MAX = 32
_PUBLIC_KEY = r"[0-9a-f]{128}"


def parse_terms(text: str, path: str) -> Terms:
    """Read a contract file's text; ``path`` is what errors call it.

    Raises:
        ConfigError: broken TOML or terms that break a rule: path, key, expected, got.
    """
    return terms_from_table(parse_table(text, path))


def terms_from_table(table: Table) -> Terms:
    """Read a contract from a parsed TOML table, its own file or part of a scenario.

    Raises:
        ConfigError: the table breaks a rule: path, key, expected, got.
    """
    zone = table.text("zone", "UTC", pattern=r"[A-Za-z0-9_+/-]{1,40}", expected="an IANA zone")
    load_zone(zone, path=table.path, key=table.dotted("zone"))
    start_ms = read_instant(table, "start") if "start" in table else None
    end_ms = read_instant(table, "end") if "end" in table else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise table.error("end", "an instant after start expected")
    contract = table.name("contract")
    draft = Draft(
        start_ms=start_ms, seller=table.name("seller"), buyer=table.name("buyer"), lines=()
    )
    if draft.seller == draft.buyer:
        raise table.error("buyer", f"another party than the seller expected, got {draft.buyer!r}")
    terms = Terms(
        contract=contract,
        title=table.text("title", ""),
        seller=draft.seller,
        buyer=draft.buyer,
        assets=_assets(table),
        currency=table.text("currency", pattern="[A-Z]{3}", expected="three capital letters"),
        scale=table.integer("currency_scale", 2, maximum=6),
        rounding=Rounding(table.choice("rounding", [*Rounding], Rounding.HALF_EVEN)),
        zone=zone,
        period=_period(table.table("period")),
        start_ms=start_ms,
        end_ms=end_ms,
        pauses=read_windows(table, "pauses", "pauses"),
        policy=_policy(table.table("policy")),
        lines=_lines(table, draft),
        maintenance=read_windows(table, "maintenance", "maintenance windows"),
        ended_by=_ended_by(table, end_ms),
        arbiter=table.name("arbiter") if "arbiter" in table else None,
        party_keys=_party_keys(table.table("party_keys")),
        witness=_witness(table.table("witness")),
        life_cycle=_life_cycle(table.table("life_cycle")),
    )
    _check_estimates(table, terms)
    _check_parties(table, terms)
    table.finish()
    return terms


def _assets(table: Table) -> tuple[str, ...]:
    names = table.strings("assets")
    if not names or len(names) > 256:
        raise table.error("assets", f"1 to 256 names expected, got {len(names)}")
    for number, name in enumerate(names):
        Table({f"assets[{number}]": name}, table.path, table.prefix).name(f"assets[{number}]")
    if len(set(names)) != len(names):
        raise table.error("assets", "names that differ expected, got one twice")
    return tuple(sorted(names))


def _period(table: Table) -> CalendarPeriods | FixedPeriods:
    kind = table.choice("kind", ("calendar", "fixed"))
    result: CalendarPeriods | FixedPeriods
    if kind == "calendar":
        result = CalendarPeriods(unit=PeriodUnit(table.choice("unit", [*PeriodUnit])))
    else:
        result = FixedPeriods(
            start_ms=read_instant(table, "start"),
            duration_ms=1000 * table.integer("duration_s", minimum=1, maximum=3_660 * 86_400),
        )
    table.finish()
    return result


def _policy(table: Table) -> Policy:
    policy = Policy(
        max_gap_ms=1000 * table.integer("max_gap_s", 3_600, minimum=1, maximum=_WEEK_S),
        unmetered=Unmetered(table.choice("unmetered", [*Unmetered], Unmetered.ZERO)),
        derived_time=DerivedTime(table.choice("derived_time", [*DerivedTime], DerivedTime.ACCEPT)),
        input=InputPolicy(table.choice("input", [*InputPolicy], InputPolicy.SENSOR)),
        status=StatusPolicy(table.choice("status", [*StatusPolicy], StatusPolicy.ACCEPT)),
        tolerance=Fraction(table.integer("tolerance_percent", 10, maximum=100), 100),
        estimates=Estimates(table.choice("estimates", [*Estimates], Estimates.RULE)),
        coverage_ms=1000 * table.integer("coverage_s", 900, minimum=1, maximum=_WEEK_S),
        max_unknown=Fraction(table.integer("max_unknown_percent", 5, maximum=100), 100),
        cutoff_delay_ms=1000 * table.integer("cutoff_delay_s", 3_600, maximum=_YEAR_S),
        final_after_ms=1000 * table.integer("final_after_s", 30 * 86_400, maximum=10 * _YEAR_S),
    )
    table.finish()
    return policy


def _lines(table: Table, head: Draft) -> tuple[LineTerms, ...]:
    entries = table.tables("line")
    if not entries or len(entries) > 64:
        raise table.error("line", f"1 to 64 lines expected, got {len(entries)}")
    lines: tuple[LineTerms, ...] = ()
    for entry in entries:
        template = entry.choice("template", tuple(TEMPLATES))
        code = entry.name("code")
        draft = Draft(start_ms=head.start_ms, seller=head.seller, buyer=head.buyer, lines=lines)
        line = TEMPLATES[template].read(entry, code, draft)
        _check_codes(entry, line, lines)
        if lines and lines[-1].needs.follows and not line.needs.follows:
            raise entry.error(
                "template", f"a line that follows the others expected, got {template} after them"
            )
        entry.finish()
        lines = (*lines, line)
    return lines


def line_codes(line: LineTerms) -> tuple[str, ...]:
    """Return the codes of the lines that a line of the terms draws on a statement."""
    return tuple(
        f"{line.code}.{suffix}" if suffix else line.code for suffix in line.needs.suffixes
    )


def _check_codes(table: Table, line: LineTerms, lines: tuple[LineTerms, ...]) -> None:
    """Every line of a statement has a code of its own, short enough for a name."""
    taken = {code for other in lines for code in line_codes(other)}
    for code in line_codes(line):
        if code in taken:
            raise table.error("code", f"a code of its own expected, got {code!r} again")
        if len(code) > _CODE_MAX:
            longest = max(len(suffix) for suffix in line.needs.suffixes) + 1
            raise table.error(
                "code",
                f"at most {_CODE_MAX - longest} characters expected, because the statement has "
                f"a line {code!r}",
            )


def _check_estimates(table: Table, terms: Terms) -> None:
    """A party agrees to estimates only up to an amount."""
    if terms.policy.unmetered is not Unmetered.ESTIMATE:
        return
    for number, line in enumerate(terms.lines):
        quantity = line.needs.quantity
        if quantity is None or quantity.is_count or line.needs.estimate_cap is not None:
            continue
        raise ConfigError(
            'value expected because policy.unmetered is "estimate", got nothing',
            path=table.path,
            key=table.dotted(f"line[{number}].estimate_cap"),
        )


def _ended_by(table: Table, end_ms: int | None) -> str | None:
    if "ended_by" not in table:
        return None
    if end_ms is None:
        raise table.error("ended_by", "no such key expected in a contract without end, got one")
    return table.choice("ended_by", ("seller", "buyer"))


def _party_keys(table: Table) -> tuple[tuple[str, bytes], ...]:
    """Read public keys of parties; that the parties exist is checked with the whole contract."""
    keys = []
    for party in sorted(table.names()):
        if re.fullmatch(NAME_PATTERN, party) is None:
            raise table.error(party, f"{NAME_EXPECTED} expected, got {party!r}")
        text = table.text(party, pattern=_PUBLIC_KEY, expected="x and y, 128 small hex digits,")
        keys.append((party, bytes.fromhex(text)))
    return tuple(keys)


def _witness(table: Table) -> WitnessTerms | None:
    if not table.values:
        return None
    keys = table.strings("keys")
    if not 1 <= len(keys) <= 16 or len(set(keys)) != len(keys):
        raise table.error("keys", f"1 to 16 keys, none twice, expected, got {len(keys)}")
    threshold = table.integer("threshold", minimum=1, maximum=len(keys))
    try:
        WitnessPolicy.from_texts(threshold, keys)
    except (NoteError, ValueError) as exc:
        raise table.error("keys", str(exc)) from exc
    table.finish()
    return WitnessTerms(threshold=threshold, keys=tuple(sorted(keys)))


def _life_cycle(table: Table) -> LifeCycle | None:
    if not table.values:
        return None
    amounts = {
        key: read_decimal(table, key) if key in table else Fraction(0)
        for key in ("development", "delivery", "operation", "maintenance", "disposal")
    }
    result = LifeCycle(**amounts, periods=table.integer("periods", minimum=1, maximum=10_000))
    table.finish()
    return result


def _check_parties(table: Table, terms: Terms) -> None:
    """Everybody who has a key or a say is a party of his own."""
    sides = {terms.seller, terms.buyer, *terms.brokers}
    if terms.arbiter in sides:
        raise table.error(
            "arbiter", f"a party that is not paid and does not pay expected, got {terms.arbiter!r}"
        )
    known = sorted(sides if terms.arbiter is None else {*sides, terms.arbiter})
    for party, _ in terms.party_keys:
        if party not in known:
            raise table.error(
                f"party_keys.{party}", f"one of {', '.join(known)} expected as party"
            )
