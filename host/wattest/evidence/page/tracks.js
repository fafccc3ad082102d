// The readings of one key in the order of their times (docs/settlement.md section 2, rules 1 and
// 2): the points at which its registers can be read, and what is doubtful about them.

import { compareBytes, hex } from "./bytes.js";

const FISCAL = 0;

export function compareInt(a, b) {
  return a < b ? -1 : Number(a > b);
}

function timeOrder(a, b) {
  return (
    compareInt(a.time, b.time) ||
    compareInt(a.bootcount, b.bootcount) ||
    compareInt(a.mono, b.mono) ||
    a.ctx - b.ctx ||
    compareInt(a.seq, b.seq)
  );
}

function numberOrder(a, b) {
  return a.ctx - b.ctx || compareInt(a.seq, b.seq);
}

function identity(reading) {
  return `${reading.ctx}/${reading.seq}`;
}

export function isUsable(reading, policy) {
  if (reading.derived && policy.derivedTime === "exclude") return false;
  return reading.statusOk || policy.status !== "exclude";
}

// The first place in ascending `times` that is not before `time`; with `after`, that is behind it.
export function placeOf(times, time, after = false) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time || (after && times[middle] === time)) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Cut ordered readings down to the period and, on each side, back to one that can be used.
function around(timed, policy, [start, end]) {
  const times = timed.map((reading) => reading.time);
  let low = placeOf(times, start);
  let high = placeOf(times, end, true);
  while (low > 0) {
    low -= 1;
    if (isUsable(timed[low], policy)) break;
  }
  while (high < timed.length) {
    high += 1;
    if (isUsable(timed[high - 1], policy)) break;
  }
  return timed.slice(low, high);
}

// Each content once, where it lies first in the log; and the numbers that two contents share.
function withoutRepetitions(readings) {
  const byName = new Map();
  const byContent = new Map();
  const conflicts = new Set();
  for (const reading of readings) {
    const name = identity(reading);
    const content = hex(reading.content);
    if ((byName.get(name) ?? content) !== content) conflicts.add(name);
    byName.set(name, byName.get(name) ?? content);
    const key = `${name}/${content}`;
    const known = byContent.get(key);
    if (known === undefined || reading.index < known.index) byContent.set(key, reading);
  }
  return { kept: [...byContent.values()], conflicts };
}

// Readings without a time whose numbers lie between two that have one.
function untimedBetween(untimed, kept) {
  const ranges = new Map();
  for (const { ctx, seq } of kept) {
    const [low, high] = ranges.get(ctx) ?? [seq, seq];
    ranges.set(ctx, [seq < low ? seq : low, seq > high ? seq : high]);
  }
  const inside = untimed.filter(({ ctx, seq }) => {
    const range = ranges.get(ctx);
    return range !== undefined && range[0] < seq && seq < range[1];
  });
  return inside.sort(numberOrder);
}

// For each kept reading, the ones without a time right before it by number.
function followersOf(between, kept) {
  const found = new Map();
  if (between.length === 0) return found;
  const ordered = [...kept].sort(numberOrder);
  for (const reading of between) {
    const next = identity(ordered.find((other) => numberOrder(other, reading) >= 0));
    found.set(next, [...(found.get(next) ?? []), reading]);
  }
  return found;
}

class Builder {
  constructor(policy, followers) {
    this.policy = policy;
    this.followers = followers;
    this.readings = [];
    this.points = [];
    this.times = [];
    this.tainted = [];
    this.notes = [];
    this.simulated = new Set();
    this.newest = [0n, 0n, 0n];
    this.dirty = false;
    this.inputAfter = 0;
  }

  note(time, flag) {
    this.notes.push({ time, flag });
  }

  seeInput(reading) {
    this.dirty = this.dirty || reading.input !== 0 || this.inputAfter !== 0;
    this.inputAfter = reading.inputAfter;
    for (const source of [reading.input, reading.inputAfter]) {
      if (source !== 0) this.simulated.add(source);
    }
  }

  look(reading) {
    for (const earlier of this.followers.get(identity(reading)) ?? []) {
      this.note(reading.time, "UNTIMED");
      this.seeInput(earlier);
    }
    this.seeInput(reading);
    if (!reading.statusOk) this.note(reading.time, "STATUS");
    if (reading.derived) this.note(reading.time, "DERIVED_TIME");
    if (reading.seq < this.newest[reading.ctx]) this.note(reading.time, "CLOCK_BACKWARDS");
    else this.newest[reading.ctx] = reading.seq;
  }

  add(reading) {
    this.look(reading);
    if (!isUsable(reading, this.policy)) return;
    this.readings.push(reading);
    const last = this.points.length - 1;
    if (last >= 0 && this.times[last] === reading.time) {
      if (sameRegisters(reading.registers, this.points[last].registers)) return;
      this.note(reading.time, "CLOCK_BACKWARDS");
      this.points.pop();
      this.times.pop();
      this.dirty = this.tainted.pop() || this.dirty;
    }
    this.points.push(reading);
    this.times.push(reading.time);
    this.tainted.push(this.dirty);
    this.dirty = false;
  }

  // A reading that contradicts another is no point; what it says of the input still counts.
  skip(reading) {
    this.look(reading);
    this.note(reading.time, "CONFLICT");
  }
}

function sameRegisters(a, b) {
  if (a.size !== b.size) return false;
  return [...a].every(([obis, value]) => b.get(obis) === value);
}

// What the last relay event before an instant said; without one it is closed.
function wasRelayOpen(timed, before) {
  const events = timed.filter(({ relay, time }) => relay !== null && time < before);
  return events.length > 0 && events[events.length - 1].relay === 0;
}

// The track of one key; `group` are all its readings, in any order.
export function buildTrack(kid, group, policy, period) {
  const timed = group.filter((reading) => reading.time !== null).sort(timeOrder);
  const untimed = group.filter((reading) => reading.time === null);
  const { kept, conflicts } = withoutRepetitions(around(timed, policy, period));
  const between = untimedBetween(untimed, kept);
  const fiscal = [...kept, ...between].filter(({ ctx }) => ctx === FISCAL).map(({ seq }) => seq);
  const builder = new Builder(policy, followersOf(between, kept));
  for (const reading of kept) {
    if (conflicts.has(identity(reading))) builder.skip(reading);
    else builder.add(reading);
  }
  return {
    kid,
    kidBytes: group.length ? group[0].kidBytes : null,
    readings: builder.readings,
    points: builder.points,
    times: builder.times,
    tainted: builder.tainted,
    notes: builder.notes,
    fiscal: [...new Set(fiscal)].sort(compareInt),
    simulated: [...builder.simulated].sort(),
    seen: kept.filter((reading) => !conflicts.has(identity(reading))),
    relayOpen: kept.length > 0 && wasRelayOpen(timed, kept[0].time),
  };
}

// How many fiscal readings between some points nobody has seen.
export function missingBetween(track, points) {
  const seqs = points.filter(({ ctx }) => ctx === FISCAL).map(({ seq }) => seq);
  if (seqs.length === 0) return 0;
  const low = seqs.reduce((a, b) => (b < a ? b : a));
  const high = seqs.reduce((a, b) => (b > a ? b : a));
  const known = placeOf(track.fiscal, high, true) - placeOf(track.fiscal, low);
  return Number(high - low) + 1 - known;
}

export function sortedDigests(readings) {
  return readings.map((reading) => reading.content).sort(compareBytes);
}
