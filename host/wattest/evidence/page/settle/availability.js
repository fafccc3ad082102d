// How much of the time the assets were up, by the records of their keys. Each instant is, in this
// order: excluded (maintenance, pauses), unknown (no record covers it), down, or up.

import { ONE, Rational, least } from "../rational.js";
import { common, lengthOf, union, without } from "./spans.js";

const OPEN = 0;

// A record covers the time back to the one before it of the same key, at most `coverage`.
function coverOf(seen, coverage) {
  const covered = [];
  const bad = [];
  for (let i = 1; i < seen.length; i += 1) {
    const { time, statusOk } = seen[i];
    const before = seen[i - 1].time;
    const span = [before > time - coverage ? before : time - coverage, time];
    covered.push(span);
    if (!statusOk) bad.push(span);
  }
  return { covered: union(covered), bad };
}

// When a relay was open, up to the next event that says it is closed.
function openTimes({ seen, relayOpen }, end) {
  const found = [];
  let since = relayOpen && seen.length > 0 ? seen[0].time : null;
  for (const { time, relay } of seen) {
    if (relay === null) continue;
    if (since === null && relay === OPEN) since = time;
    else if (since !== null && relay !== OPEN) {
      found.push([since, time]);
      since = null;
    }
  }
  if (since !== null) found.push([since, end]);
  return found;
}

function scanAsset(asset, tracks, base, excluded, coverage, end) {
  const covered = [];
  const down = [];
  for (const track of tracks) {
    const own = coverOf(track.seen, coverage);
    covered.push(...own.covered);
    down.push(...common(own.covered, union([...own.bad, ...openTimes(track, end)])));
  }
  const known = common(base, union(covered));
  const fallen = common(known, union(down));
  return {
    asset,
    base: lengthOf(base),
    excluded,
    up: lengthOf(known) - lengthOf(fallen),
    down: fallen,
    unknown: without(base, known),
  };
}

function sum(counts) {
  return counts.reduce((a, b) => a + b, 0n);
}

// Scan the window; `sources` maps assets to their nodes with tracks.
export function scanAvailability(terms, window, sources) {
  const { coverage, maxUnknown } = terms.policy;
  const span = union([window]);
  const excluded = common(span, union([...terms.maintenance, ...terms.pauses]));
  const base = without(span, excluded);
  const assets = [...sources].map(([asset, nodes]) => {
    const tracks = nodes.map(({ track }) => track);
    return scanAsset(asset, tracks, base, lengthOf(excluded), coverage, window[1]);
  });
  const whole = sum(assets.map((each) => each.base));
  const up = sum(assets.map((each) => each.up));
  const unknown = sum(assets.map((each) => lengthOf(each.unknown)));
  const leftOut = least(new Rational(unknown), maxUnknown.times(whole));
  const known = new Rational(whole).minus(leftOut);
  const excess = leftOut.compare(unknown) < 0;
  const flags = excess ? ["UNKNOWN", "UNKNOWN_DOWN"] : ["UNKNOWN"];
  return {
    value: known.num > 0n ? new Rational(up).over(known) : ONE,
    leftOut,
    base: whole,
    up,
    down: sum(assets.map((each) => lengthOf(each.down))),
    unknown,
    assets,
    flags: unknown > 0n ? flags : [],
  };
}
