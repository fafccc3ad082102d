// Step 6: every entry is what its kind says.

import { asRule, fail, isBytes } from "../bytes.js";
import { decode } from "../cbor.js";
import * as entries from "../entries.js";
import { entryName } from "../names.js";
import { plural } from "../words.js";
import { EVENT, parseRecord } from "../record.js";

const BODY_BYTES_MAX = 65536;
const STATEMENT_BYTES_MAX = 4194304;
const ANCHOR_BYTES_MAX = 67584;
const STATEMENT_DEPTH = 12;
const RECORD_KINDS = [1, 2];
export const ENROLMENT = 3;
export const TERMS = 4;
export const STATEMENT = 5;
export const FINDING = 6;
export const DISPUTED = 8;
export const ESTIMATE = 10;
const ANCHOR = 11;

const KINDS_OF_ACTS = new Map([
  [7, entries.AGREE],
  [8, entries.DISPUTE],
  [9, entries.RESOLVE],
  [12, entries.ROTATE],
  [13, entries.PAY],
]);

function wrong(message) {
  fail("form", message);
}

const isInt = (value) => typeof value === "bigint";

// A map with text keys whose `format` begins as it must.
function readDocument(body, format, maxDepth = 8) {
  const form = decode(body, { maxDepth, maxBytes: STATEMENT_BYTES_MAX });
  const named = form instanceof Map && [...form.keys()].every((key) => typeof key === "string");
  if (!named || !String(form.get("format")).startsWith(format)) wrong("It is of another format.");
  if (typeof form.get("format") !== "string" || typeof form.get("contract") !== "string") {
    wrong("It does not name its contract.");
  }
  return form;
}

// The statements a bundle is about; it may hold one of the period before, too.
export function ownStatements({ entries, manifest }) {
  return entries.filter(
    ({ kind, form }) =>
      kind === STATEMENT &&
      form.get("contract") === manifest.contract &&
      form.get("period").every((ms, i) => ms === BigInt(manifest.period[i])),
  );
}

function readStatement(body) {
  const form = readDocument(body, "wattest-statement/", STATEMENT_DEPTH);
  const period = form.get("period");
  const cutoff = form.get("cutoff");
  const spans = Array.isArray(period) && period.length === 2 && period.every(isInt);
  if (!spans || period[0] >= period[1]) wrong("The statement names no period.");
  const generation = form.get("generation");
  if (!isInt(generation) || generation < 1n) wrong("The statement has no number.");
  if (!isBytes(form.get("terms"), 32, 32)) wrong("The statement does not name its terms.");
  const bounded = cutoff instanceof Map && cutoff.size === 2 && isInt(cutoff.get("size"));
  if (!bounded || cutoff.get("size") < 1n || !isBytes(cutoff.get("root"), 32, 32))
    wrong("The statement has no cut-off.");
  return form;
}

function readRecord(kind, body) {
  const record = parseRecord(body);
  if ((record.ctx === EVENT) !== (kind === 2)) wrong("It is logged as another kind of record.");
  return record;
}

function readAct(kind, body) {
  const act = entries.parseAct(body);
  if (act.kind !== KINDS_OF_ACTS.get(kind)) wrong("It is logged as another kind of statement.");
  return act;
}

function readForm(kind, body) {
  if (RECORD_KINDS.includes(kind)) return readRecord(kind, body);
  if (kind === ENROLMENT) return entries.parseEnrolment(body);
  if (kind === TERMS) return readDocument(body, "wattest-terms/");
  if (kind === STATEMENT) return readStatement(body);
  if (kind === FINDING) return entries.parseFinding(body);
  if (kind === ESTIMATE) return entries.parseEstimate(body);
  if (kind === ANCHOR) return entries.parseAnchor(body);
  if (kind === DISPUTED && !entries.isAct(body)) return entries.parseMachineDispute(body);
  if (kind === 12 && !entries.isAct(body)) return entries.parseLogRotation(body);
  return readAct(kind, body);
}

function longest(kind) {
  if (kind === STATEMENT) return STATEMENT_BYTES_MAX;
  return kind === ANCHOR ? ANCHOR_BYTES_MAX : BODY_BYTES_MAX;
}

export function isRecord({ kind }) {
  return RECORD_KINDS.includes(kind);
}

export function checkForms(bundle) {
  for (const entry of bundle.entries) {
    const { kind, body } = entry;
    const where = entryName(entry);
    if (kind < 1 || kind > 13) fail("kind", `Entries of kind ${kind} are unknown.`, where);
    if (body.length > longest(kind)) fail("form", "It is longer than entries may be.", where);
    entry.form = asRule("form", where, () => readForm(kind, body));
  }
  const records = bundle.entries.filter(isRecord).length;
  const others = bundle.entries.length - records;
  return `${plural(records, "record")}, ${plural(others, "other entry", "other entries")}`;
}
