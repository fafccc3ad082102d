// The document of a statement (docs/settlement.md section 6), ready to be encoded.

import { decimalText } from "../rational.js";
import { payoutsOf, totalOf } from "./price.js";

// The shortest decimal of 30 places or less, else the exact fraction.
function numberText(value) {
  return decimalText(value) ?? String(value);
}

function partForm({ window, tier, quantity, price, amount }) {
  return {
    window,
    tier,
    quantity: String(quantity),
    price: numberText(price),
    amount: String(amount),
  };
}

function keyForm({ kid, quantity, records, missing, digest, start, end }) {
  const form = { kid, quantity, records, missing, digest };
  return start ? { ...form, start, end } : form;
}

function usageForm({ asset, metered, meteredMs, gaps, excluded, keys, flags }) {
  return {
    asset,
    metered,
    metered_ms: meteredMs,
    unmetered: gaps.map(({ start, end }) => [start, end]),
    excluded,
    keys: keys.map(keyForm),
    flags,
  };
}

function loggedForm({ source, granted }) {
  const { asset, window, count, index } = source;
  return { asset, window, count, granted, index };
}

function quantityForm(line) {
  return {
    quantity: line.quantity.name,
    unit: line.quantity.unit,
    base_per_unit: line.quantity.base,
    metered: line.meteredCount,
    estimated: line.estimated,
    by_window: line.byWindow,
    usage: line.usage.map(usageForm),
  };
}

function lineForm(line) {
  const form = {
    code: line.code,
    line: line.line.code,
    template: line.line.template,
    active: String(line.active),
    parts: line.parts.map(partForm),
    exact: String(line.exact),
    amount: line.amount,
    payer: line.payer,
    payees: line.payees,
    flags: line.flags,
  };
  if (line.metric !== null) form.metric = String(line.metric);
  if (line.once) form.once = true;
  if (line.recognised !== null) form.recognised = line.recognised;
  if (line.history.length > 0) {
    form.history = line.history.map(({ active, count }) => [String(active), count]);
  }
  if (line.logged.length > 0) form.logged = line.logged.map(loggedForm);
  return line.quantity ? { ...form, ...quantityForm(line) } : form;
}

function availabilityForm({ value, leftOut, base, up, down, unknown, assets }) {
  return { value: String(value), left_out: String(leftOut), base, up, down, unknown, assets };
}

export function statementForm(drawn) {
  const { terms, lines, availability } = drawn;
  const form = {
    format: drawn.format,
    engine: drawn.engine,
    contract: terms.contract,
    title: terms.title,
    seller: terms.seller,
    buyer: terms.buyer,
    terms: drawn.termsHash,
    currency: terms.currency,
    scale: terms.scale,
    rounding: terms.rounding,
    period: drawn.period,
    generation: drawn.generation,
    state: drawn.state,
    cutoff: drawn.cutoff,
    test: drawn.reasons.length > 0,
    test_reasons: drawn.reasons,
    lines: lines.map(lineForm),
    total: totalOf(terms, lines),
    payouts: payoutsOf(terms, lines),
  };
  if (drawn.opening !== undefined) form.opening = drawn.opening;
  if (availability) form.availability = availabilityForm(availability);
  return form;
}
