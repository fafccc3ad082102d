// Steps 2 to 5: the checkpoints are signed and witnessed, the log only grew, every entry is in it.

import { asRule, fail, sameBytes, utf8 } from "../bytes.js";
import { verifyEs256 } from "../cose.js";
import { isAct, parseEnrolment, parseLogRotation } from "../entries.js";
import { entryName } from "../names.js";
import {
  cosignedAt,
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  signatureState,
  verifyEd25519,
} from "../note.js";
import { parseRecord } from "../record.js";
import { hashesOf, isConsistent, leafHash, multiRoot } from "../tree.js";

const ROTATION = 12;
const ENROLMENT = 3;
const RECORD_KINDS = [1, 2];
const WITNESSES_MAX = 32;
const CHECKPOINT = "checkpoint.txt";

function cutoffNames(bundle) {
  const count = bundle.manifest.generations ?? 0;
  return Array.from({ length: count }, (_, i) => `cutoff-${i + 1}.txt`);
}

function rotationsOf(entries) {
  const found = [];
  for (const { kind, body } of entries) {
    if (kind !== ROTATION || isAct(body)) continue;
    try {
      found.push(parseLogRotation(body));
    } catch {
      // what is no rotation is named in step 6
    }
  }
  return found;
}

// The log's key of today and, through signed rotations, the ones before it: newest first.
async function logKeys(text, entries) {
  const keys = [asRule("log-key", "manifest.json", () => parseVerifierKey(text, 1))];
  const open = rotationsOf(entries);
  for (;;) {
    const oldest = keys[keys.length - 1].text;
    let taken = -1;
    for (let i = 0; i < open.length && taken < 0; i += 1) {
      if (open[i].new === oldest && (await isSignedRotation(open[i]))) taken = i;
    }
    if (taken < 0) return keys;
    keys.push(parseVerifierKey(open.splice(taken, 1)[0].old, 1));
  }
}

async function isSignedRotation(rotation) {
  let key;
  try {
    key = parseVerifierKey(rotation.old, 1);
  } catch {
    return false;
  }
  const message = utf8(`wattest-rotation/1\n${rotation.old}\n${rotation.new}\n`);
  return verifyEd25519(key.publicKey, rotation.signature, message);
}

// Open a checkpoint that one of `keys` signed.
async function openCheckpoint(bundle, name, keys) {
  const [note, checkpoint] = asRule("note", name, () => {
    const parsed = parseNote(bundle.files.get(name));
    return [parsed, parseCheckpoint(parsed.text)];
  });
  if (checkpoint.size < 1) fail("note", "The checkpoint is of an empty log.", name);
  let signer = null;
  for (const key of keys) {
    const state = await signatureState(note, key);
    if (state === "wrong") fail("log-signature", "The log's signature does not hold.", name);
    if (state === "good") signer ??= key;
  }
  if (signer === null) fail("log-signature", "The log has not signed this checkpoint.", name);
  if (checkpoint.origin !== signer.name) {
    fail("origin", `The checkpoint is of another log: ${checkpoint.origin}.`, name);
  }
  return { ...checkpoint, note };
}

export async function checkSignatures(bundle) {
  bundle.logKeys = await logKeys(bundle.manifest.log, bundle.entries);
  const told = bundle.toldKey;
  if (told && !bundle.logKeys.some(({ text }) => text === told)) {
    fail("log-key", "The log is not the one whose key you entered.", "manifest.json");
  }
  bundle.checkpoint = await openCheckpoint(bundle, CHECKPOINT, bundle.logKeys.slice(0, 1));
  bundle.cutoffs = [];
  for (const name of cutoffNames(bundle)) {
    bundle.cutoffs.push(await openCheckpoint(bundle, name, bundle.logKeys));
  }
  const { name } = bundle.logKeys[0];
  return `log ${name}, ${bundle.checkpoint.size} entries`;
}

function witnessKeys({ keys, threshold }) {
  const wrong = (message) => fail("witness-keys", message, "manifest.json");
  const parsed = asRule("witness-keys", "manifest.json", () =>
    keys.map((text) => parseVerifierKey(text, 4)),
  );
  const names = new Set(parsed.map(({ name }) => name));
  const publics = new Set(parsed.map(({ publicKey }) => publicKey.join()));
  if (names.size < keys.length || publics.size < keys.length) wrong("A witness is named twice.");
  if (keys.length > WITNESSES_MAX) wrong("There are too many witnesses.");
  if (threshold > keys.length) wrong("More witnesses are asked for than are named.");
  return parsed;
}

export async function checkWitnesses(bundle) {
  const { witness } = bundle.manifest;
  bundle.witnesses = [];
  if (!witness || witness.threshold === 0) return "the contract asks for none";
  for (const key of witnessKeys(witness)) {
    const state = await cosignedAt(bundle.checkpoint.note, key);
    if (state === "wrong") {
      fail("cosignature", `The signature of the witness ${key.name} does not hold.`, CHECKPOINT);
    }
    if (state !== null) bundle.witnesses.push({ name: key.name, seconds: state });
  }
  const seen = bundle.witnesses.length;
  if (seen < witness.threshold) {
    const asked = `The contract asks for ${witness.threshold} of ${witness.keys.length} witnesses`;
    fail("witness", `${asked}; ${seen} signed this state of the log.`, CHECKPOINT);
  }
  return bundle.witnesses.map(({ name }) => name).join(", ");
}

export function checkConsistency(bundle) {
  bundle.cutoffs.forEach((cutoff, i) => {
    const name = `consistency-${i + 1}.bin`;
    const path = asRule("consistency", name, () => hashesOf(bundle.files.get(name), name));
    const { size, root } = bundle.checkpoint;
    if (!isConsistent(cutoff.size, size, cutoff.root, root, path)) {
      fail("consistency", "The log was rewritten: the newer state does not extend it.", name);
    }
  });
  const sizes = bundle.cutoffs.map(({ size }) => size);
  return sizes.length ? `from ${sizes.join(", ")} to ${bundle.checkpoint.size} entries` : "";
}

export async function checkInclusion(bundle) {
  const { size, root } = bundle.checkpoint;
  const { entries } = bundle;
  const beyond = entries.find(({ index }) => index >= size);
  if (beyond) fail("size", "It lies behind the end of the log.", entryName(beyond));
  const leaves = new Map(entries.map(({ index, kind, body }) => [index, leafHash(kind, body)]));
  const computed = asRule("inclusion", "proof.bin", () => {
    const hashes = hashesOf(bundle.files.get("proof.bin"), "proof.bin");
    return multiRoot(size, [...leaves.keys()], leaves, hashes);
  });
  if (!sameBytes(computed, root)) {
    const suspect = await likelyCulprit(entries);
    const message = "At least one entry is not the one that was written into the log.";
    const most = suspect ? ` Most likely it is ${suspect}, which its meter did not sign.` : "";
    fail("inclusion", message + most, suspect || "proof.bin");
  }
  return `${entries.length} of ${size} entries`;
}

// Help, not verdict: the first record whose own signature does not hold, or "".
async function likelyCulprit(entries) {
  const keys = new Map();
  for (const entry of entries) {
    const { kind, body } = entry;
    try {
      if (kind === ENROLMENT) {
        const { kid, publicKey } = parseEnrolment(body);
        keys.set(kid, publicKey);
      } else if (RECORD_KINDS.includes(kind)) {
        const form = parseRecord(body);
        const { kid, signature, signed } = form;
        if (keys.has(kid) && !(await verifyEs256(keys.get(kid), signature, signed))) {
          return entryName({ ...entry, form });
        }
      }
    } catch {
      return entryName(entry);
    }
  }
  return "";
}
