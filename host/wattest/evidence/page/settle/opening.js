// The value at the begin of a period whose predecessor is final (docs/settlement.md section 3.9):
// what was logged later may not change it.

import { isUsable } from "../tracks.js";

// Of each key, the nearest usable records known in time on both sides of an instant: when the
// later one is, where they are close enough for the value between them to have counted.
function frozenUntil(readings, policy, instant, opening) {
  const around = new Map();
  for (const reading of readings) {
    const { kid, time, index } = reading;
    if (time === null || index >= opening || !isUsable(reading, policy)) continue;
    const sides = around.get(kid) ?? { before: null, after: null };
    around.set(kid, sides);
    if (time <= instant && (sides.before === null || time > sides.before)) sides.before = time;
    if (time >= instant && (sides.after === null || time < sides.after)) sides.after = time;
  }
  const frozen = new Map();
  for (const [kid, { before, after }] of around) {
    const both = before !== null && after !== null;
    if (both && after - before <= policy.maxGap) frozen.set(kid, after);
  }
  return frozen;
}

// The readings without those that came too late; `opening` counts the entries known in time.
export function withoutLate(readings, policy, instant, opening) {
  const frozen = frozenUntil(readings, policy, instant, opening);
  return readings.filter(({ kid, time, index }) => {
    const until = frozen.get(kid);
    return index < opening || time === null || until === undefined || time >= until;
  });
}
