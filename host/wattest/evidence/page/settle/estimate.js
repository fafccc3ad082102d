// What a final statement adds for unmetered time, where the terms say so: by the rule of the
// terms, or from estimates in the log. Never more than the line's cap.

import { floorDiv } from "../rational.js";
import { compareInt } from "../tracks.js";
import { labelAt } from "../usage.js";

// What the register moved over each gap, or else the mean rate of the metered time.
function byRule({ gaps, metered, meteredMs }) {
  return gaps.map(({ start, end, known }) => {
    const mean = meteredMs > 0n ? floorDiv(metered * (end - start), meteredMs) : 0n;
    return { start, end, count: known ?? mean, source: null };
  });
}

function logOrder(a, b) {
  return (
    compareInt(a.window[0], b.window[0]) ||
    compareInt(a.window[1], b.window[1]) ||
    compareInt(a.count, b.count) ||
    compareInt(a.index, b.index)
  );
}

// The logged estimates that lie whole in a gap, none over time another one spoke of.
function fromLog(estimates, { asset, gaps }, quantity) {
  const found = [];
  const own = estimates.filter((each) => each.asset === asset && each.quantity === quantity);
  for (const source of own.sort(logOrder)) {
    const [start, end] = source.window;
    if (found.length > 0 && start < found[found.length - 1].end) continue;
    if (gaps.some((gap) => gap.start <= start && end <= gap.end)) {
      found.push({ start, end, count: source.count, source });
    }
  }
  return found;
}

// Share counts out to time-of-use windows pro rata to time, the remainder to the last.
function spread(shares, { start, end }, count, cuts) {
  let label = labelAt(cuts, start);
  let done = 0n;
  const inside = cuts.filter(({ time }) => start < time && time < end);
  for (const cut of [...inside, { time: end, label: -1 }]) {
    const reached = (count * (cut.time - start)) / (end - start);
    shares.set(label, (shares.get(label) ?? 0n) + reached - done);
    done = reached;
    label = cut.label;
  }
}

// `{ shares, used }`: counts by time-of-use window, and what each logged estimate was granted.
export function estimateFor({ policy, needs, usage, estimates, cuts, final }) {
  const shares = new Map();
  const used = [];
  const { quantity, cap } = needs;
  const wanted = final && policy.unmetered === "estimate";
  if (!wanted || quantity.obis === "" || cap === null) return { shares, used };
  let left = cap.times(quantity.base).floor();
  for (const asset of usage) {
    const rule = policy.estimates === "rule";
    for (const wish of rule ? byRule(asset) : fromLog(estimates, asset, quantity.name)) {
      const granted = wish.count < left ? wish.count : left;
      left -= granted;
      if (wish.source !== null) used.push({ source: wish.source, granted });
      if (granted > 0n) spread(shares, wish, granted, cuts);
    }
  }
  return { shares, used };
}
