// The document of a statement (docs/settlement.md section 6), ready to be encoded.

import { decimalText } from "../rational.js";

function partForm({ window, tier, quantity, price, amount }) {
  return {
    window,
    tier,
    quantity: String(quantity),
    price: decimalText(price),
    amount: String(amount),
  };
}

function endForm({ time, value, rule, records }) {
  return { time, value, rule, records };
}

function keyForm({ kid, quantity, records, missing, digest, start, end }) {
  const form = { kid, quantity, records, missing, digest };
  return start ? { ...form, start: endForm(start), end: endForm(end) } : form;
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

export function lineForm({
  line,
  active,
  parts,
  exact,
  amount,
  flags,
  usage,
  metered,
  estimated,
}) {
  const form = {
    code: line.code,
    template: line.template,
    active: String(active),
    parts: parts.map(partForm),
    exact: String(exact),
    amount,
    flags,
  };
  if (!usage) return form;
  return {
    ...form,
    quantity: line.quantity.name,
    unit: line.quantity.unit,
    base_per_unit: line.quantity.base,
    metered,
    estimated,
    usage: usage.map(usageForm),
  };
}
