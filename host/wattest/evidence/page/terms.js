// The terms of a contract from their one canonical form (docs/settlement.md section 1): every rule
// of a contract file again, and every default written out.

import { fail } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { Fields, ascending, isName } from "./fields.js";
import { readLine } from "./settle/lines.js";
import { isZone } from "./zone.js";

const FORMAT = "wattest-terms/1";
const WEEK_S = 7n * 86400n;

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

function readPauses(fields) {
  const pauses = [];
  for (const entry of fields.tables("pauses")) {
    const pause = [entry.instant("start"), entry.instant("end")];
    if (pause[1] <= pause[0]) entry.wrong("end", "an instant after its start");
    const before = pauses[pauses.length - 1];
    if (before && pause[0] < before[1]) entry.wrong("start", "pauses in order, apart");
    entry.finish();
    pauses.push(pause);
  }
  return pauses;
}

function readPolicy(fields) {
  const policy = {
    maxGap: 1000n * fields.integer("max_gap_s", 1n, WEEK_S),
    unmetered: fields.choice("unmetered", ["zero", "estimate", "exclude"]),
    derivedTime: fields.choice("derived_time", ["accept", "estimate", "exclude"]),
    input: fields.choice("input", ["sensor", "any"]),
    status: fields.choice("status", ["accept", "exclude"]),
    tolerancePercent: fields.integer("tolerance_percent", 0n, 100n),
  };
  fields.finish();
  return policy;
}

function readLines(fields) {
  const entries = fields.tables("line");
  if (entries.length < 1 || entries.length > 64) fields.wrong("line", "1 to 64 lines");
  const lines = [];
  for (const entry of entries) {
    const line = readLine(entry);
    if (lines.some(({ code }) => code === line.code)) entry.wrong("code", "a code of its own");
    entry.finish();
    lines.push(line);
  }
  return lines;
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
    pauses: readPauses(fields),
    policy: readPolicy(fields.table("policy")),
    lines: readLines(fields),
  };
  fields.finish();
  checkTogether(fields, terms);
  terms.parties = new Set([terms.seller, terms.buyer]);
  terms.pins = new Map();
  terms.witness = { keys: [], threshold: 0 };
  return terms;
}

function checkTogether(fields, terms) {
  const { start, end, seller, buyer, policy, lines } = terms;
  if (start !== null && end !== null && end <= start)
    fields.wrong("end", "an end after the start");
  if (seller === buyer) fields.wrong("buyer", "another party than the seller");
  if (policy.unmetered === "estimate" && lines.some((line) => line.needsCap)) {
    fields.wrong("line", "an estimate_cap, because unmetered time is estimated,");
  }
}

// Terms from the body of their entry; anything but valid terms in canonical form is refused.
export function parseTerms(body) {
  const form = decode(body);
  const terms = readTerms(new Fields(form));
  if (encode(form).length !== body.length) fail("terms", "one spelling of the terms expected");
  return terms;
}
