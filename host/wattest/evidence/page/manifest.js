// manifest.json: what a bundle says it is (docs/evidence.md section 2.1), in its one form.

import { fail, sameBytes, textOf, utf8 } from "./bytes.js";

const FORMAT = "wattest-bundle/1";
const GENERATIONS_MAX = 400;
const HALF = /[\ud800-\udfff]/u;
export const OPTIONAL = ["README.txt", "statement.html", "verify.html"];

function broken(message) {
  fail("manifest", message, "manifest.json");
}

// The same value with the keys of all objects ascending.
function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, ordered(value[key])]),
  );
}

const isText = (value) => typeof value === "string";
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isHex = (size) => (value) => isText(value) && new RegExp(`^[0-9a-f]{${size}}$`).test(value);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isContext = (value) => isCount(value) && value <= 2;
const isFile = (value) => hasShape(value, { bytes: isCount, sha256: isHex(64) });
const isNumber = (value) => isCount(value) && value >= 1;
const isSpan = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(isCount) && value[0] < value[1];
const isTexts = (value) => Array.isArray(value) && value.every(isText);

function hasShape(value, shape) {
  const keys = Object.keys(shape);
  if (!isObject(value) || Object.keys(value).length !== keys.length) return false;
  return keys.every((key) => Object.hasOwn(value, key) && shape[key](value[key]));
}

const COMMON = {
  format: (value) => value === FORMAT,
  form: (value) => Object.hasOwn(FORMS, value),
  maker: isText,
  log: isText,
  files: (value) => isObject(value) && Object.values(value).every(isFile),
};

const FORMS = {
  statement: {
    contract: isText,
    period: isSpan,
    generations: (value) => isNumber(value) && value <= GENERATIONS_MAX,
    terms: isHex(64),
    witness: (value) => hasShape(value, { keys: isTexts, threshold: isCount }),
  },
  session: {
    session: (value) => hasShape(value, { begin: isNumber, end: isNumber, kid: isHex(16) }),
  },
  reading: {
    reading: (value) => hasShape(value, { ctx: isContext, kid: isHex(16), seq: isNumber }),
  },
};

// The names a bundle of this form must have besides its manifest.
function requiredNames({ form, generations }) {
  const names = ["checkpoint.txt", "entries.cbor", "proof.bin"];
  if (form === "statement") {
    for (let n = 1; n <= generations; n += 1) {
      names.push(`cutoff-${n}.txt`, `consistency-${n}.bin`);
    }
  }
  return names;
}

export function parseManifest(bytes) {
  const text = textOf(bytes);
  let value;
  let halved = false; // half of a surrogate pair has no bytes of its own
  try {
    value = JSON.parse(text, (key, item) => {
      halved ||= HALF.test(key) || (isText(item) && HALF.test(item));
      return item;
    });
  } catch {
    broken("The bundle's description of itself is unreadable.");
  }
  if (!isObject(value)) broken("The bundle's description of itself is of another form.");
  if (value.format !== FORMAT) {
    const newer = /^wattest-bundle\/[0-9]+$/.test(value.format);
    const hint = newer ? "It was made for a newer page than this one." : "It is no bundle.";
    fail("format", `This file is not of format ${FORMAT}. ${hint}`, "manifest.json");
  }
  const canonical = JSON.stringify(ordered(value));
  if (halved || !sameBytes(utf8(canonical), bytes)) {
    broken("The bundle's description of itself is not written in its one form.");
  }
  const known = isObject(value) && isText(value.form) && Object.hasOwn(FORMS, value.form);
  if (!known || !hasShape(value, { ...COMMON, ...FORMS[value.form] })) {
    broken("The bundle's description of itself lacks something, or says too much.");
  }
  checkNames(value);
  return value;
}

function checkNames(manifest) {
  const required = requiredNames(manifest);
  const named = Object.keys(manifest.files);
  const missing = required.find((name) => !named.includes(name));
  if (missing) broken(`The file ${missing} is missing.`);
  const odd = named.find((name) => !required.includes(name) && !OPTIONAL.includes(name));
  if (odd) broken(`The file ${odd} does not belong into a bundle.`);
}
