"""Random contracts: every template, every policy, calendars in odd time zones."""

from __future__ import annotations

import random
from typing import Any

from wattest.settlement import Terms, terms_from_table
from wattest.settlement.period import format_instant
from wattest.tables import Table

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
QUANTITIES = (
    {"quantity": "import_energy", "unit": "kWh"},
    {"quantity": "import_energy", "unit": "Wh", "modulus": 5_000_000},
    {"quantity": "export_energy", "unit": "MWh"},
    {"quantity": "use_time", "unit": "min"},
    {"quantity": "record_count", "unit": "each"},
    {"quantity": "transaction_count", "unit": "each"},
    {"quantity": "register", "obis": "1-0:1.8.0*255", "unit": "spins", "base_per_unit": 7},
)


def decimal(chance: random.Random, most: int = 200) -> str:
    places = chance.choice((0, 1, 2, 4))
    return f"{chance.randint(1, most * 10**places) / 10**places:.{places}f}"


def share(chance: random.Random) -> str:
    return f"0.{chance.randint(0, 99):02d}"


def bands(chance: random.Random, key: str) -> list[dict[str, str]]:
    starts = sorted({chance.randint(1, 130) for _ in range(chance.randint(0, 4))}, reverse=True)
    return [{"from": f"{start / 100:.2f}", key: share(chance)} for start in (*starts, 0)]


class Lines:
    """Draws the lines of one contract."""

    def __init__(self, chance: random.Random, around: tuple[int, int]) -> None:
        self.chance = chance
        self.around = around
        self.codes: list[str] = []
        self.drawn = 0

    def instant(self) -> str:
        return format_instant(self.chance.randrange(*self.around) // 60_000 * 60_000)

    def windows(self) -> list[dict[str, str]]:
        count = 2 * self.chance.randint(1, 3)
        times = sorted({self.chance.randrange(*self.around) // 1000 * 1000 for _ in range(count)})
        pairs = list(zip(times[::2], times[1::2], strict=False))
        return [{"start": format_instant(a), "end": format_instant(b)} for a, b in pairs]

    def metered(self) -> dict[str, Any]:
        found = dict(self.chance.choice(QUANTITIES))
        return {**found, "estimate_cap": decimal(self.chance, 50)}

    def bounds(self) -> dict[str, Any]:
        low, high = sorted((self.chance.randint(0, 80), self.chance.randint(1, 200)))
        found: dict[str, Any] = {"prorate_bounds": self.chance.random() < 0.6}
        if self.chance.random() < 0.4:
            found["minimum"] = str(low)
        if self.chance.random() < 0.4:
            found["maximum"] = str(high)
        return found

    def prices(self) -> dict[str, Any]:
        if self.chance.random() < 0.5:
            return {"price": decimal(self.chance, 3)}
        ends = sorted({self.chance.randint(1, 400) for _ in range(self.chance.randint(1, 4))})
        steps = [{"up_to": str(end), "price": decimal(self.chance, 3)} for end in ends]
        return {"tiers": [*steps, {"price": decimal(self.chance, 3)}]}

    def draw(self, template: str) -> dict[str, Any]:
        self.drawn += 1
        code = f"line-{self.drawn}"
        line = {"template": template, "code": code, **getattr(self, f"_{template.lower()}")()}
        if template != "COMMISSION":
            self.codes.append(code)
        return line

    def _subscription(self) -> dict[str, Any]:
        return {"amount": decimal(self.chance)}

    def _pay_per_use(self) -> dict[str, Any]:
        line = {**self.metered(), **self.prices(), **self.bounds()}
        if self.chance.random() < 0.5 and not line["quantity"].endswith("count"):
            days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            line["time_of_use"] = [
                {
                    "name": f"w{n}",
                    "from": f"{self.chance.randint(1, 11):02d}:{self.chance.choice((0, 30)):02d}",
                    "to": f"{self.chance.randint(12, 23):02d}:15",
                    "days": self.chance.sample(days, self.chance.randint(1, 7)),
                    **self.prices(),
                }
                for n in range(self.chance.randint(1, 3))
            ]
            if self.chance.random() < 0.5:
                first = line["time_of_use"][0]
                first["from"], first["to"] = first["to"], first["from"]
        return line

    def _pay_for_performance(self) -> dict[str, Any]:
        metric = self.chance.choice(("availability", "energy_ratio", "both"))
        line = {
            "metric": metric,
            "amount": decimal(self.chance),
            "bands": bands(self.chance, "multiplier"),
            "credit_cap": share(self.chance),
        }
        if metric == "availability":
            return line
        rated = {"reference": decimal(self.chance), "prorate_reference": self._flag()}
        return {**line, **self.metered(), **rated}

    def _flag(self) -> bool:
        return self.chance.random() < 0.5

    def _gain_share(self) -> dict[str, Any]:
        line = {
            "amount": str(self.chance.randint(50, 99)),
            "fixed": str(self.chance.randint(1, 50)),
            "target": decimal(self.chance, 60),
            "below": self.chance.choice(("fixed_only", "linear")),
            **self.bounds(),
            **self.metered(),
        }
        if self._flag():
            line["gain_price"] = decimal(self.chance, 4)
        return line

    def _gain_share_bonus(self) -> dict[str, Any]:
        line = {
            "amount": decimal(self.chance),
            "target": decimal(self.chance, 60),
            "value": decimal(self.chance, 5),
            "share": share(self.chance),
            "loss_share": self.chance.choice(("0", share(self.chance))),
            **self.bounds(),
            **self.metered(),
        }
        line.pop("minimum", None)
        return line

    def _lease(self) -> dict[str, Any]:
        line = {"amount": decimal(self.chance), "deposit": decimal(self.chance)}
        if self._flag():
            return line
        over = {"allowance": decimal(self.chance, 60), "overage": decimal(self.chance, 3)}
        return {**line, **self.metered(), **over}

    def _freemium(self) -> dict[str, Any]:
        return {
            **self.metered(),
            "free": decimal(self.chance, 60),
            "price": decimal(self.chance, 3),
            "carry": self.chance.choice((0, 0, 1, 3)),
        }

    def _startup_fee(self) -> dict[str, Any]:
        return {
            "amount": decimal(self.chance),
            "at": self.instant(),
            "purpose": self.chance.choice(("startup", "investment", "installation")),
            "periods": self.chance.choice((1, 1, 3, 7)),
            "refund": self._flag(),
        }

    def _licence(self) -> dict[str, Any]:
        start, end = sorted((self.instant(), self.instant()))
        line = {"amount": decimal(self.chance), "at": start, "warranty_end": end}
        if self._flag():
            line["bundle"] = ["a meter", "ein Zähler"]
        if self._flag():
            return {**line, "afterwards": "nothing"}
        return {**line, "afterwards": "subscription", "subscription": decimal(self.chance)}

    def _add_on(self) -> dict[str, Any]:
        return {"amount": decimal(self.chance), "windows": self.windows()}

    def _shortfall(self) -> dict[str, Any]:
        line = {**self.bounds(), **self.metered(), "target": decimal(self.chance)}
        line.pop("minimum", None)
        return {**line, "damages": decimal(self.chance, 2)}

    def _sla_credit(self) -> dict[str, Any]:
        on = [code for code in self.codes if self.chance.random() < 0.7] or self.codes[:1]
        return {"on": on, "bands": bands(self.chance, "credit"), "credit_cap": share(self.chance)}

    def _commission(self) -> dict[str, Any]:
        names = self.chance.sample(["agent", "broker", "club"], self.chance.randint(1, 3))
        line: dict[str, Any] = {
            "rate": share(self.chance),
            "brokers": [{"party": n, "weight": self.chance.randint(1, 3)} for n in names],
            **self.bounds(),
        }
        if self._flag():
            line["on"] = self.codes[-1:]
        return line


FIRST = (
    "SUBSCRIPTION",
    "PAY_PER_USE",
    "PAY_PER_USE",
    "PAY_FOR_PERFORMANCE",
    "GAIN_SHARE",
    "GAIN_SHARE_BONUS",
    "LEASE",
    "FREEMIUM",
    "STARTUP_FEE",
    "LICENCE",
    "ADD_ON",
    "SHORTFALL",
)


def random_terms(chance: random.Random, around: tuple[int, int]) -> Terms:
    """A contract of one to six lines in force around a time."""
    lines = Lines(chance, around)
    drawn = [lines.draw(chance.choice(FIRST)) for _ in range(chance.randint(1, 4))]
    if chance.random() < 0.3:
        drawn.append(lines.draw("SLA_CREDIT"))
    drawn += [lines.draw("COMMISSION") for _ in range(chance.choice((0, 0, 1, 2)))]
    form: dict[str, Any] = {
        "contract": "random",
        "seller": "seller",
        "buyer": "buyer",
        "assets": ["north", "south"][: chance.randint(1, 2)],
        "currency": "EUR",
        "currency_scale": chance.choice((0, 2, 3)),
        "rounding": chance.choice(("half_even", "half_up", "down")),
        "zone": chance.choice(ZONES),
        "period": chance.choice(
            (
                {"kind": "calendar", "unit": chance.choice(("day", "week", "month", "quarter"))},
                {"kind": "fixed", "start": "2026-03-01T05:00:00Z", "duration_s": 100_000},
            )
        ),
        "policy": random_policy(chance),
        "line": drawn,
    }
    for key in ("pauses", "maintenance"):
        if chance.random() < 0.4:
            form[key] = lines.windows()
    if chance.random() < 0.4:
        form["start"] = format_instant(chance.randrange(around[0], around[0] + 3 * DAY_MS))
    if chance.random() < 0.4:
        form["end"] = format_instant(chance.randrange(around[0] + 3 * DAY_MS, around[1]))
        form["ended_by"] = chance.choice(("seller", "buyer"))
    return terms_from_table(Table(form, "random.toml"))


def random_policy(chance: random.Random) -> dict[str, Any]:
    return {
        "max_gap_s": chance.choice((1800, 3600, 20_000)),
        "unmetered": chance.choice(("zero", "estimate", "exclude")),
        "estimates": chance.choice(("rule", "logged")),
        "derived_time": chance.choice(("accept", "estimate", "exclude")),
        "input": chance.choice(("sensor", "any")),
        "status": chance.choice(("accept", "exclude")),
        "tolerance_percent": chance.choice((0, 10)),
        "coverage_s": chance.choice((900, 4000, 20_000)),
        "max_unknown_percent": chance.choice((0, 5, 40)),
    }
