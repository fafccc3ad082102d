// Byte strings: comparing, joining, and the spellings people see.

export class Fault extends Error {
  // What is wrong, said once: `rule` is a stable name, `message` a sentence, `where` the record,
  // file or line of the statement it is about.
  constructor(rule, message, where = "") {
    super(message);
    this.rule = rule;
    this.where = where;
  }
}

export function fail(rule, message, where = "") {
  throw new Fault(rule, message, where);
}

export function compareBytes(a, b) {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i += 1) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

export function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

export function join(parts) {
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

export function fromHex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) fail("hex", "pairs of hexadecimal digits expected");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function utf8(text) {
  return ENCODER.encode(text);
}

// The text of UTF-8 bytes, or null where they are none.
export function textOf(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    return null;
  }
}

export function toBase64(bytes) {
  let raw = "";
  for (const byte of bytes) raw += String.fromCharCode(byte);
  return btoa(raw);
}

// Bytes of a base64 text, or null; only the one spelling with padding and zero spare bits.
export function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  let raw;
  try {
    raw = atob(text);
  } catch {
    return null;
  }
  const bytes = Uint8Array.from(raw, (char) => char.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : null;
}

export function isBytes(value, least = 0, most = Infinity) {
  return value instanceof Uint8Array && value.length >= least && value.length <= most;
}

// Run `work`; whatever it finds wrong is told as this rule, at this place.
export function asRule(rule, where, work) {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(rule, error.message, where);
  }
}
