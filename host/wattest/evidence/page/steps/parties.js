// Steps 7 and 11: who agreed to the terms, and what the parties said since.

import { asRule, fail, hex, sameBytes } from "../bytes.js";
import { kidOf, spkiOf, verifyEs256 } from "../cose.js";
import { AGREE, DISPUTE, RESOLVE, ROTATE } from "../entries.js";
import { entryName } from "../names.js";
import { parseTerms } from "../terms.js";
import { DISPUTED, ESTIMATE, FINDING, TERMS, isRecord, ownStatements } from "./forms.js";

const AGREEING = [7, 12];
const ACTING = [8, 9, 13];

// What is known of one contract, entry by entry.
class Contract {
  constructor() {
    this.parties = new Set();
    this.pins = new Map();
    this.keys = new Map();
    this.terms = new Set();
    this.agreements = [];
  }

  addTerms({ digest }, terms) {
    this.terms.add(digest);
    for (const party of terms.parties) this.parties.add(party);
    for (const [party, pin] of terms.pins) this.pins.set(party, pin);
  }

  // The key an act must be signed with; an agreement may bring the first one.
  keyFor(act) {
    const known = this.keys.get(act.party);
    if (act.kind !== AGREE) return known ?? null;
    const expected = known ?? this.pins.get(act.party);
    return expected && !sameBytes(expected, act.publicKey) ? null : act.publicKey;
  }

  take(entry, act) {
    if (act.kind === AGREE) {
      this.keys.set(act.party, act.publicKey);
      this.agreements.push({ party: act.party, terms: act.terms, index: entry.index });
    } else if (act.kind === ROTATE) {
      this.keys.set(act.party, act.publicKey);
    }
  }
}

async function checkAct(contract, manifest, act, where) {
  const named = act.contract === manifest.contract && contract.terms.size > 0;
  if (!named || !contract.parties.has(act.party)) {
    fail("party", `"${act.party}" is no party of this contract.`, where);
  }
  const key = contract.keyFor(act);
  if (key === null || !sameBytes(kidOf(spkiOf(key)), act.message.kid)) {
    fail("party-key", `It is not signed with the key of ${act.party}.`, where);
  }
  if (!(await verifyEs256(key, act.message.signature, act.message.signed))) {
    fail("act-signature", `The signature of ${act.party} does not hold.`, where);
  }
}

function checkTerms(bundle) {
  const { entries, manifest } = bundle;
  bundle.agreedTerms = new Map();
  for (const entry of entries) {
    const { kind, form, body, digest } = entry;
    if (kind !== TERMS) continue;
    const where = entryName(entry);
    bundle.agreedTerms.set(
      digest,
      asRule("terms-form", where, () => parseTerms(body)),
    );
    if (form.get("contract") !== manifest.contract) {
      fail("terms", "These terms are of another contract.", where);
    }
  }
  const terms = bundle.agreedTerms.get(manifest.terms);
  if (!terms) fail("terms", "The terms of the contract are not in the bundle.", "entries.cbor");
  const { keys, threshold } = terms.witness;
  const same =
    manifest.witness.threshold === threshold &&
    keys.length === manifest.witness.keys.length &&
    keys.every((key, i) => key === manifest.witness.keys[i]);
  if (!same) {
    fail("witness-policy", "The bundle names other witnesses than the terms.", "manifest.json");
  }
  bundle.terms = terms;
}

// Everybody whose key the terms of a statement pin agreed to exactly these terms.
function checkAgreements(bundle, contract) {
  for (const entry of ownStatements(bundle)) {
    const digest = hex(entry.form.get("terms"));
    for (const party of bundle.agreedTerms.get(digest)?.pins.keys() ?? []) {
      const agreed = contract.agreements.some(
        (each) => each.party === party && each.terms === digest,
      );
      if (!agreed) fail("agreement", `${party} has not agreed to these terms.`, entryName(entry));
    }
  }
}

export async function checkParties(bundle) {
  const { manifest, entries, notes } = bundle;
  if (manifest.form !== "statement") return "";
  checkTerms(bundle);
  const contract = new Contract();
  for (const entry of entries) {
    const { kind, form } = entry;
    const where = entryName(entry);
    if (kind === TERMS) contract.addTerms(entry, bundle.agreedTerms.get(entry.digest));
    if (!AGREEING.includes(kind) || form.party === undefined) continue;
    await checkAct(contract, manifest, form, where);
    if (form.kind === AGREE && !contract.terms.has(form.terms)) {
      fail("agreed-terms", `${form.party} agrees to terms that are not there.`, where);
    }
    contract.take(entry, form);
  }
  checkAgreements(bundle, contract);
  bundle.agreements = contract.agreements;
  const signed = new Set(contract.agreements.map(({ party }) => party));
  for (const role of ["seller", "buyer"]) {
    const party = bundle.terms[role];
    if (!signed.has(party) && !bundle.terms.pins.has(party)) {
      notes.push(`The terms are not signed by the ${role}, ${party}.`);
    }
  }
  return signed.size > 0 ? `signed by ${[...signed].join(" and ")}` : "not signed by anybody";
}

function checkMachineDispute(bundle, entry) {
  const { kid, ctx, seq, first, finding } = entry.form;
  const found = bundle.entries.find(({ index }) => index === entry.index - 1);
  const same = (other) => other.kid === kid && other.ctx === ctx && other.seq === seq;
  const conflict = found?.kind === FINDING && found.form.code === "conflict" && same(found.form);
  const original = bundle.entries.find(({ index }) => BigInt(index) === first);
  const named = original && isRecord(original) && same(original.form);
  if (!conflict || BigInt(found.index) !== finding || !named) {
    fail("machine-dispute", "It disputes a contradiction that is not there.", entryName(entry));
  }
}

function checkReference(bundle, act, disputes, where) {
  const [begin, end] = bundle.manifest.period;
  if (act.kind === DISPUTE && (act.period[0] !== BigInt(begin) || act.period[1] !== BigInt(end))) {
    fail("dispute", "It disputes another period.", where);
  }
  if (act.kind === RESOLVE && !disputes.has(act.dispute)) {
    fail("resolution", "It settles a dispute that is not there.", where);
  }
}

export async function checkActs(bundle) {
  const { manifest, entries } = bundle;
  if (manifest.form !== "statement") return "";
  const metered = [...bundle.agreedTerms.values()].flatMap(({ assets }) => assets);
  const contract = new Contract();
  const disputes = new Set();
  let acts = 0;
  for (const entry of entries) {
    const { kind, form, digest } = entry;
    const where = entryName(entry);
    if (kind === TERMS) contract.addTerms(entry, bundle.agreedTerms.get(entry.digest));
    if (AGREEING.includes(kind) && form.party !== undefined) contract.take(entry, form);
    if (kind === ESTIMATE && !metered.includes(form.asset)) {
      fail("estimate", `It is about ${form.asset}, which this contract does not meter.`, where);
    }
    if (!ACTING.includes(kind)) continue;
    acts += 1;
    if (form.machine) checkMachineDispute(bundle, entry);
    else {
      await checkAct(contract, manifest, form, where);
      checkReference(bundle, form, disputes, where);
    }
    if (kind === DISPUTED) disputes.add(digest);
  }
  return acts > 0 ? `${acts} disputes, resolutions and payments` : "there are none";
}
