// Draw the statement of one period: terms and evidence in, the document out.

import { fail } from "../bytes.js";
import { ONE, Rational, ZERO, most } from "../rational.js";
import { tariffCuts } from "../tariff.js";
import { buildTrack } from "../tracks.js";
import { measure } from "../usage.js";
import { TIME_MAX, previousPeriods } from "../zone.js";
import { scanAvailability } from "./availability.js";
import { estimateFor } from "./estimate.js";
import { statementForm } from "./form.js";
import { withoutLate } from "./opening.js";
import { priceLines } from "./price.js";

export const ENGINES = [{ format: "wattest-statement/2", engine: 2n }];
const KINDS = ["real", "emulated", "bench"];
const INPUTS = ["sensor", "injected", "stimulus"];

// The part of a period in which the contract is in force; it may be empty.
function serviceWindow(terms, [start, end]) {
  const from = terms.start !== null && terms.start > start ? terms.start : start;
  const to = terms.end !== null && terms.end < end ? terms.end : end;
  return [from, to > from ? to : from];
}

function overlap([start, end], [from, to]) {
  const inside = (to < end ? to : end) - (from > start ? from : start);
  return inside > 0n ? inside : 0n;
}

// Share of a period in which the contract is in force and not paused; with `spans` only in these.
function activeShare(terms, period, spans) {
  const service = serviceWindow(terms, period);
  let active = 0n;
  for (const span of spans ?? [service]) {
    active += overlap(service, span);
    const inside = [
      span[0] > service[0] ? span[0] : service[0],
      span[1] < service[1] ? span[1] : service[1],
    ];
    for (const pause of terms.pauses) active -= overlap(inside, pause);
  }
  return new Rational(active, period[1] - period[0]);
}

// Each asset's nodes with their tracks, keys ascending.
function sourcesOf(terms, readings, nodes, window) {
  const groups = new Map();
  for (const reading of readings) {
    if (!nodes.has(reading.kid)) fail("settle", `No enrolment of key ${reading.kid}.`);
    if (!groups.has(reading.kid)) groups.set(reading.kid, []);
    groups.get(reading.kid).push(reading);
  }
  const sources = new Map(terms.assets.map((asset) => [asset, []]));
  for (const kid of [...nodes.keys()].sort()) {
    const node = nodes.get(kid);
    const track = buildTrack(kid, groups.get(kid) ?? [], terms.policy, window);
    sources.get(node.asset)?.push({ node, track });
  }
  for (const [asset, found] of sources) {
    if (found.length === 0) fail("settle", `No meter is enrolled for ${asset}.`);
  }
  return sources;
}

// The period, and the earlier ones that a line of it looks back to.
function evidenceWindow(terms, period) {
  const lookback = Math.max(...terms.lines.map(({ needs }) => needs.lookback));
  const [first = period] = previousPeriods(terms, period, lookback);
  return [first[0], period[1]];
}

class Run {
  constructor({ terms, readings, nodes, period, final, estimates = [] }) {
    this.terms = terms;
    this.period = period;
    this.final = final;
    this.estimates = estimates;
    this.service = serviceWindow(terms, period);
    this.sources = sourcesOf(terms, readings, nodes, evidenceWindow(terms, period));
  }

  cuts(needs, window) {
    return tariffCuts(this.terms.zone, needs.windows, window);
  }

  usage(needs, window) {
    const { policy, assets } = this.terms;
    const cuts = this.cuts(needs, window);
    return assets.map((asset) =>
      measure(asset, this.sources.get(asset), needs.quantity, window, cuts, policy),
    );
  }

  // The active share without the time that no reading covers, averaged over the assets.
  withoutGaps(usage, active) {
    let gaps = 0n;
    for (const asset of usage) for (const { start, end } of asset.gaps) gaps += end - start;
    const whole = (this.period[1] - this.period[0]) * BigInt(usage.length);
    return most(ZERO, active.minus(new Rational(gaps, whole)));
  }

  // What earlier periods metered; nothing is estimated in them.
  history(needs) {
    return previousPeriods(this.terms, this.period, needs.lookback).map((period) => {
      const usage = this.usage(needs, serviceWindow(this.terms, period));
      const count = usage.reduce((sum, { metered }) => sum + metered, 0n);
      return { active: activeShare(this.terms, period, needs.spans), count };
    });
  }

  // What one line of the terms is priced with, and the evidence behind it.
  count({ needs }) {
    const active = activeShare(this.terms, this.period, needs.spans);
    const nothing = { usage: [], metered: 0n, estimated: 0n, logged: [] };
    if (!needs.quantity) return { active, byWindow: new Map(), history: [], ...nothing };
    const { policy } = this.terms;
    const usage = this.usage(needs, this.service);
    const metered = new Map();
    for (const { byWindow } of usage) add(metered, byWindow);
    const { shares, used } = estimateFor({
      policy,
      needs,
      usage,
      estimates: this.estimates,
      cuts: this.cuts(needs, this.service),
      final: this.final,
    });
    return {
      active: policy.unmetered === "exclude" ? this.withoutGaps(usage, active) : active,
      byWindow: add(new Map(metered), shares),
      history: this.history(needs),
      usage,
      metered: total(metered),
      estimated: total(shares),
      logged: used,
    };
  }

  state(lines, availability) {
    if (this.final) return "final";
    const [start, end] = this.service;
    const touches = (spans) =>
      spans.length > 0 && (spans[0][0] === start || spans[spans.length - 1][1] === end);
    const open = lines.some(({ usage }) =>
      usage.some(({ gaps }) => touches(gaps.map((gap) => [gap.start, gap.end]))),
    );
    const unknown = availability?.assets.some((asset) => touches(asset.unknown)) ?? false;
    return open || unknown ? "provisional" : "complete";
  }

  // Why the statement is no claim for money: kinds of nodes, demo keys, input.
  testReasons() {
    const reasons = new Set();
    const [start, end] = this.period;
    const reaches = ({ track: { times } }) =>
      times.length > 0 && times[0] < end && times[times.length - 1] >= start;
    for (const sources of this.sources.values()) {
      const present = sources.filter(reaches);
      for (const { node, track } of present.length > 0 ? present : sources) {
        const name = `node ${node.kid}`;
        if (node.kind !== 0) reasons.add(`${name} is ${KINDS[node.kind]}`);
        if (node.demo) reasons.add(`${name} has a demo key`);
        for (const source of track.simulated) {
          reasons.add(`${name} measured ${INPUTS[source]} input`);
        }
      }
    }
    return [...reasons].sort();
  }
}

function add(sums, more) {
  for (const [label, count] of more) sums.set(label, (sums.get(label) ?? 0n) + count);
  return sums;
}

function total(counts) {
  return [...counts.values()].reduce((a, b) => a + b, 0n);
}

// Put its evidence to a priced line.
function withEvidence(drawn, counted, availability) {
  const flags = new Set(drawn.flags);
  const nothing = { usage: [], metered: 0n, estimated: 0n, logged: [], history: [] };
  const behind = drawn.metered ? counted : nothing;
  for (const asset of behind.usage) for (const flag of asset.flags) flags.add(flag);
  if (behind.estimated > 0n) flags.add("EST");
  if (drawn.metric !== null && drawn.line.needs.availability) {
    for (const flag of availability.flags) flags.add(flag);
  }
  return {
    ...drawn,
    quantity: drawn.metered ? drawn.line.needs.quantity : null,
    flags: [...flags].sort(),
    usage: behind.usage,
    meteredCount: behind.metered,
    estimated: behind.estimated,
    logged: behind.logged,
    history: behind.history,
    byWindow: [...counted.byWindow].sort((a, b) => a[0] - b[0]),
  };
}

// Settle: `nodes` maps key ids to enrolments, `cutoff` is `{ size, root }`.
export function settle(request) {
  const { terms, period } = request;
  if (period[0] < 0n || period[0] >= period[1] || period[1] > TIME_MAX) {
    fail("settle", "The statement is of a period that cannot be.");
  }
  const { opening = null } = request;
  const readings =
    opening === null
      ? request.readings
      : withoutLate(request.readings, terms.policy, period[0], opening);
  const run = new Run({ ...request, readings });
  const counts = new Map(terms.lines.map((line) => [line.code, run.count(line)]));
  const asked = terms.lines.some(({ needs }) => needs.availability);
  const availability = asked ? scanAvailability(terms, run.service, run.sources) : null;
  const priced = priceLines(terms, { period, counts, availability: availability?.value ?? ONE });
  const lines = priced.map((each) => withEvidence(each, counts.get(each.line.code), availability));
  return statementForm({
    ...request,
    ...ENGINES[0],
    state: run.state(lines, availability),
    reasons: run.testReasons(),
    lines,
    availability,
  });
}
