// From quantities to money: each line of the terms prices itself, then it is rounded once. A line
// may look at the rounded amounts of the lines before it.

import { floorDiv, modulo, roundToMinor } from "../rational.js";
import { compareInt } from "../tracks.js";
import { statementCode } from "./lines.js";
import { TEMPLATES } from "./templates.js";

// Split minor units by weight so that nothing is lost: the largest remainders get one more, of
// equal ones the earlier.
export function split(minor, weights) {
  const whole = weights.reduce((a, b) => a + b, 0n);
  const shares = weights.map((weight) => floorDiv(minor * weight, whole));
  const rests = weights.map((weight) => modulo(minor * weight, whole));
  const order = weights.map((_, i) => i);
  order.sort((a, b) => compareInt(rests[b], rests[a]) || a - b);
  const over = Number(minor - shares.reduce((a, b) => a + b, 0n));
  for (const i of order.slice(0, over)) shares[i] += 1n;
  return shares;
}

function payment(terms, line, piece, minor) {
  const { brokers } = line.needs;
  if (!piece.shared) return { payer: terms.buyer, payees: [[terms.seller, minor]] };
  const shares = split(
    minor,
    brokers.map(({ weight }) => weight),
  );
  return { payer: terms.seller, payees: brokers.map(({ party }, i) => [party, shares[i]]) };
}

function roundPiece(terms, line, piece, counted) {
  const round = (exact) => roundToMinor(exact, terms.scale, terms.rounding);
  const amount = round(piece.exact);
  return {
    flags: [],
    metered: false,
    metric: null,
    once: false,
    ...piece,
    line,
    code: statementCode(line.code, piece.suffix),
    active: counted.active,
    amount,
    ...payment(terms, line, piece, amount),
    recognised: piece.accrued ? round(piece.accrued[1]) - round(piece.accrued[0]) : null,
  };
}

// Price all lines; `counts` maps the codes of the terms to what was counted.
export function priceLines(terms, { period, counts, availability }) {
  const drawn = [];
  const earlier = new Map();
  let fees = 0n;
  for (const line of terms.lines) {
    const counted = counts.get(line.code);
    const given = { terms, period, ...counted, availability, earlier, fees };
    const pieces = TEMPLATES[line.template](line, given);
    const priced = pieces.map((piece) => roundPiece(terms, line, piece, counted));
    drawn.push(...priced);
    const total = priced.reduce((sum, { amount }) => sum + amount, 0n);
    if (line.needs.follows) fees += total;
    else earlier.set(line.code, total);
  }
  return drawn;
}

// What the buyer owes.
export function totalOf(terms, lines) {
  const owed = lines.filter(({ payer }) => payer === terms.buyer);
  return owed.reduce((sum, { amount }) => sum + amount, 0n);
}

// Who gets what of it: the seller first, then brokers by name.
export function payoutsOf(terms, lines) {
  const paid = new Map([terms.seller, ...terms.brokers].map((party) => [party, 0n]));
  for (const { payer, payees } of lines) {
    for (const [party, minor] of payees) {
      paid.set(party, paid.get(party) + minor);
      if (payer !== terms.buyer) paid.set(payer, paid.get(payer) - minor);
    }
  }
  return [...paid];
}
