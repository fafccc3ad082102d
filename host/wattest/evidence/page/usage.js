// What one asset delivered in the time a contract is in force, key after key, and which time no
// reading covers (docs/settlement.md section 2, rules 3 to 5).

import { hex } from "./bytes.js";
import { locate, readRegister, valueAt } from "./registers.js";
import { sha256Of } from "./sha256.js";
import { compareInt, missingBetween, sortedDigests } from "./tracks.js";

const FISCAL = 0;
const TRANSACTION = 1;

function startsAtPoint(rule) {
  return rule === "FIRST" || rule === "GAP";
}

function endsAtPoint(rule) {
  return rule === "LAST" || rule === "GAP";
}

class Collector {
  constructor(window, cuts, policy) {
    [this.start, this.end] = window;
    this.cuts = cuts;
    this.policy = policy;
    this.cursor = this.start;
    this.byWindow = new Map();
    this.meteredMs = 0n;
    this.gaps = [];
    this.excluded = 0n;
    this.keys = [];
    this.flags = new Set();
  }

  // Take what one key covers behind everything covered so far.
  take(track, delivered) {
    const { times } = delivered;
    const newest = times[times.length - 1];
    if (newest < this.start || times[0] >= this.end) return;
    const begin = this.cursor;
    if (begin > this.start && times[0] < begin) {
      this.flags.add("OVERLAP");
      if (newest <= begin) return;
    }
    const first = locate(delivered, begin, this.policy.maxGap);
    const last = locate(delivered, this.end, this.policy.maxGap);
    const from = startsAtPoint(first.rule) ? times[first.right] : begin;
    const to = endsAtPoint(last.rule) ? times[last.left] : this.end;
    if (to < from) {
      this.gap(begin, this.end, delivered); // the rest of the window lies inside one gap
      this.cursor = this.end;
      return;
    }
    this.gap(begin, from, first.rule === "GAP" ? delivered : null);
    this.cover(track, delivered, { ...first, time: from }, { ...last, time: to });
    this.cursor = to;
    if (last.rule === "GAP") {
      this.gap(to, this.end, delivered);
      this.cursor = this.end;
    }
  }

  gap(start, end, delivered) {
    if (end <= start) return;
    const known = delivered && valueAt(delivered, end) - valueAt(delivered, start);
    this.gaps.push({ start, end, known });
  }

  cover(track, delivered, first, last) {
    const low = startsAtPoint(first.rule) ? first.right : first.left;
    const high = endsAtPoint(last.rule) ? last.left : last.right;
    const points = delivered.points.slice(low, high + 1);
    this.share(delivered, first.time, last.time);
    this.meteredMs += last.time - first.time;
    for (const { time, count } of delivered.excluded) {
      if (first.time < time && time <= last.time) this.excluded += count;
    }
    this.raise(track.notes, delivered.times[low], delivered.times[high]);
    // a delta belongs to the interval that ends with it, not to the period it begins
    this.raise(delivered.notes, delivered.times[low] + 1n, delivered.times[high]);
    if (first.rule === "INTERP" || last.rule === "INTERP") this.flags.add("INTERP");
    if (this.flags.has("DERIVED_TIME") && this.policy.derivedTime === "estimate") {
      this.flags.add("EST");
    }
    const missing = missingBetween(track, points);
    if (missing > 0) this.flags.add("MISSING");
    this.keys.push({
      kid: points[0].kidBytes,
      quantity: valueAt(delivered, last.time) - valueAt(delivered, first.time),
      start: endOf(delivered, first),
      end: endOf(delivered, last),
      records: points.length,
      missing,
      digest: sha256Of(...sortedDigests(points)),
    });
  }

  raise(notes, low, high) {
    for (const { time, flag } of notes) {
      if (low <= time && time <= high) this.flags.add(flag);
    }
  }

  // Share what was metered out to the time-of-use windows, cut by cut.
  share(delivered, start, end) {
    const inside = this.cuts.filter(({ time }) => start < time && time < end);
    let label = labelAt(this.cuts, start);
    let value = valueAt(delivered, start);
    for (const cut of [...inside, { time: end, label: -1 }]) {
      const reached = valueAt(delivered, cut.time);
      this.byWindow.set(label, (this.byWindow.get(label) ?? 0n) + reached - value);
      value = reached;
      label = cut.label;
    }
    for (const { time } of inside) {
      const where = locate(delivered, time, this.policy.maxGap);
      if (where.rule === "EXACT") continue;
      const guess = where.rule === "GAP" || missesAround(delivered.points, where);
      this.flags.add(guess ? "EST" : "INTERP");
    }
  }

  finish(asset) {
    this.gap(this.cursor, this.end, null);
    if (this.gaps.length > 0) this.flags.add("UNMETERED");
    return {
      asset,
      byWindow: this.byWindow,
      metered: [...this.byWindow.values()].reduce((a, b) => a + b, 0n),
      meteredMs: this.meteredMs,
      gaps: this.gaps,
      excluded: this.excluded,
      keys: this.keys,
      flags: [...this.flags].sort(),
    };
  }
}

// The time-of-use window that holds at an instant; -1 outside of all.
export function labelAt(cuts, time) {
  let label = -1;
  for (const cut of cuts) {
    if (cut.time <= time) label = cut.label;
  }
  return label;
}

// Whether fiscal readings are missing around an instant between two points.
function missesAround(points, { left, right }) {
  let a = left;
  let b = right;
  while (a >= 0 && points[a].ctx !== FISCAL) a -= 1;
  while (b < points.length && points[b].ctx !== FISCAL) b += 1;
  return a >= 0 && b < points.length && points[b].seq - points[a].seq > 1n;
}

function endOf(delivered, { rule, left, right, time }) {
  let places;
  if (rule === "EXACT") places = [left];
  else if (rule === "INTERP") places = [left, right];
  else places = [left >= 0 && delivered.times[left] === time ? left : right];
  const records = places.map((place) => ({
    ctx: delivered.points[place].ctx,
    seq: delivered.points[place].seq,
    time: delivered.times[place],
    value: delivered.points[place].registers.get(delivered.obis),
    index: delivered.points[place].index,
  }));
  const since = valueAt(delivered, time) - delivered.values[places[0]];
  return { time, value: records[0].value + since, rule, records };
}

// Count records of one key instead of reading a register.
function countRecords(collector, track, quantity) {
  const found = track.readings.filter(
    ({ time, ctx, tx }) =>
      collector.start <= time &&
      time < collector.end &&
      (quantity.name === "record_count" ? ctx === FISCAL : ctx === TRANSACTION && tx === "B"),
  );
  if (found.length === 0) return;
  const size = BigInt(found.length);
  collector.byWindow.set(-1, (collector.byWindow.get(-1) ?? 0n) + size);
  collector.keys.push({
    kid: found[0].kidBytes,
    quantity: size,
    records: found.length,
    missing: 0,
    digest: sha256Of(...sortedDigests(found)),
  });
}

// Measure one asset; `sources` are its nodes with their tracks, keys ascending.
export function measure(asset, sources, quantity, window, cuts, policy) {
  const collector = new Collector(window, cuts, policy);
  for (const { track } of sources) collector.raise(track.notes, window[0], window[1]);
  if (quantity.obis === "") {
    for (const { track } of sources) countRecords(collector, track, quantity);
    collector.cursor = collector.end;
    collector.meteredMs = collector.end - collector.start;
    return collector.finish(asset);
  }
  const keyed = sources
    .map(({ node, track }) => ({ track, delivered: readRegister(track, quantity, node, policy) }))
    .filter(({ delivered }) => delivered.times.length > 0);
  keyed.sort(
    (a, b) =>
      compareInt(a.delivered.times[0], b.delivered.times[0]) ||
      compareInt(a.track.kid, b.track.kid),
  );
  for (const { track, delivered } of keyed) collector.take(track, delivered);
  return collector.finish(asset);
}

export function keyName(key) {
  return hex(key.kid);
}
