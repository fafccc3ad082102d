// What each template costs. A template takes a line of the terms and what is given for the period
// (active share, counts by window, availability, rounded amounts of earlier lines) and returns the
// pieces it draws on the statement.

import { ONE, Rational, ZERO, least, most } from "../rational.js";
import { periodsEnded } from "../zone.js";

function part(window, quantity, price, tier = 0) {
  return { window, tier, quantity, price, amount: quantity.times(price) };
}

function sumOf(parts) {
  return parts.reduce((sum, { amount }) => sum.plus(amount), ZERO);
}

// One piece with one part, the amount of which is the exact amount.
function single(window, quantity, price, more = {}) {
  const only = part(window, quantity, price);
  return { parts: [only], exact: only.amount, ...more };
}

// Apply the least amount, then the largest.
function bounded(amount, minimum, maximum, share) {
  let result = { exact: amount, flags: [] };
  const low = minimum?.times(share);
  if (low && amount.compare(low) < 0) result = { exact: low, flags: ["MINIMUM"] };
  const high = maximum?.times(share);
  if (high && result.exact.compare(high) > 0) result = { exact: high, flags: ["MAXIMUM"] };
  return result;
}

function unitsOf({ byWindow }, { base }) {
  return new Rational(
    [...byWindow.values()].reduce((a, b) => a + b, 0n),
    base,
  );
}

function bandOf(bands, metric) {
  return bands.find(({ start }) => metric.compare(start) >= 0).value;
}

const shareOf = (line, given) => (line.prorate ? given.active : ONE);

function subscription(line, { active }) {
  return [single("", active, line.amount)];
}

// Split a quantity over graduated tiers; a tier that is not reached makes no part.
function tierParts(name, tiers, quantity) {
  const parts = [];
  let floor = ZERO;
  tiers.forEach((tier, i) => {
    const top = tier.upTo === null ? quantity : least(quantity, tier.upTo);
    if (i > 0 && top.compare(floor) <= 0) return;
    parts.push(part(name, top.minus(floor), tier.price, tiers.length > 1 ? i + 1 : 0));
    floor = top;
  });
  return parts;
}

function payPerUse(line, given) {
  const { windows, quantity } = line.needs;
  const { byWindow } = given;
  const parts = [];
  windows.forEach((window, i) => {
    if (!byWindow.has(i)) return;
    const units = new Rational(byWindow.get(i), quantity.base);
    parts.push(...tierParts(window.name, window.tiers, units));
  });
  if (byWindow.has(-1) || parts.length === 0) {
    parts.push(...tierParts("", line.tiers, new Rational(byWindow.get(-1) ?? 0n, quantity.base)));
  }
  const bounds = bounded(sumOf(parts), line.minimum, line.maximum, shareOf(line, given));
  return [{ parts, ...bounds, metered: true }];
}

function performanceOf(line, given) {
  if (!line.needs.quantity) return given.availability;
  const promised = line.prorateReference ? line.reference.times(given.active) : line.reference;
  const units = unitsOf(given, line.needs.quantity);
  const ratio = promised.isZero() ? ONE : units.over(promised);
  return line.metric === "energy_ratio" ? ratio : least(ratio, given.availability);
}

function payForPerformance(line, given) {
  const metric = performanceOf(line, given);
  const reached = bandOf(line.bands, metric);
  const floor = ONE.minus(line.creditCap);
  const capped = reached.compare(floor) < 0;
  const multiplier = capped ? floor : reached;
  return [
    single("", given.active.times(multiplier), line.amount, {
      flags: capped ? ["CREDIT_CAP"] : [],
      metric,
      metered: line.needs.quantity !== null,
    }),
  ];
}

// Fixed part, amount and target shrink with the active share; the slope stays.
function gainParts(line, given) {
  const { active } = given;
  const performance = unitsOf(given, line.needs.quantity);
  const slope = line.amount.minus(line.fixed).over(line.target);
  const target = line.target.times(active);
  if (performance.compare(target) >= 0) {
    const gain = performance.minus(target);
    return [part("base", active, line.amount), part("gain", gain, line.gainPrice ?? slope)];
  }
  const fixed = part("fixed", active, line.fixed);
  return line.below === "linear" ? [fixed, part("performance", performance, slope)] : [fixed];
}

function gainShare(line, given) {
  const parts = gainParts(line, given);
  const bounds = bounded(sumOf(parts), line.minimum, line.maximum, shareOf(line, given));
  return [{ parts, ...bounds, metered: true }];
}

function gainShareBonus(line, given) {
  const { active } = given;
  const above = unitsOf(given, line.needs.quantity).minus(line.target.times(active));
  const share = above.compare(ZERO) >= 0 ? line.share : line.lossShare;
  const bonus = part("bonus", share.isZero() ? ZERO : above, line.value.times(share));
  const bounds = bounded(bonus.amount, null, line.maximum, shareOf(line, given));
  return [
    single("", active, line.amount),
    { suffix: "bonus", parts: [bonus], ...bounds, metered: true },
  ];
}

function lease(line, given) {
  const rent = single("", given.active, line.amount);
  const { quantity } = line.needs;
  if (!quantity) return [rent];
  const above = unitsOf(given, quantity).minus(line.allowance.times(given.active));
  const over = single("overage", most(ZERO, above), line.overage);
  return [rent, { suffix: "overage", ...over, metered: true }];
}

// What earlier periods left of their free volume, the oldest used first.
function carriedOver(line, history) {
  const left = [];
  for (const { active, count } of history) {
    const own = line.free.times(active);
    const used = new Rational(count, line.needs.quantity.base);
    let wanted = most(ZERO, used.minus(own));
    left.forEach((rest, i) => {
      const taken = least(rest, wanted);
      left[i] = rest.minus(taken);
      wanted = wanted.minus(taken);
    });
    left.push(most(ZERO, own.minus(used)));
  }
  return left.reduce((sum, rest) => sum.plus(rest), ZERO);
}

function freemium(line, given) {
  const used = unitsOf(given, line.needs.quantity);
  const free = line.free.times(given.active).plus(carriedOver(line, given.history));
  const paid = part("", most(ZERO, used.minus(free)), line.price);
  const parts = [part("free", least(used, free), ZERO), paid];
  return [{ parts, exact: paid.amount, metered: true }];
}

function inMajor(minor, { scale }) {
  return new Rational(minor, 10n ** BigInt(scale));
}

// A share of the net of rounded lines, never more than what earlier commissions left of it.
function commission(line, given) {
  const { earlier, fees, terms } = given;
  const codes = line.on.length > 0 ? line.on : [...earlier.keys()];
  const net = codes.reduce((sum, code) => sum + earlier.get(code), 0n);
  const whole = [...earlier.values()].reduce((sum, each) => sum + each, 0n) - fees;
  const due = most(ZERO, inMajor(net, terms));
  const rated = part("", due, line.rate);
  const { exact, flags } = bounded(rated.amount, line.minimum, line.maximum, shareOf(line, given));
  const allowed = least(least(exact, due), inMajor(whole, terms));
  return [{ parts: [rated], exact: most(ZERO, allowed), flags, shared: true }];
}

function isDue({ period }, at) {
  return period[0] <= at && at < period[1] ? ONE : ZERO;
}

// The share of a fee that goes back in the period in which the seller ends the contract.
function unusedShare(line, { terms, period }) {
  const { end, endedBy } = terms;
  if (end === null || endedBy !== "seller") return ZERO;
  if (end <= period[0] || end > period[1] || end <= line.at) return ZERO;
  const used = periodsEnded(terms, line.at, end, line.periods);
  return new Rational(BigInt(line.periods - used), BigInt(line.periods));
}

function startupFee(line, given) {
  const { terms, period } = given;
  const fee = single("", isDue(given, line.at), line.amount, { once: true });
  if (line.periods > 1) {
    fee.accrued = period.map((until) => {
      const ended = periodsEnded(terms, line.at, until, line.periods);
      return line.amount.times(new Rational(BigInt(ended), BigInt(line.periods)));
    });
  }
  if (!line.refund) return [fee];
  const back = single("refund", unusedShare(line, given), ZERO.minus(line.amount), { once: true });
  return [fee, { suffix: "refund", ...back }];
}

function licence(line, given) {
  const price = single("", isDue(given, line.at), line.amount, { once: true });
  if (line.subscription === null) return [price];
  return [price, { suffix: "service", ...single("service", given.active, line.subscription) }];
}

function shortfall(line, given) {
  const promised = line.target.times(given.active);
  const missing = most(ZERO, promised.minus(unitsOf(given, line.needs.quantity)));
  const owed = part("missing", missing, ZERO.minus(line.damages));
  const damages = ZERO.minus(owed.amount);
  const { exact, flags } = bounded(damages, null, line.maximum, shareOf(line, given));
  return [{ parts: [owed], exact: ZERO.minus(exact), flags, metered: true }];
}

function slaCredit(line, given) {
  const reached = bandOf(line.bands, given.availability);
  const capped = reached.compare(line.creditCap) > 0;
  const credit = capped ? line.creditCap : reached;
  const due = line.on.reduce((sum, code) => sum + given.earlier.get(code), 0n);
  const base = most(ZERO, inMajor(due, given.terms));
  const flags = capped ? ["CREDIT_CAP"] : [];
  return [single("credit", base, ZERO.minus(credit), { flags, metric: given.availability })];
}

export const TEMPLATES = {
  SUBSCRIPTION: subscription,
  PAY_PER_USE: payPerUse,
  PAY_FOR_PERFORMANCE: payForPerformance,
  GAIN_SHARE: gainShare,
  GAIN_SHARE_BONUS: gainShareBonus,
  LEASE: lease,
  FREEMIUM: freemium,
  COMMISSION: commission,
  STARTUP_FEE: startupFee,
  LICENCE: licence,
  ADD_ON: subscription,
  SHORTFALL: shortfall,
  SLA_CREDIT: slaCredit,
};
