// Sets of time: ascending half-open spans of ms that do not touch.

import { compareInt } from "../tracks.js";

// The time that any of these covers; empty and upside-down ones cover nothing.
export function union(spans) {
  const merged = [];
  for (const [start, end] of [...spans].sort((a, b) => compareInt(a[0], b[0]))) {
    if (end <= start) continue;
    const last = merged[merged.length - 1];
    if (last && start <= last[1]) {
      if (end > last[1]) last[1] = end;
    } else merged.push([start, end]);
  }
  return merged;
}

// The time that both cover.
export function common(one, other) {
  const found = [];
  let i = 0;
  let j = 0;
  while (i < one.length && j < other.length) {
    const start = one[i][0] > other[j][0] ? one[i][0] : other[j][0];
    const end = one[i][1] < other[j][1] ? one[i][1] : other[j][1];
    if (start < end) found.push([start, end]);
    if (one[i][1] <= other[j][1]) i += 1;
    else j += 1;
  }
  return found;
}

// The time that the first covers and the second does not.
export function without(one, other) {
  const found = [];
  for (const [start, end] of one) {
    let at = start;
    for (const [low, high] of common([[start, end]], other)) {
      if (low > at) found.push([at, low]);
      at = high;
    }
    if (at < end) found.push([at, end]);
  }
  return found;
}

export function lengthOf(spans) {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0n);
}
