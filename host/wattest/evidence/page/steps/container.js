// Step 1: the file is a bundle, and every file in it is the one its manifest names.

import { asRule, fail, hex, sameBytes } from "../bytes.js";
import { decode } from "../cbor.js";
import { OPTIONAL, parseManifest } from "../manifest.js";
import { sha256 } from "../sha256.js";
import { plural } from "../words.js";
import { readZip } from "../zip.js";

// Both hashes must agree: a wrong one of ours would show here, before anything rests on it.
async function digestOf(bytes) {
  const ours = sha256(bytes);
  const theirs = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  if (!sameBytes(ours, theirs)) fail("digest", "This page computes a wrong check sum.");
  return hex(ours);
}

async function checkDigests(files, manifest) {
  for (const name of Object.keys(manifest.files).sort()) {
    const bytes = files.get(name);
    if (bytes === undefined) fail("digest", "A file the bundle lists is not in it.", name);
    const { bytes: size, sha256: digest } = manifest.files[name];
    if (bytes.length !== size || (await digestOf(bytes)) !== digest) {
      fail("digest", "A file was changed after the bundle was made.", name);
    }
  }
  for (const name of files.keys()) {
    if (name !== "manifest.json" && !Object.hasOwn(manifest.files, name)) {
      fail("digest", "The bundle holds a file that it does not list.", name);
    }
  }
}

function readEntries(bytes) {
  const items = asRule("entries", "entries.cbor", () => decode(bytes, { maxBytes: bytes.length }));
  const wrong = () => fail("entries", "The list of records is not of its form.", "entries.cbor");
  if (!Array.isArray(items) || items.length === 0) wrong();
  let last = -1n;
  return items.map((item) => {
    if (!Array.isArray(item) || item.length !== 3) wrong();
    const [index, kind, body] = item;
    const numbers = typeof index === "bigint" && typeof kind === "bigint";
    if (!numbers || kind < 0n || kind > 255n || index <= last || !(body instanceof Uint8Array)) {
      wrong();
    }
    last = index;
    return { index: Number(index), kind: Number(kind), body, digest: hex(sha256(body)) };
  });
}

export async function checkContainer(bundle) {
  bundle.files = await readZip(bundle.data);
  bundle.manifest = parseManifest(bundle.files.get("manifest.json"));
  bundle.digest = hex(sha256(bundle.files.get("manifest.json")));
  await checkDigests(bundle.files, bundle.manifest);
  bundle.entries = readEntries(bundle.files.get("entries.cbor"));
  const proving = [...bundle.files.keys()].filter((name) => !OPTIONAL.includes(name));
  return `${plural(proving.length, "file")}, ${plural(bundle.entries.length, "entry", "entries")}`;
}
