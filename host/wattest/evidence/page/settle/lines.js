// The lines of terms, template by template: how each is read. What they cost is in templates.js.

import { ZERO } from "../rational.js";
import { readQuantity } from "../quantities.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

// Either one price, or graduated steps of which all but the last have an upper end.
function readTiers(fields) {
  if (!fields.has("tiers")) return [{ upTo: null, price: fields.decimal("price") }];
  const entries = fields.tables("tiers");
  if (entries.length < 2 || entries.length > 32) fields.wrong("tiers", "2 to 32 steps");
  let floor = ZERO;
  return entries.map((entry, i) => {
    const upTo = i === entries.length - 1 ? null : entry.decimal("up_to");
    if (upTo !== null && upTo.compare(floor) <= 0) entry.wrong("up_to", "an ascending end");
    floor = upTo ?? floor;
    const tier = { upTo, price: entry.decimal("price") };
    entry.finish();
    return tier;
  });
}

function readMinute(fields, key) {
  const text = fields.text(key, /^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$/);
  return 60 * Number(text.slice(0, 2)) + Number(text.slice(3));
}

function readWindow(fields) {
  const days = fields.list("days").map((name) => DAYS.indexOf(name));
  const sound = days.length >= 1 && days.every((day, i) => day >= 0 && (!i || days[i - 1] < day));
  if (!sound) fields.wrong("days", "days of the week, in their order");
  const window = {
    name: fields.name("name"),
    days,
    from: readMinute(fields, "from"),
    to: readMinute(fields, "to"),
    tiers: readTiers(fields),
  };
  if (window.from === window.to || window.from === 1440 || window.to === 0) {
    fields.wrong("to", "another time of day than from");
  }
  fields.finish();
  return window;
}

function readSubscription(fields) {
  return { amount: fields.decimal("amount") };
}

function readPayPerUse(fields) {
  const quantity = readQuantity(fields);
  const bound = (key) => fields.optional(key, () => fields.decimal(key));
  const line = {
    quantity,
    tiers: readTiers(fields),
    windows: fields.tables("time_of_use").map(readWindow),
    minimum: bound("minimum"),
    maximum: bound("maximum"),
    prorate: fields.flag("prorate_bounds"),
    cap: bound("estimate_cap"),
  };
  if (line.minimum !== null && line.maximum !== null && line.maximum.compare(line.minimum) < 0) {
    fields.wrong("maximum", "at least the minimum");
  }
  if (line.windows.length > 0 && quantity.obis === "") {
    fields.wrong("time_of_use", "a register as quantity");
  }
  return line;
}

const READERS = { SUBSCRIPTION: readSubscription, PAY_PER_USE: readPayPerUse };

export function readLine(fields) {
  const template = fields.choice("template", Object.keys(READERS));
  const code = fields.name("code");
  const line = { template, code, ...READERS[template](fields) };
  line.needsCap = Boolean(line.quantity?.obis) && line.cap === null;
  return line;
}
