// Entry bodies besides records (docs/formats.md section 4): enrolments, findings, what parties
// state under their own keys, estimates, anchors, rotations.

import { fail, hex, isBytes, sameBytes } from "./bytes.js";
import { decode } from "./cbor.js";
import { ACT_TYPE, kidOf, parseSign1, publicKeyOf } from "./cose.js";

const ACT_START = 0xd2;
export const AGREE = 1;
export const DISPUTE = 2;
export const RESOLVE = 3;
export const PAY = 4;
export const ROTATE = 5;

const isInt = (value) => typeof value === "bigint";
const isUint = (value) => isInt(value) && value >= 0n;
const isCount = (value) => isInt(value) && value >= 1n;
const isAnyText = (value) => typeof value === "string";
const isFlag = (value) => typeof value === "boolean";
const anyBytes = (value) => value instanceof Uint8Array;
const octets = (size) => (value) => isBytes(value, size, size);
const within = (low, high) => (value) => isInt(value) && value >= low && value <= high;
const isSpan = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(isInt) && value[0] < value[1];

// A text of 1 to `longest` characters; characters are code points.
const text = (longest) => (value) =>
  isAnyText(value) && value !== "" && (value.length <= longest || [...value].length <= longest);

// Decode a map with whole-number keys and check every field of it.
function readFields(body, what, checks, optional = [], maxBytes = 65536) {
  const fields = decode(body, { maxDepth: 2, intKeys: true, int64: true, maxBytes });
  if (!(fields instanceof Map)) fail("form", `It is no ${what}.`);
  for (const [key, value] of fields) {
    const check = checks[key];
    if (check === undefined || !check(value)) {
      fail("form", `Field ${key} of this ${what} is not what it may be.`);
    }
  }
  for (const key of Object.keys(checks)) {
    if (!fields.has(BigInt(key)) && !optional.includes(Number(key))) {
      fail("form", `Field ${key} of this ${what} is missing.`);
    }
  }
  return (key) => fields.get(BigInt(key));
}

function isCalibration(value) {
  if (!(value instanceof Map) || !value.has(1n)) return false;
  const checks = { 1: text(64), 2: octets(32), 3: isInt };
  return [...value].every(([key, item]) => checks[key]?.(item) ?? false);
}

const ENROLMENT = {
  1: octets(8),
  2: anyBytes,
  3: text(32),
  4: within(0n, 2n),
  5: isAnyText,
  6: octets(16),
  7: isFlag,
  8: isUint,
  9: isInt,
  10: isAnyText,
  11: (value) => isBytes(value, 7, 33),
  12: isCalibration,
  13: within(1n, 2n),
  14: octets(8),
};

export function parseEnrolment(body) {
  const field = readFields(body, "enrolment", ENROLMENT, [11, 12, 13, 14]);
  const publicKey = publicKeyOf(field(2));
  if (publicKey === null) fail("form", "The key of this enrolment is no key.");
  if (!sameBytes(kidOf(field(2)), field(1))) fail("form", "This enrolment names another key.");
  const action = Number(field(13) ?? 0n);
  const replaces = field(14) ? hex(field(14)) : "";
  if ((action === 1) !== (replaces !== "") || replaces === hex(field(1))) {
    fail("form", "This enrolment does not say which key it replaces.");
  }
  return {
    kid: hex(field(1)),
    publicKey,
    serial: field(3),
    kind: Number(field(4)),
    board: field(5),
    cfg: hex(field(6)),
    demo: field(7),
    powerMax: field(8),
    time: field(9),
    asset: field(10),
    action,
    replaces,
  };
}

export function parseFinding(body) {
  const checks = { 1: isAnyText, 2: octets(8), 3: isUint, 4: isUint, 5: isAnyText, 6: anyBytes };
  const field = readFields(body, "finding", checks, [6]);
  return {
    code: field(1),
    kid: hex(field(2)),
    ctx: Number(field(3)),
    seq: field(4),
    message: field(5),
    record: field(6) ?? null,
  };
}

const OWN = {
  [AGREE]: { 5: octets(32), 6: octets(64) },
  [DISPUTE]: { 5: isSpan, 6: text(64), 7: isSpan, 8: text(200), 9: isCount },
  [RESOLVE]: { 5: octets(32), 6: isUint, 7: text(200) },
  [PAY]: {
    5: within(0n, 4n),
    6: isCount,
    7: (value) => isAnyText(value) && /^[\u0000-\u007f]{3}$/.test(value),
    8: text(64),
  },
  [ROTATE]: { 5: octets(64) },
};

export function isAct(body) {
  return body[0] === ACT_START;
}

// Read what a party states; its signature is not checked here.
export function parseAct(body) {
  const message = parseSign1(body, ACT_TYPE);
  const anything = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((key) => [key, () => true]));
  const first = readFields(message.payload, "act", anything, [1, 2, 3, 4, 5, 6, 7, 8, 9])(1);
  if (!within(1n, 5n)(first)) fail("form", "This act is of no kind that acts have.");
  const kind = Number(first);
  const common = { 1: isInt, 2: text(64), 3: text(64), 4: isInt };
  const field = readFields(message.payload, "act", { ...common, ...OWN[kind] }, [9]);
  const act = { kind, contract: field(2), party: field(3), time: field(4), message };
  return { ...act, ...ownOf(kind, field) };
}

function ownOf(kind, field) {
  switch (kind) {
    case AGREE:
      return { terms: hex(field(5)), publicKey: field(6) };
    case DISPUTE:
      return {
        period: field(5),
        line: field(6),
        window: field(7),
        reason: field(8),
        quantity: field(9) ?? null,
      };
    case RESOLVE:
      return { dispute: hex(field(5)), granted: field(6), text: field(7) };
    case PAY:
      return { what: Number(field(5)), amount: field(6), currency: field(7), reference: field(8) };
    default:
      return { publicKey: field(5) };
  }
}

export function parseMachineDispute(body) {
  const checks = {
    1: (value) => value === "equivocation",
    2: octets(8),
    3: isUint,
    4: isUint,
    5: isUint,
    6: isUint,
  };
  const field = readFields(body, "dispute", checks);
  return {
    machine: true,
    kid: hex(field(2)),
    ctx: Number(field(3)),
    seq: field(4),
    first: field(5),
    finding: field(6),
  };
}

export function parseEstimate(body) {
  const checks = {
    1: text(64),
    2: text(64),
    3: isSpan,
    4: isUint,
    5: octets(32),
    6: octets(32),
    7: isInt,
  };
  const field = readFields(body, "estimate", checks);
  return {
    asset: field(1),
    quantity: field(2),
    window: field(3),
    count: field(4),
    model: field(5),
    inputs: field(6),
    made: field(7),
  };
}

export function parseAnchor(body) {
  const checks = {
    1: isUint,
    2: octets(32),
    3: text(64),
    4: text(1024),
    5: (value) => isBytes(value, 0, 65536),
    6: isInt,
  };
  const field = readFields(body, "anchor", checks, [], 67584);
  return { size: field(1), root: field(2), method: field(3), place: field(4) };
}

export function parseLogRotation(body) {
  const field = readFields(body, "rotation", { 1: text(512), 2: text(512), 3: octets(64) });
  return { old: field(1), new: field(2), signature: field(3) };
}
