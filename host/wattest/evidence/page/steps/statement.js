// Step 10: settle again from the records, and compare with the statement in the log byte by byte.

import { fail, hex, sameBytes } from "../bytes.js";
import { decode, encode } from "../cbor.js";
import { entryName } from "../names.js";
import { readingsOf } from "../readings.js";
import { ENGINES, settle } from "../settle/engine.js";
import { ENROLMENT, ESTIMATE, STATEMENT, TERMS, isRecord, ownStatements } from "./forms.js";

function checkGenerations(bundle) {
  const { entries, manifest, agreedTerms } = bundle;
  const statements = ownStatements(bundle);
  const wrong = (message, where) => fail("generations", message, where);
  const numbers = statements.map(({ form }) => form.get("generation"));
  if (
    numbers.length !== manifest.generations ||
    numbers.some((number, i) => number !== BigInt(i + 1))
  ) {
    wrong("Not every version of the statement is in the bundle.", "entries.cbor");
  }
  for (const other of entries.filter(({ kind }) => kind === STATEMENT)) {
    const { form } = other;
    const before =
      form.get("contract") === manifest.contract &&
      form.get("period")[1] === BigInt(manifest.period[0]);
    if (!before && !statements.includes(other)) {
      wrong("This statement is of another contract or period.", entryName(other));
    }
  }
  const last = statements[statements.length - 1];
  if (hex(last.form.get("terms")) !== manifest.terms) {
    wrong("The last statement names other terms than the bundle.", entryName(last));
  }
  const loose = statements.find(({ form }) => !agreedTerms.has(hex(form.get("terms"))));
  if (loose) wrong("The terms of this statement are missing.", entryName(loose));
  return statements;
}

function checkCutoff(bundle, statement, n) {
  const { index, form } = statement;
  const cutoff = bundle.cutoffs[n];
  const { size, root } = Object.fromEntries(form.get("cutoff"));
  const wrong = (message) => fail("cutoff", message, entryName(statement));
  if (size !== BigInt(cutoff.size) || !sameBytes(root, cutoff.root)) {
    wrong("The statement names another state of the log than the bundle.");
  }
  if (index < cutoff.size) wrong("The statement lies before its own cut-off.");
  const digest = hex(form.get("terms"));
  const terms = bundle.entries.find((entry) => entry.kind === TERMS && entry.digest === digest);
  if (terms.index >= cutoff.size) wrong("The terms were logged after the cut-off.");
  return { cutoff, digest };
}

// The value at the begin is frozen only by a final statement of the period before.
function checkOpening(bundle, { index, form }, where) {
  if (!form.has("opening")) return;
  const own = ownStatements(bundle);
  const froze = bundle.entries.some(
    (other) =>
      other.kind === STATEMENT &&
      other.index < index &&
      !own.includes(other) &&
      other.form.get("state") === "final" &&
      other.form.get("cutoff").get("size") === form.get("opening"),
  );
  if (!froze) {
    fail("opening", "The statement that froze its begin is missing.", where);
  }
}

function checkVersion(form, where) {
  const known = ENGINES.some(
    ({ format, engine }) => format === form.get("format") && engine === form.get("engine"),
  );
  if (!known) fail("engine", "It was made by a version this page does not know.", where);
}

// What lies below the cut-off, as a settlement takes it.
function evidenceOf(entries, size) {
  const before = entries.filter(({ index }) => index < size);
  const nodes = new Map();
  for (const { kind, form } of before) {
    if (kind === ENROLMENT && !nodes.has(form.kid)) nodes.set(form.kid, form);
  }
  const records = before.filter(isRecord).map(({ index, form }) => ({ index, record: form }));
  const estimates = before.filter(({ kind }) => kind === ESTIMATE);
  return {
    nodes,
    readings: readingsOf(records),
    estimates: estimates.map(({ index, form }) => ({ ...form, index })),
  };
}

function plain(value) {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

function show(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (value === undefined) return "nothing";
  if (value !== null && typeof value === "object") return "something else";
  return String(value);
}

// Where two documents differ first, in words.
function difference(ours, logged, path = "") {
  const nested = (value) =>
    value !== null && typeof value === "object" && !(value instanceof Uint8Array);
  if (nested(ours) && nested(logged)) {
    for (const key of new Set([...Object.keys(ours), ...Object.keys(logged)])) {
      const place = path ? `${path}, ${key}` : key;
      const found = difference(ours[key], logged[key], place);
      if (found) return found;
    }
    return "";
  }
  if (show(ours) === show(logged) && typeof ours === typeof logged) return "";
  return `${path}: computed ${show(ours)}, stated ${show(logged)}`;
}

function resettle(bundle, statement, terms, { cutoff, digest }) {
  const { index, form, body } = statement;
  const where = entryName(statement);
  if (typeof (form.get("opening") ?? 0n) !== "bigint") {
    fail("statement", "The statement does not say when its begin was frozen.", where);
  }
  let document;
  try {
    document = settle({
      terms,
      termsHash: form.get("terms"),
      ...evidenceOf(bundle.entries, cutoff.size),
      period: form.get("period"),
      cutoff: { size: cutoff.size, root: cutoff.root },
      generation: form.get("generation"),
      final: form.get("state") === "final",
      opening: form.get("opening"),
    });
  } catch (error) {
    if (!error.rule) throw error;
    return fail("statement", error.message, where);
  }
  const bytes = encode(document);
  if (!sameBytes(bytes, body)) {
    const place = difference(
      plain(decode(bytes, { maxDepth: 12, maxBytes: bytes.length })),
      plain(form),
    );
    fail("statement", `Settling again gives another result. ${place}`, where);
  }
  return { document: plain(form), terms, digest, index, cutoff };
}

export function checkStatements(bundle) {
  if (bundle.manifest.form !== "statement") return "";
  bundle.statements = checkGenerations(bundle).map((statement, n) => {
    const { form } = statement;
    const found = checkCutoff(bundle, statement, n);
    checkOpening(bundle, statement, entryName(statement));
    checkVersion(form, entryName(statement));
    return resettle(bundle, statement, bundle.agreedTerms.get(found.digest), found);
  });
  return "every line recomputed, equal to the last cent";
}
