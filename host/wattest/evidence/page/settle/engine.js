// Draw the statement of one period: terms and readings in, the document out.

import { fail } from "../bytes.js";
import { Rational, ZERO, floorDiv, most, roundToMinor } from "../rational.js";
import { tariffCuts } from "../tariff.js";
import { buildTrack } from "../tracks.js";
import { labelAt, measure } from "../usage.js";
import { lineForm } from "./form.js";
import { bounded, part, sumOf, useParts } from "./price.js";

export const ENGINES = [{ format: "wattest-statement/1", engine: 1n }];
const KINDS = ["real", "emulated", "bench"];
const INPUTS = ["sensor", "injected", "stimulus"];

// The part of a period in which the contract is in force; it may be empty.
function serviceWindow(terms, [start, end]) {
  const from = terms.start !== null && terms.start > start ? terms.start : start;
  const to = terms.end !== null && terms.end < end ? terms.end : end;
  return [from, to > from ? to : from];
}

function activeShare(terms, period) {
  const [start, end] = serviceWindow(terms, period);
  let active = end - start;
  for (const [from, to] of terms.pauses) {
    const inside = (to < end ? to : end) - (from > start ? from : start);
    if (inside > 0n) active -= inside;
  }
  return new Rational(active, period[1] - period[0]);
}

// Each asset's nodes with their tracks, keys ascending.
function sourcesOf(terms, readings, nodes, period) {
  const groups = new Map();
  for (const reading of readings) {
    if (!nodes.has(reading.kid)) fail("settle", `No enrolment of key ${reading.kid}.`);
    if (!groups.has(reading.kid)) groups.set(reading.kid, []);
    groups.get(reading.kid).push(reading);
  }
  const sources = new Map(terms.assets.map((asset) => [asset, []]));
  for (const kid of [...nodes.keys()].sort()) {
    const node = nodes.get(kid);
    const group = groups.get(kid) ?? [];
    sources.get(node.asset)?.push({
      node,
      track: buildTrack(kid, group, terms.policy, period),
    });
  }
  for (const [asset, found] of sources) {
    if (found.length === 0) fail("settle", `No meter is enrolled for ${asset}.`);
  }
  return sources;
}

class Run {
  constructor({ terms, readings, nodes, period, final }) {
    this.terms = terms;
    this.period = period;
    this.final = final;
    this.service = serviceWindow(terms, period);
    this.active = activeShare(terms, period);
    this.sources = sourcesOf(terms, readings, nodes, period);
    this.measured = new Map();
  }

  cuts(line) {
    return tariffCuts(this.terms.zone, line.windows, this.service);
  }

  usage(line) {
    const cuts = this.cuts(line);
    const { policy, assets } = this.terms;
    return assets.map((asset) =>
      measure(asset, this.sources.get(asset), line.quantity, this.service, cuts, policy),
    );
  }

  // What is added for unmetered time, by window: only a final statement estimates.
  estimate(line, usage) {
    const shares = new Map();
    const wanted = this.final && this.terms.policy.unmetered === "estimate";
    if (!wanted || line.quantity.obis === "" || line.cap === null) return shares;
    let left = line.cap.times(line.quantity.base).floor();
    for (const asset of usage) {
      for (const gap of asset.gaps) {
        const count = gap.known ?? meanOver(asset, gap.end - gap.start);
        const granted = count < left ? count : left;
        left -= granted;
        if (granted > 0n) spread(shares, gap, granted, this.cuts(line));
      }
    }
    return shares;
  }

  // The active share without the time that no reading covers, averaged over the assets.
  withoutGaps(usage) {
    let gaps = 0n;
    for (const asset of usage) for (const { start, end } of asset.gaps) gaps += end - start;
    const whole = (this.period[1] - this.period[0]) * BigInt(usage.length);
    return most(ZERO, this.active.minus(new Rational(gaps, whole)));
  }

  draw(line) {
    if (line.template === "SUBSCRIPTION") {
      const parts = [part("", 0, this.active, line.amount)];
      return { line, active: this.active, parts, exact: sumOf(parts), flags: [] };
    }
    const usage = this.usage(line);
    const metered = new Map();
    for (const { byWindow } of usage) add(metered, byWindow);
    const estimated = this.estimate(line, usage);
    const exclude = this.terms.policy.unmetered === "exclude";
    const active = exclude ? this.withoutGaps(usage) : this.active;
    const parts = useParts(line, add(new Map(metered), estimated));
    const { amount, flags } = bounded(line, sumOf(parts), active);
    const all = new Set([...flags, ...usage.flatMap((asset) => asset.flags)]);
    if (estimated.size > 0) all.add("EST");
    return {
      line,
      active,
      parts,
      exact: amount,
      flags: [...all].sort(),
      usage,
      metered: total(metered),
      estimated: total(estimated),
    };
  }

  state(lines) {
    if (this.final) return "final";
    const [start, end] = this.service;
    const open = lines.some(({ usage = [] }) =>
      usage.some(
        ({ gaps }) =>
          gaps.length > 0 && (gaps[0].start === start || gaps[gaps.length - 1].end === end),
      ),
    );
    return open ? "provisional" : "complete";
  }

  // Why the statement is no claim for money: kinds of nodes, demo keys, input.
  testReasons() {
    const reasons = new Set();
    const [start, end] = this.period;
    for (const sources of this.sources.values()) {
      const present = sources.filter(
        ({ track: { times } }) =>
          times.length > 0 && times[0] < end && times[times.length - 1] >= start,
      );
      for (const { node, track } of present.length > 0 ? present : sources) {
        const name = `node ${node.kid}`;
        if (node.kind !== 0) reasons.add(`${name} is ${KINDS[node.kind]}`);
        if (node.demo) reasons.add(`${name} has a demo key`);
        for (const input of track.simulated)
          reasons.add(`${name} measured ${INPUTS[input]} input`);
      }
    }
    return [...reasons].sort();
  }
}

function meanOver({ metered, meteredMs }, span) {
  return meteredMs > 0n ? floorDiv(metered * span, meteredMs) : 0n;
}

// Share an estimate out to time-of-use windows pro rata to time, the remainder to the last.
function spread(shares, gap, count, cuts) {
  let label = labelAt(cuts, gap.start);
  let done = 0n;
  const inside = cuts.filter(({ time }) => gap.start < time && time < gap.end);
  for (const cut of [...inside, { time: gap.end, label: -1 }]) {
    const reached = (count * (cut.time - gap.start)) / (gap.end - gap.start);
    shares.set(label, (shares.get(label) ?? 0n) + reached - done);
    done = reached;
    label = cut.label;
  }
}

function add(sums, more) {
  for (const [label, count] of more) sums.set(label, (sums.get(label) ?? 0n) + count);
  return sums;
}

function total(counts) {
  return [...counts.values()].reduce((a, b) => a + b, 0n);
}

// Settle: `nodes` maps key ids to enrolments, `cutoff` is `{ size, root }`.
export function settle(request) {
  const { terms, period, termsHash, cutoff, generation } = request;
  const run = new Run(request);
  const lines = terms.lines.map((line) => run.draw(line));
  for (const drawn of lines) {
    drawn.amount = roundToMinor(drawn.exact, terms.scale, terms.rounding);
  }
  const reasons = run.testReasons();
  return {
    format: "wattest-statement/1",
    engine: 1,
    contract: terms.contract,
    title: terms.title,
    seller: terms.seller,
    buyer: terms.buyer,
    terms: termsHash,
    currency: terms.currency,
    scale: terms.scale,
    rounding: terms.rounding,
    period,
    generation,
    state: run.state(lines),
    cutoff,
    test: reasons.length > 0,
    test_reasons: reasons,
    lines: lines.map(lineForm),
    total: lines.reduce((sum, { amount }) => sum + amount, 0n),
  };
}
