// The lines of terms, template by template: their values, and what each needs to be priced.
// What they cost is in templates.js.

import { readQuantity } from "../quantities.js";
import { ZERO } from "../rational.js";
import { TIME_MAX } from "../zone.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const CODE_MAX = 32;
const PLAIN = {
  quantity: null,
  windows: [],
  cap: null,
  availability: false,
  spans: null,
  lookback: 0,
  suffixes: [""],
  brokers: [],
  follows: false,
};

const optional = (fields, key) => fields.optional(key, () => fields.decimal(key));

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

function readBounds(fields) {
  const bounds = { minimum: optional(fields, "minimum"), maximum: optional(fields, "maximum") };
  const { minimum, maximum } = bounds;
  if (minimum !== null && maximum !== null && maximum.compare(minimum) < 0) {
    fields.wrong("maximum", "at least the minimum");
  }
  return { ...bounds, prorate: fields.flag("prorate_bounds") };
}

// Bands of a metric: each holds from its start on, the starts descend to 0.
function readBands(fields, key, maximum) {
  const entries = fields.tables("bands");
  if (entries.length < 1 || entries.length > 32) fields.wrong("bands", "1 to 32 bands");
  let above = null;
  const bands = entries.map((entry) => {
    const band = { start: entry.decimal("from"), value: entry.decimal(key, maximum) };
    if (above !== null && band.start.compare(above) >= 0) entry.wrong("from", "a smaller value");
    above = band.start;
    entry.finish();
    return band;
  });
  if (!above.isZero()) fields.wrong("bands", "0 as the last start");
  return bands;
}

// Codes of lines above this one that the buyer pays, in the order of the terms.
function readOthers(fields, key, before) {
  const payable = before.filter(({ needs }) => !needs.follows).map(({ code }) => code);
  const codes = fields.list(key);
  const ordered = payable.filter((code) => codes.includes(code));
  if (codes.length < 1 || codes.some((code, i) => code !== ordered[i])) {
    fields.wrong(key, "lines above this one, in their order");
  }
  return codes;
}

const cap = (fields) => optional(fields, "estimate_cap");

function readSubscription(fields) {
  return { amount: fields.decimal("amount") };
}

function readPayPerUse(fields) {
  const quantity = readQuantity(fields);
  const windows = fields.tables("time_of_use").map(readWindow);
  if (windows.length > 0 && quantity.obis === "") {
    fields.wrong("time_of_use", "a register as quantity");
  }
  const needs = { quantity, windows, cap: cap(fields) };
  return { tiers: readTiers(fields), ...readBounds(fields), needs };
}

function readPayForPerformance(fields) {
  const metric = fields.choice("metric", ["availability", "energy_ratio", "both"]);
  const line = {
    metric,
    amount: fields.decimal("amount"),
    bands: readBands(fields, "multiplier", 10),
    creditCap: fields.decimal("credit_cap", 1),
    needs: { availability: metric !== "energy_ratio" },
  };
  if (metric === "availability") return line;
  line.needs = { ...line.needs, quantity: readQuantity(fields), cap: cap(fields) };
  line.reference = fields.positive("reference");
  line.prorateReference = fields.flag("prorate_reference");
  return line;
}

function readGainShare(fields) {
  const line = {
    below: fields.choice("below", ["fixed_only", "linear"]),
    amount: fields.decimal("amount"),
    fixed: fields.decimal("fixed"),
    target: fields.positive("target"),
    gainPrice: optional(fields, "gain_price"),
    ...readBounds(fields),
    needs: { quantity: readQuantity(fields), cap: cap(fields) },
  };
  if (line.fixed.compare(line.amount) > 0) fields.wrong("fixed", "at most the amount");
  return line;
}

function readGainShareBonus(fields) {
  return {
    amount: fields.decimal("amount"),
    target: fields.decimal("target"),
    value: fields.decimal("value"),
    share: fields.decimal("share", 1),
    lossShare: fields.decimal("loss_share", 1),
    maximum: optional(fields, "maximum"),
    prorate: fields.flag("prorate_bounds"),
    needs: { quantity: readQuantity(fields), cap: cap(fields), suffixes: ["", "bonus"] },
  };
}

function readLease(fields) {
  const line = { amount: fields.decimal("amount"), deposit: fields.decimal("deposit") };
  if (!fields.has("quantity")) return line;
  line.allowance = fields.decimal("allowance");
  line.overage = fields.decimal("overage");
  line.needs = { quantity: readQuantity(fields), cap: cap(fields), suffixes: ["", "overage"] };
  return line;
}

function readFreemium(fields) {
  const carry = Number(fields.integer("carry", 0n, 12n));
  return {
    free: fields.decimal("free"),
    price: fields.decimal("price"),
    needs: { quantity: readQuantity(fields), cap: cap(fields), lookback: carry },
  };
}

function readBrokers(fields, { seller, buyer }) {
  const brokers = fields.tables("brokers").map((entry) => {
    const broker = {
      party: entry.name("party"),
      weight: entry.integer("weight", 1n, 1000000n),
    };
    entry.finish();
    return broker;
  });
  const names = brokers.map(({ party }) => party);
  const sorted = names.every((name, i) => i === 0 || names[i - 1] < name);
  if (names.length < 1 || names.length > 32 || !sorted) fields.wrong("brokers", "1 to 32 parties");
  if (names.includes(seller) || names.includes(buyer)) fields.wrong("brokers", "other parties");
  return brokers;
}

function readCommission(fields, draft) {
  const brokers = readBrokers(fields, draft);
  return {
    rate: fields.decimal("rate", 1),
    ...readBounds(fields),
    on: fields.has("on") ? readOthers(fields, "on", draft.lines) : [],
    needs: { brokers, follows: true },
  };
}

function readStartupFee(fields) {
  fields.choice("purpose", ["startup", "investment", "installation"]);
  const refund = fields.flag("refund");
  return {
    amount: fields.decimal("amount"),
    at: fields.instant("at"),
    periods: Number(fields.integer("periods", 1n, 600n)),
    refund,
    needs: { suffixes: refund ? ["", "refund"] : [""] },
  };
}

function readBundle(fields) {
  const names = fields.list("bundle");
  const sound = names.every(
    (name) => typeof name === "string" && /^([^\p{C}\p{Z}]| )+$/u.test(name),
  );
  if (names.length < 1 || names.length > 64 || !sound) fields.wrong("bundle", "1 to 64 names");
}

function readLicence(fields) {
  const line = {
    amount: fields.decimal("amount"),
    at: fields.instant("at"),
    subscription: null,
    needs: {},
  };
  const warrantyEnd = fields.instant("warranty_end");
  if (warrantyEnd < line.at) fields.wrong("warranty_end", "an instant after the price falls due");
  if (fields.has("bundle")) readBundle(fields);
  if (fields.choice("afterwards", ["nothing", "subscription"]) === "subscription") {
    line.subscription = fields.decimal("subscription");
    line.needs = { suffixes: ["", "service"], spans: [[warrantyEnd, TIME_MAX]] };
  }
  return line;
}

function readAddOn(fields) {
  const windows = fields.windows("windows");
  if (windows.length === 0) fields.wrong("windows", "one window or more");
  return { amount: fields.decimal("amount"), needs: { spans: windows } };
}

function readShortfall(fields) {
  return {
    target: fields.decimal("target"),
    damages: fields.decimal("damages"),
    maximum: optional(fields, "maximum"),
    prorate: fields.flag("prorate_bounds"),
    needs: { quantity: readQuantity(fields), cap: cap(fields) },
  };
}

function readSlaCredit(fields, draft) {
  return {
    on: readOthers(fields, "on", draft.lines),
    bands: readBands(fields, "credit", 1),
    creditCap: fields.decimal("credit_cap", 1),
    needs: { availability: true },
  };
}

const READERS = {
  SUBSCRIPTION: readSubscription,
  PAY_PER_USE: readPayPerUse,
  PAY_FOR_PERFORMANCE: readPayForPerformance,
  GAIN_SHARE: readGainShare,
  GAIN_SHARE_BONUS: readGainShareBonus,
  LEASE: readLease,
  FREEMIUM: readFreemium,
  COMMISSION: readCommission,
  STARTUP_FEE: readStartupFee,
  LICENCE: readLicence,
  ADD_ON: readAddOn,
  SHORTFALL: readShortfall,
  SLA_CREDIT: readSlaCredit,
};

// The code of a line of the statement: that of the terms, and what the template adds.
export function statementCode(code, suffix) {
  return suffix ? `${code}.${suffix}` : code;
}

function codesOf({ code, needs }) {
  return needs.suffixes.map((suffix) => statementCode(code, suffix));
}

// Read all lines; `draft` names seller and buyer.
export function readLines(fields, draft) {
  const entries = fields.tables("line");
  if (entries.length < 1 || entries.length > 64) fields.wrong("line", "1 to 64 lines");
  const lines = [];
  const taken = new Set();
  for (const entry of entries) {
    const template = entry.choice("template", Object.keys(READERS));
    const code = entry.name("code");
    const read = READERS[template](entry, { ...draft, lines });
    const line = { ...read, template, code, needs: { ...PLAIN, ...read.needs } };
    for (const each of codesOf(line)) {
      if (taken.has(each) || each.length > CODE_MAX)
        entry.wrong("code", "a short code of its own");
      taken.add(each);
    }
    const last = lines[lines.length - 1];
    if (last?.needs.follows && !line.needs.follows) entry.wrong("template", "a line that follows");
    entry.finish();
    lines.push(line);
  }
  return lines;
}
