// The terms of a contract from their one canonical form (docs/settlement.md section 1): every rule
// of a contract file again, and every default written out.

import { fail, fromHex } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { Fields, ascending, isName } from "./fields.js";
import { Rational } from "./rational.js";
import { readLines } from "./settle/lines.js";
import { isZone } from "./zone.js";

const FORMAT = "wattest-terms/2";
const WEEK_S = 7n * 86400n;
const YEAR_S = 366n * 86400n;
const WITNESS = /^[!-*,-~]{1,128}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44,172}={0,2}$/;

function readAssets(fields) {
  const names = fields.list("assets");
  const sound = names.length >= 1 && names.length <= 256 && names.every(isName);
  if (!sound || !ascending(names)) fields.wrong("assets", "1 to 256 names, ascending");
  return names;
}

function readPeriod(fields) {
  const kind = fields.choice("kind", ["calendar", "fixed"]);
  const period = { kind };
  if (kind === "calendar") {
    period.unit = fields.choice("unit", ["day", "week", "month", "quarter", "year"]);
  } else {
    period.start = fields.instant("start");
    period.duration = 1000n * fields.integer("duration_s", 1n, 3660n * 86400n);
  }
  fields.finish();
  return period;
}

function readPolicy(fields) {
  const policy = {
    maxGap: 1000n * fields.integer("max_gap_s", 1n, WEEK_S),
    unmetered: fields.choice("unmetered", ["zero", "estimate", "exclude"]),
    derivedTime: fields.choice("derived_time", ["accept", "estimate", "exclude"]),
    input: fields.choice("input", ["sensor", "any"]),
    status: fields.choice("status", ["accept", "exclude"]),
    tolerancePercent: fields.integer("tolerance_percent", 0n, 100n),
    estimates: fields.choice("estimates", ["rule", "logged"]),
    coverage: 1000n * fields.integer("coverage_s", 1n, WEEK_S),
    maxUnknown: new Rational(fields.integer("max_unknown_percent", 0n, 100n), 100n),
    cutoffDelay: 1000n * fields.integer("cutoff_delay_s", 0n, YEAR_S),
    finalAfter: 1000n * fields.integer("final_after_s", 0n, 10n * YEAR_S),
  };
  fields.finish();
  return policy;
}

// The public keys that the terms pin, by party.
function readPins(fields) {
  if (!fields.has("party_keys")) return new Map();
  const table = fields.table("party_keys");
  const pins = new Map();
  for (const party of table.map.keys()) {
    if (!isName(party)) table.wrong(String(party), "the name of a party");
    pins.set(party, fromHex(table.text(party, /^[0-9a-f]{128}$/)));
  }
  if (pins.size === 0) fields.wrong("party_keys", "a key, or nothing");
  return pins;
}

function readWitness(fields) {
  if (!fields.has("witness")) return { keys: [], threshold: 0 };
  const table = fields.table("witness");
  const keys = table.list("keys");
  const sound = keys.every((key) => typeof key === "string" && WITNESS.test(key));
  if (keys.length < 1 || keys.length > 16 || !sound || !ascending(keys)) {
    table.wrong("keys", "1 to 16 keys of witnesses, ascending,");
  }
  const threshold = Number(table.integer("threshold", 1n, BigInt(keys.length)));
  table.finish();
  return { keys, threshold };
}

// What the asset costs its seller; no statement depends on it.
function readLifeCycle(fields) {
  if (!fields.has("life_cycle")) return;
  const table = fields.table("life_cycle");
  for (const key of ["development", "delivery", "operation", "maintenance", "disposal"]) {
    table.decimal(key);
  }
  table.integer("periods", 1n, 10000n);
  table.finish();
}

function readTerms(fields) {
  fields.choice("format", [FORMAT]);
  const zone = fields.text("zone", /^[A-Za-z0-9_+/-]{1,40}$/);
  if (!isZone(zone)) fields.wrong("zone", "a time zone that this browser knows");
  const terms = {
    contract: fields.name("contract"),
    title: fields.optional("title", (key) => fields.text(key)) ?? "",
    seller: fields.name("seller"),
    buyer: fields.name("buyer"),
    assets: readAssets(fields),
    currency: fields.text("currency", /^[A-Z]{3}$/),
    scale: Number(fields.integer("currency_scale", 0n, 6n)),
    rounding: fields.choice("rounding", ["half_even", "half_up", "down"]),
    zone,
    period: readPeriod(fields.table("period")),
    start: fields.optional("start", (key) => fields.instant(key)),
    end: fields.optional("end", (key) => fields.instant(key)),
    pauses: fields.windows("pauses"),
    maintenance: fields.windows("maintenance"),
    policy: readPolicy(fields.table("policy")),
    endedBy: fields.optional("ended_by", (key) => fields.choice(key, ["seller", "buyer"])),
    arbiter: fields.optional("arbiter", (key) => fields.name(key)),
    pins: readPins(fields),
    witness: readWitness(fields),
  };
  terms.lines = readLines(fields, terms);
  readLifeCycle(fields);
  fields.finish();
  terms.brokers = brokersOf(terms);
  checkTogether(fields, terms);
  terms.parties = new Set([terms.seller, terms.buyer, ...terms.brokers]);
  if (terms.arbiter !== null) terms.parties.add(terms.arbiter);
  checkParties(fields, terms);
  return terms;
}

// Parties the seller pays out of what the buyer pays, ascending, each once.
function brokersOf({ lines }) {
  const names = lines.flatMap(({ needs }) => needs.brokers.map(({ party }) => party));
  return [...new Set(names)].sort();
}

// Everybody who has a key or a say is a party of their own.
function checkParties(fields, { seller, buyer, brokers, arbiter, pins, parties }) {
  if ([seller, buyer, ...brokers].includes(arbiter)) {
    fields.wrong("arbiter", "somebody who is not paid and does not pay");
  }
  for (const party of pins.keys()) {
    if (!parties.has(party)) fields.wrong("party_keys", "keys of parties");
  }
}

function checkTogether(fields, terms) {
  const { start, end, seller, buyer, policy, lines } = terms;
  if (start !== null && end !== null && end <= start)
    fields.wrong("end", "an end after the start");
  if (seller === buyer) fields.wrong("buyer", "another party than the seller");
  if (terms.endedBy !== null && end === null) fields.wrong("ended_by", "no value without an end");
  const uncapped = ({ needs }) => needs.quantity?.obis && needs.cap === null;
  if (policy.unmetered === "estimate" && lines.some(uncapped)) {
    fields.wrong("line", "an estimate_cap, because unmetered time is estimated,");
  }
}

// Terms from the body of their entry; anything but valid terms in canonical form is refused.
export function parseTerms(body) {
  const form = decode(body);
  const terms = readTerms(new Fields(form));
  if (encode(form).length !== body.length) fail("terms", "The terms are not in their one form.");
  return terms;
}
