// Time-of-use windows: where another price begins to hold, cut into instants of UTC.

import { fail } from "./bytes.js";
import { compareInt } from "./tracks.js";
import { instantOn, localAt } from "./zone.js";

const SPAN_MS_MAX = 3660n * 86400000n;
const DAY_MS = 86400000;
const QUARTER_HOUR_MS = 900000;

// Whether a window covers a local minute; what lies behind midnight belongs to the day before.
function covers({ days, from, to }, weekday, minute) {
  if (from < to) return days.includes(weekday) && from <= minute && minute < to;
  if (minute >= from) return days.includes(weekday);
  return minute < to && days.includes((weekday + 6) % 7);
}

// Every instant at which a window may begin or end, from `start` on (Numbers).
function candidates(zone, minutes, start, end) {
  const found = new Set([start]);
  let { day } = localAt(zone, start);
  for (let midnight = instantOn(zone, day, 0); midnight < end; day += 1) {
    const tomorrow = instantOn(zone, day + 1, 0);
    if (tomorrow - midnight === DAY_MS) {
      for (const minute of minutes) found.add(midnight + minute * 60000);
    } else {
      // a clock change: local times repeat or are skipped
      for (let at = midnight; at < tomorrow; at += QUARTER_HOUR_MS) found.add(at);
      for (const minute of minutes) {
        found.add(instantOn(zone, day, minute)).add(instantOn(zone, day, minute, true));
      }
    }
    midnight = tomorrow;
  }
  return [...found].filter((at) => start <= at && at < end).sort(compareInt);
}

// Cut [start, end) into `{ time, label }`: from `time` on the window `label` holds, -1 for none.
export function tariffCuts(zone, windows, [start, end]) {
  if (windows.length === 0) return [];
  if (end - start > SPAN_MS_MAX) fail("settle", "The period is longer than ten years.");
  const minutes = [0, ...windows.flatMap(({ from, to }) => [from, to % 1440])];
  const cuts = [];
  for (const at of candidates(zone, minutes, Number(start), Number(end))) {
    const { weekday, minute } = localAt(zone, at);
    const label = windows.findIndex((window) => covers(window, weekday, minute));
    if (cuts.length === 0 || cuts[cuts.length - 1].label !== label) {
      cuts.push({ time: BigInt(at), label });
    }
  }
  return cuts;
}
