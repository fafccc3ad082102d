// COSE_Sign1 in the one form that nodes and parties send (docs/formats.md section 1), and ES256.

import { fail, isBytes, join, sameBytes, utf8 } from "./bytes.js";
import { byteString, decode, head } from "./cbor.js";
import { sha256 } from "./sha256.js";

export const RECORD_TYPE = "application/vnd.wattest.record+cwt";
export const ACT_TYPE = "application/vnd.wattest.act+cbor";
const CONTEXT = join([Uint8Array.of(0x84, 0x6a), utf8("Signature1")]);

// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 00 04 x y } }
const SPKI_PREFIX = Uint8Array.of(
  0x30,
  0x59,
  0x30,
  0x13,
  0x06,
  0x07,
  0x2a,
  0x86,
  0x48,
  0xce,
  0x3d,
  0x02,
  0x01,
  0x06,
  0x08,
  0x2a,
  0x86,
  0x48,
  0xce,
  0x3d,
  0x03,
  0x01,
  0x07,
  0x03,
  0x42,
  0x00,
  0x04,
);

function broken(message) {
  fail("form", `A signed message is not of the form it must have: ${message}.`);
}

// The definite byte string at `at`, in its shortest form, and the place behind it.
function bytesAt(data, at, what) {
  const initial = data[at];
  if (initial === undefined || initial < 0x40 || initial > 0x5b) broken(`no ${what}`);
  const info = initial & 31;
  const begin = info < 24 ? at + 1 : at + 1 + (1 << (info - 24));
  let size = info < 24 ? BigInt(info) : 0n;
  for (let i = at + 1; i < begin; i += 1) size = (size << 8n) | BigInt(data[i] ?? 0);
  if (BigInt(begin) + size > BigInt(data.length)) broken(`${what} is cut off`);
  const shortest = head(2, size);
  if (!sameBytes(shortest, data.subarray(at, begin))) broken(`${what} is not encoded shortest`);
  const stop = begin + Number(size);
  return { bytes: data.subarray(begin, stop), begin, stop };
}

// Take a signed message apart; its signature is not checked here.
export function parseSign1(data, type) {
  if (data[0] !== 0xd2 || data[1] !== 0x84) broken("no COSE_Sign1 with its tag");
  const protectedHeader = bytesAt(data, 2, "protected header");
  const kid = checkHeader(protectedHeader.bytes, type);
  if (data[protectedHeader.stop] !== 0xa0) broken("something unsigned is added");
  const payload = bytesAt(data, protectedHeader.stop + 1, "payload");
  if (payload.bytes.length === 0) broken("the payload is empty");
  const signature = bytesAt(data, payload.stop, "signature");
  if (signature.bytes.length !== 64) broken("a signature has 64 bytes");
  if (signature.stop !== data.length) broken("something follows after its end");
  return {
    kid,
    payload: payload.bytes,
    signature: signature.bytes,
    signed: join([
      CONTEXT,
      byteString(protectedHeader.bytes),
      Uint8Array.of(0x40),
      byteString(payload.bytes),
    ]),
  };
}

function checkHeader(bytes, type) {
  const header = decode(bytes, { maxDepth: 2, intKeys: true });
  if (!(header instanceof Map)) broken("its header is no map");
  if (header.get(1n) !== -7n) broken("another algorithm than ES256");
  if (!isBytes(header.get(4n), 8, 8)) broken("no name of its key");
  if (header.get(16n) !== type) broken("it is a message of another type");
  if (header.size !== 3) broken("its header says more than it may");
  return header.get(4n);
}

export function spkiOf(publicKey) {
  return join([SPKI_PREFIX, publicKey]);
}

// The 64 bytes x and y of a key in SubjectPublicKeyInfo form, or null.
export function publicKeyOf(spki) {
  const size = SPKI_PREFIX.length;
  const fits = spki.length === size + 64 && sameBytes(spki.subarray(0, size), SPKI_PREFIX);
  return fits ? spki.subarray(size) : null;
}

export function kidOf(spki) {
  return sha256(spki).subarray(0, 8);
}

const IMPORTED = new Map();

// A P-256 key ready to verify with, or null where x and y are no point of the curve.
async function importedKey(publicKey) {
  const name = publicKey.join();
  if (!IMPORTED.has(name)) {
    const raw = join([Uint8Array.of(4), publicKey]);
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    const key = await crypto.subtle
      .importKey("raw", raw, algorithm, false, ["verify"])
      .catch(() => null);
    IMPORTED.set(name, key);
  }
  return IMPORTED.get(name);
}

export async function isUsableKey(publicKey) {
  return (await importedKey(publicKey)) !== null;
}

export async function verifyEs256(publicKey, signature, message) {
  const key = await importedKey(publicKey);
  if (key === null) return false;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return crypto.subtle.verify(algorithm, key, signature, message);
}
