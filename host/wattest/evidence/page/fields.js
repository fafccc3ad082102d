// Reading the map of terms key by key: typed values in their one spelling, nothing left over.

import { fail } from "./bytes.js";
import { ZERO, parseDecimal } from "./rational.js";
import { TIME_MAX, TIME_MIN, parseInstant } from "./zone.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const MONEY_MAX = 10n ** 12n;

export class Fields {
  constructor(map, path = "") {
    if (!(map instanceof Map))
      fail("terms", `The terms are not valid at "${path}": named values expected.`, path);
    this.map = map;
    this.path = path;
    this.known = new Set();
  }

  wrong(key, expected) {
    const place = this.path ? `${this.path}.${key}` : key;
    fail("terms", `The terms are not valid at "${place}": ${expected} expected.`, place);
  }

  has(key) {
    this.known.add(key);
    return this.map.has(key);
  }

  raw(key) {
    if (!this.has(key)) this.wrong(key, "a value");
    return this.map.get(key);
  }

  text(key, pattern = /^[ -~]{1,80}$/) {
    const value = this.raw(key);
    if (typeof value !== "string" || !pattern.test(value)) this.wrong(key, "a text of its form");
    return value;
  }

  name(key) {
    return this.text(key, NAME);
  }

  choice(key, options) {
    const value = this.raw(key);
    if (typeof value !== "string" || !options.includes(value)) {
      this.wrong(key, `one of ${options.join(", ")}`);
    }
    return value;
  }

  integer(key, minimum = 0n, maximum = (1n << 63n) - 1n) {
    const value = this.raw(key);
    if (typeof value !== "bigint" || value < minimum || value > maximum) {
      this.wrong(key, `a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  }

  flag(key) {
    const value = this.raw(key);
    if (typeof value !== "boolean") this.wrong(key, "yes or no");
    return value;
  }

  // An amount or price: not negative, at most nine decimals, shortest spelling.
  decimal(key, maximum = MONEY_MAX) {
    const value = parseDecimal(this.raw(key));
    const fits = value !== null && value.compare(ZERO) >= 0 && value.compare(maximum) <= 0;
    if (!fits || 10n ** 9n % value.den !== 0n) this.wrong(key, "an amount");
    return value;
  }

  positive(key) {
    const value = this.decimal(key);
    if (value.isZero()) this.wrong(key, "more than 0");
    return value;
  }

  instant(key) {
    const value = parseInstant(this.raw(key));
    if (value === null || value < TIME_MIN || value > TIME_MAX) {
      this.wrong(key, "an instant in UTC");
    }
    return value;
  }

  optional(key, read) {
    return this.has(key) ? read(key) : null;
  }

  list(key) {
    const value = this.raw(key);
    if (!Array.isArray(value)) this.wrong(key, "a list");
    return value;
  }

  table(key) {
    return new Fields(this.raw(key), this.path ? `${this.path}.${key}` : key);
  }

  // An array of maps; absent means empty, and then it must be absent.
  tables(key) {
    if (!this.has(key)) return [];
    const items = this.list(key);
    if (items.length === 0) this.wrong(key, "at least one, or none written at all");
    const place = this.path ? `${this.path}.${key}` : key;
    return items.map((item, i) => new Fields(item, `${place}[${i}]`));
  }

  // Windows of time that ascend and stay apart; absent means none.
  windows(key) {
    const windows = [];
    for (const entry of this.tables(key)) {
      const window = [entry.instant("start"), entry.instant("end")];
      if (window[1] <= window[0]) entry.wrong("end", "an instant after its start");
      const before = windows[windows.length - 1];
      if (before && window[0] < before[1]) entry.wrong("start", "windows in order, apart");
      entry.finish();
      windows.push(window);
    }
    return windows;
  }

  finish() {
    for (const key of this.map.keys()) {
      if (!this.known.has(key)) this.wrong(String(key), "no such value");
    }
  }
}

export function isName(text) {
  return typeof text === "string" && NAME.test(text);
}

export function ascending(items) {
  return items.every((item, i) => i === 0 || items[i - 1] < item);
}
