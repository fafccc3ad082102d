"""A second opinion on every template: exact fractions, written from docs/settlement.md alone.

It reads contracts as maps, classifies time by elementary intervals, and shares no code with the
engine. One key for each asset and imported energy only; that is what its vectors need.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise
from typing import Any

from settlement_oracle import PER_UNIT, by_window, metered, nearest, tiered

Spec = dict[str, Any]
ONE, ZERO = Fraction(1), Fraction(0)


def instant(text: str | int) -> int:
    """RFC 3339 to ms; numbers stay."""
    if isinstance(text, int):
        return text
    moment = dt.datetime.fromisoformat(text)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def windows_of(form: Spec, key: str) -> list[tuple[int, int]]:
    return [(instant(w["start"]), instant(w["end"])) for w in form.get(key, [])]


def holds(windows: list[tuple[int, int]], twice: int) -> bool:
    """Whether an instant, in half ms, lies in one of the windows."""
    return any(2 * start <= twice < 2 * end for start, end in windows)


class Case:
    """One period of one contract."""

    def __init__(self, vector: Spec, form: Spec, specs: list[Spec]) -> None:
        self.form, self.vector = form, vector
        self.start, self.end = (instant(text) for text in vector["period"])
        begin = instant(form["start"]) if "start" in form else self.start
        finish = instant(form["end"]) if "end" in form else self.end
        self.force = (max(self.start, begin), min(self.end, finish))
        self.keys = {
            node["key"]: node for node in vector.get("nodes", [{"key": "a", "asset": "asset"}])
        }
        self.specs = sorted(specs, key=lambda spec: instant(spec["at"]))

    @property
    def gap_ms(self) -> int:
        return int(1000 * self.form.get("policy", {}).get("max_gap_s", 3600))

    def active(self, own: list[tuple[int, int]] | None = None) -> Fraction:
        """Share of the period in force, not paused, inside of windows of its own."""
        pauses = windows_of(self.form, "pauses")
        edges = {self.start, self.end, *self.force}
        edges |= {edge for pair in (*pauses, *(own or [])) for edge in pair}
        total = 0
        for low, high in pairwise(sorted(e for e in edges if self.start <= e <= self.end)):
            middle = low + high
            inside = holds([self.force], middle) and not holds(pauses, middle)
            if inside and (own is None or holds(own, middle)):
                total += high - low
        return Fraction(total, self.end - self.start)

    def points(self, key: str, line: Spec) -> list[tuple[int, int]]:
        """Delivered base counts over time: refused deltas deliver nothing."""
        contents: dict[tuple[int, int], set[str]] = {}
        for spec in self.of(key):
            name = (spec.get("ctx", 0), spec["seq"])
            contents.setdefault(name, set()).add(spec.get("content", ""))
        raw = [
            (instant(spec["at"]), spec["import"])
            for spec in self.of(key)
            if "import" in spec and len(contents[spec.get("ctx", 0), spec["seq"]]) == 1
        ]
        if not raw:
            return []
        slack = 1 + Fraction(self.form.get("policy", {}).get("tolerance_percent", 10), 100)
        power = 1000 * self.keys[key].get("power_max_w", 0)
        found, (at, base), value = [(raw[0][0], 0)], raw[0], 0
        for time, register in raw[1:]:
            delta = register - base
            if "modulus" in line:
                delta %= line["modulus"]
            limit = power * slack * Fraction(time - at, 3_600_000) + 1
            if delta >= 0 and (not power or delta <= limit):
                value, at, base = value + delta, time, register
            found.append((time, value))
        return found

    def of(self, key: str) -> list[Spec]:
        return [spec for spec in self.specs if spec.get("key", "a") == key]

    def counts(self, line: Spec, window: tuple[int, int] | None = None) -> int:
        low, high = window or self.force
        return sum(
            metered(points, low, high, self.gap_ms)
            for key in self.keys
            if (points := self.points(key, line))
        )

    def estimated(self, line: Spec) -> int:
        """What a final statement adds: one gap at an end of the period, by rule or as logged."""
        policy = self.form.get("policy", {})
        if not self.vector.get("final") or policy.get("unmetered") != "estimate":
            return 0
        cap = Fraction(line["estimate_cap"]) * PER_UNIT[line["unit"]]
        points = self.points("a", line)
        first, last = max(points[0][0], self.force[0]), min(points[-1][0], self.force[1])
        gaps = [(self.force[0], first), (last, self.force[1])]
        if policy.get("estimates") != "logged":
            missing = sum(high - low for low, high in gaps)
            wanted = Fraction(self.counts(line) * missing, last - first)
            return int(min(wanted, cap))
        total, until = 0, 0
        for item in sorted(self.vector.get("estimates", []), key=lambda e: instant(e["start"])):
            low, high = instant(item["start"]), instant(item["end"])
            fits = any(a <= low and high <= b for a, b in gaps)
            same = (item["asset"], item["quantity"]) == ("asset", line["quantity"])
            if fits and same and low >= until:
                total, until = total + item["count"], high
        return int(min(Fraction(total), cap))

    def units(self, line: Spec) -> Fraction:
        return Fraction(self.counts(line) + self.estimated(line), PER_UNIT[line["unit"]])

    def availability(self, struck_ms: int = 0) -> Fraction:
        """Classify every elementary interval of every asset."""
        excluded = windows_of(self.form, "maintenance") + windows_of(self.form, "pauses")
        policy = self.form.get("policy", {})
        cover = 1000 * policy.get("coverage_s", 900)
        base = unknown = up = 0
        for key in self.keys:
            seen = self.of(key)
            times = [instant(spec["at"]) for spec in seen]
            edges = {*self.force, *times, *(time - cover for time in times)}
            edges |= {edge for pair in excluded for edge in pair}
            low_end, high_end = self.force
            for low, high in pairwise(sorted(e for e in edges if low_end <= e <= high_end)):
                if holds(excluded, low + high):
                    continue
                base += high - low
                number = bisect_left(times, high)
                if number in (0, len(times)) or times[number] - cover > low:
                    unknown += high - low
                elif self.is_good(seen[number]) and not self.is_open(seen, low):
                    up += high - low
        left_out = min(
            Fraction(unknown), Fraction(policy.get("max_unknown_percent", 5), 100) * base
        )
        return Fraction(up + struck_ms, base - left_out) if base > left_out else ONE

    @staticmethod
    def is_good(spec: Spec) -> bool:
        return bool(spec.get("status_ok", True))

    @staticmethod
    def is_open(seen: list[Spec], low: int) -> bool:
        said = [s["relay"] for s in seen if "relay" in s and instant(s["at"]) <= low]
        return bool(said) and said[-1] == 0

    def periods(self, count: int) -> list[tuple[int, int]]:
        """Calendar months before this one."""
        found: list[tuple[int, int]] = []
        end = self.start
        for _ in range(count):
            moment = dt.datetime.fromtimestamp((end - 1) // 1000, tz=dt.UTC)
            start = instant(moment.strftime("%Y-%m-01T00:00:00+00:00"))
            found.append((start, end))
            end = start
        return found[::-1]

    def months_ended(self, since: int, until: int, limit: int) -> int:
        """Calendar months from the one that holds an instant that end by another one."""
        moment = dt.datetime.fromtimestamp(since // 1000, tz=dt.UTC)
        year, month, count = moment.year, moment.month, 0
        while count < limit:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            if instant(f"{year}-{month:02d}-01T00:00:00+00:00") > until:
                break
            count += 1
        return count


def clamp(line: Spec, amount: Fraction, active: Fraction) -> Fraction:
    share = active if line.get("prorate_bounds", True) else ONE
    if "minimum" in line:
        amount = max(amount, Fraction(line["minimum"]) * share)
    if "maximum" in line:
        amount = min(amount, Fraction(line["maximum"]) * share)
    return amount


def band(line: Spec, key: str, metric: Fraction) -> Fraction:
    return next(Fraction(b[key]) for b in line["bands"] if metric >= Fraction(b["from"]))


class Pricer:
    """Prices the lines of one case; changes are what a dispute would change."""

    def __init__(self, case: Case, *, less: int = 0, struck_ms: int = 0, idle_ms: int = 0) -> None:
        self.case, self.less, self.idle_ms = case, less, idle_ms
        self.up = ONE
        if any("bands" in line for line in case.form["line"]):
            self.up = case.availability(struck_ms)
        self.exact: dict[str, Fraction] = {}
        self.minor: dict[str, int] = {}
        self.net: dict[str, int] = {}
        self.paid: dict[str, int] = {"seller": 0}
        for line in case.form["line"]:
            self.draw(line)

    @property
    def total(self) -> int:
        return sum(self.net.values())

    def round(self, exact: Fraction) -> int:
        form = self.case.form
        return nearest(exact, form.get("currency_scale", 2), form.get("rounding", "half_even"))

    def put(self, code: str, exact: Fraction) -> None:
        self.exact[code], self.minor[code] = exact, self.round(exact)

    def draw(self, line: Spec) -> None:
        before = set(self.minor)
        own = windows_of(line, "windows") if "windows" in line else None
        if "warranty_end" in line:
            own = [(instant(line["warranty_end"]), 1 << 62)]
        active = self.case.active(own)
        active -= Fraction(self.idle_ms, self.case.end - self.case.start)
        units = ZERO
        if "quantity" in line:
            units = self.case.units(line) - Fraction(self.less, PER_UNIT[line["unit"]])
        getattr(self, line["template"].lower())(line, active, units)
        if line["template"] != "COMMISSION":
            drawn = sum(self.minor[code] for code in self.minor if code not in before)
            self.net[line["code"]] = drawn
            self.paid["seller"] += drawn

    def subscription(self, line: Spec, active: Fraction, units: Fraction) -> None:
        self.put(line["code"], Fraction(line["amount"]) * active)

    add_on = subscription

    def pay_per_use(self, line: Spec, active: Fraction, units: Fraction) -> None:
        if "time_of_use" in line:
            points = self.case.points("a", line)
            shares = by_window(line, points, *self.case.force, "UTC")
            prices = {entry["name"]: entry for entry in line["time_of_use"]} | {"": line}
            amount = sum(
                (
                    tiered(Fraction(count, PER_UNIT[line["unit"]]), prices[name])
                    for name, count in shares.items()
                ),
                ZERO,
            )
        else:
            amount = tiered(units, line)
        self.put(line["code"], clamp(line, amount, active))

    def pay_for_performance(self, line: Spec, active: Fraction, units: Fraction) -> None:
        metric = self.up
        if line["metric"] != "availability":
            promised = Fraction(line["reference"])
            promised *= active if line.get("prorate_reference") else 1
            ratio = units / promised
            metric = ratio if line["metric"] == "energy_ratio" else min(ratio, metric)
        least = 1 - Fraction(line.get("credit_cap", "0.5"))
        multiplier = max(least, band(line, "multiplier", metric))
        self.put(line["code"], Fraction(line["amount"]) * active * multiplier)

    def gain_share(self, line: Spec, active: Fraction, units: Fraction) -> None:
        whole, fixed = Fraction(line["amount"]), Fraction(line["fixed"])
        target = Fraction(line["target"])
        if units >= target * active:
            price = Fraction(line.get("gain_price", (whole - fixed) / target))
            amount = whole * active + price * (units - target * active)
        elif line.get("below") == "linear":
            amount = fixed * active + (whole - fixed) * units / target
        else:
            amount = fixed * active
        self.put(line["code"], clamp(line, amount, active))

    def gain_share_bonus(self, line: Spec, active: Fraction, units: Fraction) -> None:
        self.put(line["code"], Fraction(line["amount"]) * active)
        gain = (units - Fraction(line["target"]) * active) * Fraction(line["value"])
        share = Fraction(line["share"] if gain >= 0 else line.get("loss_share", "0"))
        self.put(line["code"] + ".bonus", clamp(line, gain * share, active))

    def lease(self, line: Spec, active: Fraction, units: Fraction) -> None:
        self.put(line["code"], Fraction(line["amount"]) * active)
        if "quantity" in line:
            above = max(ZERO, units - Fraction(line["allowance"]) * active)
            self.put(line["code"] + ".overage", above * Fraction(line["overage"]))

    def freemium(self, line: Spec, active: Fraction, units: Fraction) -> None:
        left: list[Fraction] = []
        for window in self.case.periods(line.get("carry", 0)):
            used = Fraction(self.case.counts(line, window), PER_UNIT[line["unit"]])
            debt = max(ZERO, used - Fraction(line["free"]))
            while debt and left:
                taken = min(debt, left[0])
                debt -= taken
                left[0] -= taken
                if not left[0]:
                    left.pop(0)
            left.append(max(ZERO, Fraction(line["free"]) - used))
        free = Fraction(line["free"]) * active + sum(left)
        self.put(line["code"], max(ZERO, units - free) * Fraction(line["price"]))

    def commission(self, line: Spec, active: Fraction, units: Fraction) -> None:
        ten = 10 ** self.case.form.get("currency_scale", 2)
        of = line.get("on", list(self.net))
        net = max(ZERO, Fraction(sum(self.net[code] for code in of), ten))
        amount = min(clamp(line, net * Fraction(line["rate"]), active), net)
        amount = max(ZERO, min(amount, Fraction(self.paid["seller"], ten)))
        self.put(line["code"], amount)
        whole = self.minor[line["code"]]
        brokers = sorted((b["party"], b.get("weight", 1)) for b in line["brokers"])
        weights = sum(weight for _, weight in brokers)
        shares = {name: whole * weight // weights for name, weight in brokers}
        ranked = sorted(brokers, key=lambda b: (-(whole * b[1] % weights), b[0]))
        for name, _ in ranked[: whole - sum(shares.values())]:
            shares[name] += 1
        for name, share in shares.items():
            self.paid[name] = self.paid.get(name, 0) + share
            self.paid["seller"] -= share

    def startup_fee(self, line: Spec, active: Fraction, units: Fraction) -> None:
        at, case = instant(line["at"]), self.case
        amount = Fraction(line["amount"])
        self.put(line["code"], amount * (case.start <= at < case.end))
        if not line.get("refund"):
            return
        back = ZERO
        end = instant(case.form["end"]) if "end" in case.form else None
        if end and case.form.get("ended_by") == "seller" and case.start < end <= case.end:
            used = case.months_ended(at, end, line["periods"])
            back = amount * (line["periods"] - used) / line["periods"]
        self.put(line["code"] + ".refund", -back)

    def licence(self, line: Spec, active: Fraction, units: Fraction) -> None:
        at = instant(line["at"])
        self.put(line["code"], Fraction(line["amount"]) * (self.case.start <= at < self.case.end))
        if line["afterwards"] == "subscription":
            self.put(line["code"] + ".service", Fraction(line["subscription"]) * active)

    def shortfall(self, line: Spec, active: Fraction, units: Fraction) -> None:
        missing = max(ZERO, Fraction(line["target"]) * active - units)
        self.put(line["code"], -clamp(line, missing * Fraction(line["damages"]), active))

    def sla_credit(self, line: Spec, active: Fraction, units: Fraction) -> None:
        ten = 10 ** self.case.form.get("currency_scale", 2)
        due = max(ZERO, Fraction(sum(self.net[code] for code in line["on"]), ten))
        credit = min(band(line, "credit", self.up), Fraction(line.get("credit_cap", "0.5")))
        self.put(line["code"], -due * credit)
