// Names and numbers as a customer reads them.

import { formatMinor } from "./rational.js";

const TEMPLATES = {
  SUBSCRIPTION: "Fixed amount",
  SHORTFALL: "Damages for what is missing",
  SLA_CREDIT: "Credit for poor availability",
  PAY_PER_USE: "Price for use",
  PAY_FOR_PERFORMANCE: "Price for performance",
  GAIN_SHARE: "Share in the gain",
  GAIN_SHARE_BONUS: "Fixed amount and bonus",
  LEASE: "Lease",
  FREEMIUM: "Free volume, then a price for use",
  COMMISSION: "Commission",
  STARTUP_FEE: "Start-up fee",
  LICENCE: "Licence",
  ADD_ON: "Add-on",
};

const QUANTITIES = {
  import_energy: "energy taken",
  export_energy: "energy delivered",
  use_time: "time in use",
  record_count: "readings",
  transaction_count: "sessions begun",
  register: "counter",
  availability: "availability",
};

const FLAGS = {
  INTERP: "A counter was read between two readings that are close together.",
  EST: "A part is estimated, by the rule of the contract.",
  UNMETERED: "Some time is covered by no reading.",
  DERIVED_TIME: "The time of some readings was set by a later signed record.",
  MISSING: "Some readings in between are missing; no energy is lost by that.",
  REGISTER_FAULT: "A counter ran backwards or too fast; that part is not billed.",
  CONFLICT: "One number was signed with two contents; neither is used.",
  CLOCK_BACKWARDS: "A clock was set back.",
  UNTIMED: "Some readings have no time; their energy shows in the next one.",
  STATUS: "A meter reported trouble with its sensor.",
  INPUT: "Energy that the meter's own sensor did not measure was left out.",
  OVERLAP: "Two meters counted at the same time; that time is counted once.",
  MINIMUM: "The smallest amount of the contract applies.",
  MAXIMUM: "The largest amount of the contract applies.",
  CREDIT_CAP: "The reduction stopped at the largest one of the contract.",
  UNKNOWN: "For some time nobody knows whether it worked.",
  UNKNOWN_DOWN: "More time is unknown than the contract allows: the rest counts as down.",
};

const REASONS = {
  "is emulated": "the meter is simulated by a program",
  "is bench": "the meter stands on a test bench",
  "has a demo key": "the meter's key is one for demonstrations, which anybody may hold",
  "measured injected input": "the meter was fed with made-up values",
  "measured stimulus input": "the meter measured a load that was played to it",
};

const STATES = {
  provisional: "provisional: an end of the period is not covered yet",
  complete: "complete: later records may still change it",
  final: "final",
};

export const templateWords = (name) => TEMPLATES[name] ?? name;
export const quantityWords = (name) => QUANTITIES[name] ?? name;
export const flagWords = (name) => FLAGS[name] ?? name;
export const stateWords = (name) => STATES[name] ?? name;

// "1,234.50 EUR": digits in groups of three, an exact text.
export function money(minor, { scale, currency }) {
  return `${grouped(formatMinor(minor, scale))} ${currency}`;
}

export function grouped(text) {
  const [, sign, whole, rest] = /^(-?)([0-9]+)(.*)$/.exec(text);
  return (sign ? "\u2212" : "") + whole.replace(/\B(?=([0-9]{3})+$)/g, ",") + rest;
}

// An exact fraction "3/8" as a decimal of at most `places` places; "≈" where it goes on.
export function readable(exact, places = 6) {
  const [, sign, num, den = "1"] = /^(-?)([0-9]+)(?:\/([0-9]+))?$/.exec(exact);
  const scaled = BigInt(num) * 10n ** BigInt(places);
  const whole = scaled / BigInt(den);
  const text = formatMinor(sign ? -whole : whole, places).replace(/\.?0+$/, "");
  return (scaled % BigInt(den) === 0n ? "" : "\u2248 ") + grouped(text);
}

// "\u00d7 0.25", with a minus that is not a hyphen.
export const times = (price) => `\u00d7 ${price.replace("-", "\u2212")}`;

// What the quantity of a part is, by the name a template gives the part.
const PARTS = {
  free: "{unit} free",
  gain: "{unit} above the target",
  bonus: "{unit} above the target",
  performance: "{unit}",
  overage: "{unit} above the allowance",
  missing: "{unit} missing",
  credit: "{currency} charged above",
};
const OF_PERIOD = ["base", "fixed", "service"];
const TIMELY = ["SUBSCRIPTION", "ADD_ON", "PAY_FOR_PERFORMANCE"];

export const isPartName = (window) => window in PARTS || OF_PERIOD.includes(window);

// The quantity of a part in words: "1,323.62 kWh", "0 kWh missing", "the whole period".
export function partWords({ window, quantity }, line, currency) {
  const first = line.code === line.line;
  const rent = first && ["LEASE", "GAIN_SHARE_BONUS"].includes(line.template);
  if (line.once) return quantity === "0" ? "not due in this period" : "";
  if (OF_PERIOD.includes(window) || TIMELY.includes(line.template) || rent) {
    return quantity === "1" ? "the whole period" : `${percent(quantity)} of the period`;
  }
  const unit = line.unit && line.unit !== "each" ? line.unit : "";
  if (line.template === "COMMISSION") return `${readable(quantity)} ${currency}`;
  const text = (PARTS[window] ?? "{unit}").replace("{unit}", unit).replace("{currency}", currency);
  const energy = PARTS[window] ? "" : ` ${quantityWords(line.quantity ?? "")}`;
  return `${readable(quantity)} ${text}${energy}`.replace(/ +/g, " ");
}

// A share such as "2476800/2548800" as "97.175 %".
export function percent(exact) {
  const [num, den = "1"] = exact.split("/");
  return `${readable(`${BigInt(num) * 100n}/${den}`, 3)} %`;
}

// An instant in the contract's time zone: "1 Apr 2026, 00:00".
export function moment(ms, zone, withTime = true) {
  const options = { timeZone: zone, day: "numeric", month: "short", year: "numeric" };
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const format = new Intl.DateTimeFormat("en-GB", withTime ? { ...options, ...time } : options);
  return format.format(new Date(Number(ms)));
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${BigInt(count) === 1n ? one : many}`;
}

// Why a statement is only a test, with equal reasons of several meters in one sentence. `serialOf`
// gives the name on a meter with a key.
export function reasonWords(reasons, serialOf) {
  const meters = new Map();
  for (const reason of reasons) {
    const [, kid, what] = /^node ([0-9a-f]+) (.*)$/.exec(reason) ?? [null, "", reason];
    meters.set(what, [...(meters.get(what) ?? []), serialOf(kid)]);
  }
  return [...meters].map(([what, names]) => {
    const words = REASONS[what] ?? what;
    return `${words} (${names.sort().join(", ")})`;
  });
}

export function periodWords([start, end], zone) {
  return `${moment(start, zone)} to ${moment(end, zone)} (${zone})`;
}
