// A record: what a node signs (docs/formats.md section 1), read by every rule of it.

import { fail, hex, isBytes } from "./bytes.js";
import { decode } from "./cbor.js";
import { RECORD_TYPE, parseSign1 } from "./cose.js";
import { sha256 } from "./sha256.js";

export const FISCAL = 0;
export const TRANSACTION = 1;
export const EVENT = 2;
export const EVENT_TIME_SET = 2;
export const EVENT_RELAY = 5;
export const EVENT_INPUT = 8;
export const EVENT_BREAK = 10;

const BODY_KEY = -65537n;
const STATUS = "GTDRMXIOSEFN";
const TX = "BCXELRAPST";
const BYTES_MAX = 1024;

const isInt = (value) => typeof value === "bigint";
const isUint = (value) => typeof value === "bigint" && value >= 0n;
const isText = (value) => typeof value === "string";
const isMap = (value) => value instanceof Map;
const isTexts = (value) => Array.isArray(value) && value.every(isText);
const within = (low, high) => (value) => isInt(value) && value >= low && value <= high;
const octets = (least, most) => (value) => isBytes(value, least, most);
const letterOf = (letters) => (value) =>
  isText(value) && value.length === 1 && letters.includes(value);
const isLoss = (value) =>
  isMap(value) && value.size === 3 && [1n, 2n, 3n].every((key) => isInt(value.get(key)));
const isUser = (value) =>
  Array.isArray(value) &&
  value.length === 5 &&
  typeof value[0] === "boolean" &&
  isTexts(value[2]) &&
  [1, 3, 4].every((i) => isText(value[i]));

// One row a key: name for people, whether it must be there, what it may be.
const CLAIMS = new Map([
  [2n, ["serial", true, (value) => isText(value) && /^[ -~]{1,32}$/.test(value)]],
  [10n, ["nonce", false, octets(8, 64)]],
  [256n, ["chip identity", false, octets(7, 33)]],
  [261n, ["uptime", false, isUint]],
  [263n, ["debug state", false, within(0n, 4n)]],
  [267n, ["boot count", true, isUint]],
  [268n, ["boot seed", true, octets(8, 8)]],
  [270n, ["software name", false, isText]],
  [271n, ["software versions", false, isTexts]],
  [BODY_KEY, ["body", true, isMap]],
]);
const BOOT_CLAIMS = [256n, 261n, 263n, 270n, 271n];

const BODY = new Map([
  [1n, ["number", true, within(1n, (1n << 63n) - 1n)]],
  [2n, ["kind", true, within(0n, 2n)]],
  [3n, ["time", false, isInt]],
  [4n, ["quality of the time", true, within(0n, 3n)]],
  [5n, ["uptime", true, isUint]],
  [6n, ["registers", true, (value) => Array.isArray(value)]],
  [7n, ["status", true, letterOf(STATUS)]],
  [8n, ["unusable quantities", false, (value) => ["E", "t", "Et"].includes(value)]],
  [9n, ["reason of the transaction", false, letterOf(TX)]],
  [10n, ["number of the last event", true, isUint]],
  [11n, ["link to the record before", true, octets(32, 32)]],
  [12n, ["digest of the firmware", true, octets(16, 16)]],
  [13n, ["kind of current", false, within(0n, 1n)]],
  [14n, ["loss", false, isLoss]],
  [15n, ["user", false, isUser]],
  [16n, ["input", true, within(0n, 2n)]],
  [17n, ["event", false, isMap]],
]);

// By kind of event: key, whether it must be there, what it may be.
const EVENTS = new Map([
  [
    1n,
    [
      [2n, true, isUint],
      [3n, true, isUint],
      [4n, true, within(0n, 2n)],
      [5n, true, isUint],
    ],
  ],
  [
    2n,
    [
      [2n, false, isInt],
      [3n, true, isInt],
      [4n, true, within(0n, 3n)],
    ],
  ],
  [
    3n,
    [
      [2n, true, within(1n, 1n)],
      [3n, true, isInt],
      [4n, true, isInt],
    ],
  ],
  [
    4n,
    [
      [2n, true, isUint],
      [3n, true, within(0n, 1n)],
      [4n, false, isInt],
    ],
  ],
  [5n, [[2n, true, within(0n, 1n)]]],
  [
    6n,
    [
      [2n, true, isUint],
      [3n, true, isUint],
    ],
  ],
  [7n, []],
  [
    8n,
    [
      [2n, true, within(0n, 2n)],
      [3n, true, within(0n, 2n)],
    ],
  ],
  [9n, [[2n, true, within(0n, 2n)]]],
  [
    10n,
    [
      [2n, true, isUint],
      [3n, true, isUint],
    ],
  ],
]);

function broken(what) {
  fail("record", `The record is not as records must be: ${what}.`);
}

function checkFields(fields, table) {
  for (const [key, [name, required, check]] of table) {
    if (fields.has(key) ? !check(fields.get(key)) : required) broken(name);
  }
}

function checkTogether(claims, body) {
  const ctx = body.get(2n);
  if ((ctx === 1n) !== body.has(9n)) broken("reason of the transaction");
  if (body.has(15n) && !body.has(9n)) broken("user");
  if ((ctx === 2n) !== body.has(17n)) broken("event");
  if (ctx === 2n && body.get(10n) !== body.get(1n)) broken("number of the last event");
  const kind = ctx === 2n ? body.get(17n).get(1n) : undefined;
  if ((kind === 7n) !== claims.has(10n)) broken("nonce");
  if (kind !== 1n && BOOT_CLAIMS.some((key) => claims.has(key))) broken("list of claims");
}

function readEvent(fields) {
  const rows = isInt(fields.get(1n)) ? EVENTS.get(fields.get(1n)) : undefined;
  if (rows === undefined) broken("event");
  for (const [key, required, check] of rows) {
    if (fields.has(key) ? !check(fields.get(key)) : required) broken("event");
  }
  for (const key of fields.keys()) {
    if (key !== 1n && !rows.some(([known]) => known === key)) broken("event");
  }
  return { kind: Number(fields.get(1n)), fields };
}

function readRegisters(items) {
  if (items.length < 1 || items.length > 8) broken("registers");
  return items.map((item) => {
    if (!Array.isArray(item) || item.length !== 4) broken("registers");
    const [obis, mantissa, scale, unit] = item;
    const sound = isBytes(obis, 6, 6) && isInt(mantissa) && within(-6n, 6n)(scale) && isUint(unit);
    if (!sound) broken("registers");
    return { obis: hex(obis), mantissa, scale: Number(scale), unit: Number(unit) };
  });
}

// Read the bytes of a record; whether its signature holds is not looked at here.
export function parseRecord(data) {
  if (data.length > BYTES_MAX) fail("record", `A record has at most ${BYTES_MAX} bytes.`);
  const message = parseSign1(data, RECORD_TYPE);
  const claims = decode(message.payload, { maxDepth: 5, intKeys: true, int64: true });
  if (!isMap(claims)) broken("content");
  checkFields(claims, CLAIMS);
  const body = claims.get(BODY_KEY);
  checkFields(body, BODY);
  for (const key of body.keys()) {
    if (!BODY.has(key) && key < 24n) broken("list of fields");
  }
  checkTogether(claims, body);
  return {
    kid: hex(message.kid),
    kidBytes: message.kid,
    serial: claims.get(2n),
    seq: body.get(1n),
    ctx: Number(body.get(2n)),
    time: body.get(3n) ?? null,
    mono: body.get(5n),
    registers: readRegisters(body.get(6n)),
    status: body.get(7n),
    err: body.get(8n) ?? "",
    tx: body.get(9n) ?? "",
    evt: body.get(10n),
    prev: hex(body.get(11n)),
    cfg: hex(body.get(12n)),
    input: Number(body.get(16n)),
    event: body.has(17n) ? readEvent(body.get(17n)) : null,
    ueid: claims.has(256n) ? hex(claims.get(256n)) : "",
    bootcount: claims.get(267n),
    bootseed: hex(claims.get(268n)),
    signature: message.signature,
    signed: message.signed,
    digest: hex(sha256(data)),
    content: sha256(data.subarray(0, data.length - 64)),
  };
}

export function recordName({ ctx, seq, serial }) {
  return `${["reading", "transaction reading", "event"][ctx]} ${seq} of meter ${serial}`;
}
