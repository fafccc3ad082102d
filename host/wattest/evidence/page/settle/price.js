// From quantities to money: formula, then the least amount, then the largest, then one rounding.

import { ONE, Rational, ZERO, least } from "../rational.js";

export function part(window, tier, quantity, price) {
  return { window, tier, quantity, price, amount: quantity.times(price) };
}

// Split a quantity over graduated tiers; a tier that is not reached makes no part.
export function tierParts(name, tiers, quantity) {
  const parts = [];
  let floor = ZERO;
  tiers.forEach((tier, i) => {
    const top = tier.upTo === null ? quantity : least(quantity, tier.upTo);
    if (i > 0 && top.compare(floor) <= 0) return;
    parts.push(part(name, tiers.length > 1 ? i + 1 : 0, top.minus(floor), tier.price));
    floor = top;
  });
  return parts;
}

export function useParts(line, byWindow) {
  const parts = [];
  const base = line.quantity.base;
  line.windows.forEach((window, i) => {
    if (!byWindow.has(i)) return;
    parts.push(...tierParts(window.name, window.tiers, new Rational(byWindow.get(i), base)));
  });
  if (byWindow.has(-1) || parts.length === 0) {
    parts.push(...tierParts("", line.tiers, new Rational(byWindow.get(-1) ?? 0n, base)));
  }
  return parts;
}

export function sumOf(parts) {
  return parts.reduce((sum, { amount }) => sum.plus(amount), ZERO);
}

export function bounded(line, amount, active) {
  const share = line.prorate ? active : ONE;
  const floor = line.minimum && line.minimum.times(share);
  const ceiling = line.maximum && line.maximum.times(share);
  let result = { amount, flags: [] };
  if (floor && result.amount.compare(floor) < 0) result = { amount: floor, flags: ["MINIMUM"] };
  if (ceiling && result.amount.compare(ceiling) > 0) {
    result = { amount: ceiling, flags: ["MAXIMUM"] };
  }
  return result;
}
