// C2SP signed notes, checkpoints and cosignatures: text, keys, Ed25519 through WebCrypto.

import { fail, fromBase64, hex, sameBytes, textOf, utf8 } from "./bytes.js";
import { sha256Of } from "./sha256.js";

const NOTE_BYTES_MAX = 65536;
const SIGNATURES_MAX = 64;
const DASH = "\u2014 ";

export function isKeyName(name) {
  return name !== "" && !/[\s\u0085\u001c-\u001f+]/u.test(name) && !/[\u0000-\u001f]/.test(name);
}

export function parseNote(data) {
  if (data.length > NOTE_BYTES_MAX) fail("note", "A checkpoint is larger than any can be.");
  const note = textOf(data);
  if (note === null) fail("note", "A checkpoint is not readable text.");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) {
    fail("note", "A checkpoint holds odd characters.");
  }
  if (!note.endsWith("\n")) fail("note", "A checkpoint is cut off.");
  const split = note.lastIndexOf("\n\n");
  if (split < 0) fail("note", "A checkpoint has no signature.");
  const lines = note
    .slice(split + 2)
    .split("\n")
    .slice(0, -1);
  if (lines.length === 0 || lines.length > SIGNATURES_MAX) {
    fail("note", `A checkpoint has 1 to ${SIGNATURES_MAX} signatures, not ${lines.length}.`);
  }
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

export function parseSignature(line) {
  const space = line.lastIndexOf(" ");
  const name = line.slice(DASH.length, space);
  if (!line.startsWith(DASH) || space < DASH.length || !isKeyName(name)) {
    fail("note", "A signature line of a checkpoint is not of the form it must have.");
  }
  const raw = fromBase64(line.slice(space + 1));
  if (raw === null || raw.length <= 4) fail("note", "A signature of a checkpoint is unreadable.");
  return { name, keyId: raw.subarray(0, 4), signature: raw.subarray(4) };
}

export function parseCheckpoint(text) {
  const lines = text.slice(0, -1).split("\n");
  if (lines.length < 3 || lines.includes("")) fail("note", "A checkpoint has too few lines.");
  const [origin, size, root] = lines;
  if (!/^(0|[1-9][0-9]{0,18})$/.test(size) || BigInt(size) > BigInt(Number.MAX_SAFE_INTEGER)) {
    fail("note", "A checkpoint does not say how long the log is.");
  }
  const bytes = fromBase64(root);
  if (bytes === null || bytes.length !== 32)
    fail("note", "The root of a checkpoint is unreadable.");
  return { origin, size: Number(size), root: bytes, extensions: lines.slice(3) };
}

// A public key in the form people exchange: name+key id+base64(type | key).
export function parseVerifierKey(text, type) {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text);
  const raw = match && fromBase64(match[3]);
  if (!raw || raw.length !== 33 || raw[0] !== type || !isKeyName(match[1])) {
    fail("key", `This is no public key of its kind: ${text.slice(0, 80)}`);
  }
  const publicKey = raw.subarray(1);
  const keyId = sha256Of(utf8(match[1]), Uint8Array.of(10, type), publicKey).subarray(0, 4);
  if (hex(keyId) !== match[2]) {
    fail("key", `A public key and its number do not belong together: ${text.slice(0, 80)}`);
  }
  return { text, name: match[1], type, publicKey, keyId };
}

// Whether this browser knows Ed25519 (Chromium 137, Firefox 129, Safari 17 and later do).
export async function knowsEd25519() {
  try {
    const key = new Uint8Array(32);
    key[0] = 1;
    await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

export async function verifyEd25519(publicKey, signature, message) {
  if (signature.length !== 64) return false;
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, message);
  } catch {
    return false;
  }
}

function linesOf(note, key) {
  return note.signatures.filter(
    (line) => line.name === key.name && sameBytes(line.keyId, key.keyId),
  );
}

// Whether the key signed the note: "good", "wrong" (a line in its name does not hold) or "none".
export async function signatureState(note, key) {
  const lines = linesOf(note, key);
  for (const line of lines) {
    if (!(await verifyEd25519(key.publicKey, line.signature, utf8(note.text)))) return "wrong";
  }
  return lines.length > 0 ? "good" : "none";
}

// When a witness last signed the checkpoint (seconds since 1970, BigInt), null without its
// signature, "wrong" if a line in its name does not hold.
export async function cosignedAt(note, key) {
  let newest = null;
  for (const { signature } of linesOf(note, key)) {
    if (signature.length !== 72) return "wrong";
    let seconds = 0n;
    for (const byte of signature.subarray(0, 8)) seconds = (seconds << 8n) | BigInt(byte);
    const message = utf8(`cosignature/v1\ntime ${seconds}\n${note.text}`);
    if (!(await verifyEd25519(key.publicKey, signature.subarray(8), message))) return "wrong";
    if (newest === null || seconds > newest) newest = seconds;
  }
  return newest;
}
