// What a register delivered over time, delta by delta within one key (docs/settlement.md
// section 2, rules 3 and 4). Everything is whole base counts.

import { floorDiv, modulo } from "./rational.js";
import { placeOf } from "./tracks.js";

const MS_PER_H = 3600000n;

// The largest plausible growth: `num` base counts in `den` ms, or null where nothing is known.
function largestRate(quantity, node, policy) {
  const slack = 100n + policy.tolerancePercent;
  if (quantity.limit === "power" && node.powerMax > 0n) {
    return { num: node.powerMax * slack, den: 100n * MS_PER_H };
  }
  return quantity.limit === "time" ? { num: slack, den: 100n * 1000n } : null;
}

// The longer opinion of two clocks: setting the time makes one of them too short.
function spanOf(points, times, a, b) {
  const span = times[b] - times[a];
  if (points[a].bootcount !== points[b].bootcount) return span;
  const uptime = points[b].mono - points[a].mono;
  return uptime > span ? uptime : span;
}

// Delivered counts at the points that carry the register: from 0, never falling.
export function readRegister(track, quantity, node, policy) {
  const points = [];
  const times = [];
  const tainted = [];
  let dirt = false;
  track.points.forEach((point, i) => {
    dirt = dirt || track.tainted[i];
    // a register that stands below zero, or is not there, is no value
    if ((point.registers.get(quantity.obis) ?? -1n) < 0n) return;
    points.push(point);
    times.push(track.times[i]);
    tainted.push(policy.input === "sensor" && dirt);
    dirt = false;
  });
  const raw = points.map((point) => point.registers.get(quantity.obis));
  const rate = largestRate(quantity, node, policy);
  return {
    obis: quantity.obis,
    points,
    times,
    ...sieve(points, times, raw, tainted, rate, quantity),
  };
}

function sieve(points, times, raw, tainted, rate, quantity) {
  const values = raw.map(() => 0n);
  const notes = [];
  const excluded = [];
  let anchor = 0;
  let dirty = false;
  for (let i = 1; i < raw.length; i += 1) {
    dirty = dirty || tainted[i];
    values[i] = values[i - 1];
    let delta = raw[i] - raw[anchor];
    if (quantity.modulus > 0n) delta = modulo(delta, quantity.modulus);
    const span = spanOf(points, times, anchor, i);
    if (delta < 0n || (rate && (delta - 1n) * rate.den > rate.num * span)) {
      notes.push({ time: times[i], flag: "REGISTER_FAULT" });
      continue;
    }
    if (!dirty) values[i] += delta;
    else if (delta > 0n) {
      excluded.push({ time: times[i], count: delta });
      notes.push({ time: times[i], flag: "INPUT" });
    }
    anchor = i;
    dirty = false;
  }
  return { values, notes, excluded };
}

// Where an instant lies among the points; `left` and `right` are the points on its two sides.
export function locate(delivered, time, maxGap) {
  const { times } = delivered;
  const right = placeOf(times, time);
  if (right === times.length) return { rule: "LAST", left: right - 1, right };
  if (times[right] === time) return { rule: "EXACT", left: right, right };
  if (right === 0) return { rule: "FIRST", left: -1, right: 0 };
  const near = times[right] - times[right - 1] <= maxGap;
  return { rule: near ? "INTERP" : "GAP", left: right - 1, right };
}

// Delivered counts at an instant: between two points pro rata to time, rounded down.
export function valueAt(delivered, time) {
  const { times, values } = delivered;
  const i = placeOf(times, time);
  if (i === times.length) return values[i - 1];
  if (i === 0 || times[i] === time) return values[i];
  const grown = values[i] - values[i - 1];
  return values[i - 1] + floorDiv(grown * (time - times[i - 1]), times[i] - times[i - 1]);
}
