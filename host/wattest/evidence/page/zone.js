// Local time to UTC instants by the browser's own table of time zones. Instants are BigInt ms.

import { fail } from "./bytes.js";
import { floorDiv, modulo } from "./rational.js";

const DAY_MS = 86400000;
export const TIME_MIN = 631152000000n; // 1990
export const TIME_MAX = 7258118400000n; // 2200: beyond it no table of zones says anything
const FORMATS = new Map();

// Whether a name is that of a zone: not an offset, and spelled as the table spells it.
export function isZone(name) {
  if (name === "UTC") return true;
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    const { timeZone } = formatOf(name).resolvedOptions();
    return timeZone === name || timeZone.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

function formatOf(name) {
  if (!FORMATS.has(name)) {
    const options = { timeZone: name, hourCycle: "h23", calendar: "gregory" };
    for (const unit of ["year", "month", "day", "hour", "minute", "second"]) {
      options[unit] = "numeric";
    }
    FORMATS.set(name, new Intl.DateTimeFormat("en-US", { ...options, era: "short" }));
  }
  return FORMATS.get(name);
}

// How far local time is ahead of UTC at an instant, ms; instants here are Numbers.
function offsetAt(zone, ms) {
  if (zone === "UTC") return 0;
  const second = Math.floor(ms / 1000) * 1000;
  const parts = {};
  for (const { type, value } of formatOf(zone).formatToParts(second)) parts[type] = value;
  const { year, month, day, hour, minute, second: s } = parts;
  return Date.UTC(+year, month - 1, +day, +hour, +minute, +s) - second;
}

// The instant of a local wall time. Where a clock change repeats it, `later` picks the second one;
// where it is skipped, the offset before the change counts, or after it with `later`.
function instantOf(zone, localMs, later) {
  const before = offsetAt(zone, localMs - DAY_MS);
  const after = offsetAt(zone, localMs + DAY_MS);
  const first = localMs - before;
  if (before === after) return first;
  const second = localMs - after;
  const firstHolds = offsetAt(zone, first) === before;
  const secondHolds = offsetAt(zone, second) === after;
  if (firstHolds !== secondHolds) return firstHolds ? first : second;
  return later ? second : first;
}

// A local day is its number since 1970-01-01; minutes count from its midnight.
export function instantOn(zone, day, minute, later = false) {
  return instantOf(zone, day * DAY_MS + minute * 60000, later);
}

// Local day, weekday (0 Monday) and minute of an instant (Number).
export function localAt(zone, ms) {
  const local = ms + offsetAt(zone, ms);
  const day = Math.floor(local / DAY_MS);
  return {
    day,
    weekday: (((day + 3) % 7) + 7) % 7,
    minute: Math.floor((local - day * DAY_MS) / 60000),
  };
}

function firstOfMonth(number) {
  return Date.UTC(Math.floor(number / 12), number % 12, 1) / DAY_MS;
}

// The calendar unit around an instant: [start, end) in ms, Numbers.
export function calendarPeriod(zone, unit, ms) {
  const { day, weekday } = localAt(zone, ms);
  let days;
  if (unit === "day") days = [day, day + 1];
  else if (unit === "week") days = [day - weekday, day - weekday + 7];
  else {
    const months = { month: 1, quarter: 3, year: 12 }[unit];
    const date = new Date(day * DAY_MS);
    const now = 12 * date.getUTCFullYear() + date.getUTCMonth();
    const number = Math.floor(now / months) * months;
    days = [firstOfMonth(number), firstOfMonth(number + months)];
  }
  return days.map((number) => instantOn(zone, number, 0));
}

export function formatInstant(ms) {
  const text = new Date(Number(ms)).toISOString();
  return modulo(ms, 1000n) === 0n ? text.replace(".000Z", "Z") : text;
}

// Read the one spelling that terms have; null for any other.
export function parseInstant(text) {
  if (typeof text !== "string" || !/^[0-9]{4}-[0-9-]{5}T[0-9:]{8}(\.[0-9]{3})?Z$/.test(text)) {
    return null;
  }
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || formatInstant(BigInt(ms)) !== text) return null;
  return BigInt(ms);
}

// The settlement period an instant (BigInt) belongs to, as BigInt.
export function periodAt(terms, time) {
  if (time < 0n || time >= TIME_MAX) fail("period", "A time between 1970 and 2200 is expected.");
  if (terms.period.kind === "calendar") {
    return calendarPeriod(terms.zone, terms.period.unit, Number(time)).map(BigInt);
  }
  const { start, duration } = terms.period;
  if (time < start) fail("period", "It begins before the first period of the contract.");
  const begin = start + floorDiv(time - start, duration) * duration;
  return [begin, begin + duration];
}

// Up to `count` periods before one, ascending, none from before the contract.
export function previousPeriods(terms, period, count) {
  let first = terms.start ?? 0n;
  if (terms.period.kind === "fixed" && terms.period.start > first) first = terms.period.start;
  const found = [];
  let end = period[0];
  while (found.length < count && end > first) {
    found.unshift(periodAt(terms, end - 1n));
    [end] = found[0];
  }
  return found;
}

// How many periods, counted from the one that holds `from`, end by `until`; at most `limit`.
export function periodsEnded(terms, from, until, limit) {
  let at = from;
  if (terms.period.kind === "fixed" && terms.period.start > at) at = terms.period.start;
  for (let count = 0; count < limit; count += 1) {
    const [, end] = periodAt(terms, at);
    if (end > until) return count;
    at = end;
  }
  return limit;
}
