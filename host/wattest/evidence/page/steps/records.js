// Steps 8 and 9: every record is signed by an enrolled key, and none that matters is missing.

import { fail, hex, sameBytes } from "../bytes.js";
import { isUsableKey, verifyEs256 } from "../cose.js";
import { entryName } from "../names.js";
import { EVENT_BREAK, TRANSACTION, parseRecord, recordName } from "../record.js";
import { QUANTITIES } from "../quantities.js";
import { plural } from "../words.js";
import { ENROLMENT, FINDING, isRecord, ownStatements } from "./forms.js";

const RETIRE = 2;
const BATCH = 200;
const ENDS = "ELRAP";
const WATT_HOURS = 30;

// Which key is enrolled and which is closed, entry by entry.
class Keys {
  constructor() {
    this.enrolled = new Map();
    this.closed = new Set();
  }

  async take(enrolment, where) {
    const { kid, action, replaces } = enrolment;
    const known = this.enrolled.get(kid);
    const wrong = (message) => fail("enrolment", message, where);
    if (this.closed.has(kid)) wrong("The key was retired or replaced before.");
    if (action === RETIRE && !known) wrong("It retires a key that was never enrolled.");
    const same = ["serial", "asset", "kind", "board", "demo", "powerMax"];
    if (known && same.some((name) => known[name] !== enrolment[name])) {
      wrong("It promises something else of this meter than its first enrolment.");
    }
    if (action === RETIRE) this.closed.add(kid);
    else if (!known) {
      if (!(await isUsableKey(enrolment.publicKey))) wrong("Its key is no key.");
      this.enrolled.set(kid, enrolment);
    }
    if (replaces) this.closed.add(replaces);
  }
}

// Check all signatures first, a batch at a time; `signed` tells how each record came out.
async function signatures(bundle, progress) {
  const keys = new Map();
  const signed = new Map();
  const records = [];
  for (const entry of bundle.entries) {
    if (entry.kind === ENROLMENT && !keys.has(entry.form.kid)) {
      keys.set(entry.form.kid, entry.form.publicKey);
    }
    if (isRecord(entry) && keys.has(entry.form.kid)) records.push(entry);
  }
  for (let at = 0; at < records.length; at += BATCH) {
    const batch = records.slice(at, at + BATCH);
    await Promise.all(
      batch.map(async ({ index, form }) => {
        signed.set(index, await verifyEs256(keys.get(form.kid), form.signature, form.signed));
      }),
    );
    progress(Math.min(at + BATCH, records.length), records.length);
  }
  return signed;
}

function checkRecord(entry, keys, signed, seen) {
  const { form } = entry;
  const where = entryName(entry);
  if (!keys.enrolled.has(form.kid)) fail("unknown-key", "Its meter is not enrolled.", where);
  if (keys.closed.has(form.kid)) fail("retired-key", "Its meter was retired before.", where);
  if (!signed.get(entry.index)) {
    fail("record-signature", "The meter's signature does not hold.", where);
  }
  const name = `${form.kid}/${form.ctx}/${form.seq}`;
  if (seen.has(name)) fail("identity", "There are two records of this number.", where);
  seen.set(name, entry);
}

async function checkConflict(entry, keys) {
  const { form } = entry;
  const wrong = (message) => fail("conflict", message, entryName(entry));
  let record = null;
  try {
    record = form.record && parseRecord(form.record);
  } catch {
    record = null;
  }
  if (!record) wrong("It accuses a meter of contradicting itself, but keeps no record.");
  const named = record.kid === form.kid && record.ctx === form.ctx && record.seq === form.seq;
  if (!named) wrong("It keeps another record than the one it names.");
  const enrolment = keys.enrolled.get(form.kid);
  if (!enrolment) wrong("It accuses a meter that is not enrolled.");
  if (!(await verifyEs256(enrolment.publicKey, record.signature, record.signed))) {
    wrong("It accuses a meter by a record the meter did not sign.");
  }
  form.kept = record;
}

export async function checkRecords(bundle, progress) {
  const signed = await signatures(bundle, progress);
  const keys = new Keys();
  const seen = new Map();
  for (const entry of bundle.entries) {
    if (entry.kind === ENROLMENT) await keys.take(entry.form, entryName(entry));
    else if (isRecord(entry)) checkRecord(entry, keys, signed, seen);
    else if (entry.kind === FINDING && entry.form.code === "conflict") {
      await checkConflict(entry, keys);
    }
  }
  bundle.enrolled = keys.enrolled;
  return `${plural(seen.size, "record")} of ${plural(keys.enrolled.size, "meter")}`;
}

// The items of a list at `key` of a map, or none where the document is of another form.
function listAt(map, key) {
  const items = map instanceof Map ? map.get(key) : undefined;
  return Array.isArray(items) ? items : [];
}

// Every key a statement names.
function keysNamed(statement) {
  const keys = [];
  for (const line of listAt(statement, "lines")) {
    for (const usage of listAt(line, "usage")) {
      keys.push(...listAt(usage, "keys"));
    }
  }
  return keys.filter((key) => key instanceof Map && key.get("kid") instanceof Uint8Array);
}

function checkNamed(bundle) {
  const byIndex = new Map(bundle.entries.map((entry) => [BigInt(entry.index), entry]));
  for (const entry of ownStatements(bundle)) {
    for (const key of keysNamed(entry.form)) {
      checkKeyNamed(bundle, byIndex, key, entryName(entry));
    }
  }
}

function checkKeyNamed(bundle, byIndex, key, where) {
  const kid = hex(key.get("kid"));
  if (!bundle.enrolled.has(kid)) {
    fail("missing-enrolment", `The statement names the key ${kid}, which is not enrolled.`, where);
  }
  const refs = [key.get("start"), key.get("end")].flatMap((end) => listAt(end, "records"));
  for (const ref of refs) {
    const numbers = ["index", "ctx", "seq"].map((name) => ref instanceof Map && ref.get(name));
    if (numbers.some((number) => typeof number !== "bigint")) continue; // left to step 10
    const entry = byIndex.get(ref.get("index"));
    const { form } = entry && isRecord(entry) ? entry : {};
    const same = form && form.kid === kid && BigInt(form.ctx) === ref.get("ctx");
    if (!same || form.seq !== ref.get("seq")) {
      const what = `reading ${ref.get("seq")} of the meter with key ${kid}`;
      fail("missing-record", `The statement rests on ${what}, which is not there.`, where);
    }
  }
}

function checkConflictFirst(bundle) {
  const records = new Map();
  for (const entry of bundle.entries) {
    const { kind, form } = entry;
    if (isRecord(entry)) records.set(`${form.kid}/${form.ctx}/${form.seq}`, form);
    if (kind !== FINDING || form.code !== "conflict") continue;
    const first = records.get(`${form.kid}/${form.ctx}/${form.seq}`);
    if (!first || sameBytes(first.content, form.kept.content)) {
      fail("conflict-first", "It contradicts no record that was logged before.", entryName(entry));
    }
    bundle.notes.push(`Signed with two different contents: ${recordName(first)}.`);
  }
}

function checkSession(bundle) {
  const { kid, begin, end } = bundle.manifest.session;
  const wrong = (message, where = "entries.cbor") => fail("session", message, where);
  const bySeq = new Map();
  for (const entry of bundle.entries) {
    const { form } = entry;
    if (isRecord(entry) && form.ctx === TRANSACTION && form.kid === kid)
      bySeq.set(form.seq, entry);
  }
  if (begin >= end || end - begin > bundle.entries.length) wrong("The session has no end.");
  const session = [];
  for (let seq = begin; seq <= end; seq += 1) {
    const entry = bySeq.get(BigInt(seq));
    if (!entry) wrong(`Record ${seq} of the session is missing.`);
    session.push(entry);
  }
  session.forEach((entry, i) => {
    const { tx } = entry.form;
    const [first, last] = [i === 0, i === session.length - 1];
    const fits = first ? tx === "B" : last ? ENDS.includes(tx) : !`B${ENDS}`.includes(tx);
    if (!fits) wrong("A session begins once and ends once.", entryName(entry));
    if (!first) checkGrowth(session[i - 1].form, entry, wrong);
  });
  bundle.session = session.map(({ form }) => form);
}

// The milliwatt-hours of a register, or null where it is missing or finer than that.
function energyOf({ registers }, wanted) {
  const register = registers.find(({ obis }) => obis === wanted);
  if (!register || register.unit !== WATT_HOURS) return null;
  const shift = register.scale + 3;
  if (shift >= 0) return register.mantissa * 10n ** BigInt(shift);
  const step = 10n ** BigInt(-shift);
  return register.mantissa % step === 0n ? register.mantissa / step : null;
}

function checkGrowth(before, entry, wrong) {
  for (const obis of [QUANTITIES.import_energy.obis, QUANTITIES.export_energy.obis]) {
    const [old, now] = [energyOf(before, obis), energyOf(entry.form, obis)];
    if (old === null || now === null || now < old)
      wrong("A meter never counts back.", entryName(entry));
  }
}

function checkReading(bundle) {
  const { kid, ctx, seq } = bundle.manifest.reading;
  const entry = bundle.entries.find(
    (each) =>
      isRecord(each) &&
      each.form.kid === kid &&
      each.form.ctx === ctx &&
      each.form.seq === BigInt(seq),
  );
  if (!entry) fail("reading", `Reading ${seq} is not in the bundle.`, "entries.cbor");
  bundle.reading = entry.form;
}

// Notes, not failures: numbers that are missing, and links that name another record.
function noteGaps(bundle) {
  const heads = new Map();
  for (const entry of bundle.entries.filter(isRecord)) {
    const { form } = entry;
    const head = heads.get(form.kid) ?? { serial: form.serial, last: null, next: new Map() };
    const expected = head.next.get(form.ctx);
    const missing = expected !== undefined && form.seq > expected;
    if (missing) {
      const range = form.seq - 1n === expected ? `${expected}` : `${expected} to ${form.seq - 1n}`;
      bundle.notes.push(`Before ${entryName(entry)}: number ${range} is not in the bundle.`);
    } else if (head.last && head.last !== form.prev && form.event?.kind !== EVENT_BREAK) {
      head.broken = (head.broken ?? 0) + 1;
    }
    if (expected === undefined || form.seq >= expected) head.next.set(form.ctx, form.seq + 1n);
    head.last = form.digest;
    heads.set(form.kid, head);
  }
  for (const { serial, broken } of heads.values()) {
    if (broken) {
      const count = plural(broken, "record");
      bundle.notes.push(
        `Meter ${serial}: ${count} without a link to the one before in this file.`,
      );
    }
  }
}

export function checkComplete(bundle) {
  const { form } = bundle.manifest;
  if (form === "statement") checkNamed(bundle);
  checkConflictFirst(bundle);
  if (form === "session") checkSession(bundle);
  if (form === "reading") checkReading(bundle);
  const before = bundle.notes.length;
  noteGaps(bundle);
  const gaps = bundle.notes.length - before;
  return gaps > 0 ? `everything named is there; ${plural(gaps, "gap")} named above` : "";
}
