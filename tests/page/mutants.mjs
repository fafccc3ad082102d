// Mutated bundles from tests/vectors/bundles: patches of a few bases, applied in this order:
// members, remove, digests, packing anew, archive.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { compareBytes, fromHex, hex, utf8 } from "../../host/wattest/evidence/page/bytes.js";
import { sha256 } from "../../host/wattest/evidence/page/sha256.js";
import { crc32, readZip } from "../../host/wattest/evidence/page/zip.js";

const MANIFEST = "manifest.json";

// Each patch deletes bytes at an offset and inserts others; they go from the end to the begin.
function patched(content, patches) {
  let bytes = content;
  for (const [offset, size, insert] of patches) {
    const more = fromHex(insert);
    const next = new Uint8Array(bytes.length - size + more.length);
    next.set(bytes.subarray(0, offset));
    next.set(more, offset);
    next.set(bytes.subarray(offset + size), offset + more.length);
    bytes = next;
  }
  return bytes;
}

function sorted(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

// Make `files` of the manifest anew; the rest of its text stays as it is.
function withDigests(members) {
  const manifest = new TextDecoder().decode(members.get(MANIFEST));
  const files = {};
  for (const [name, content] of members) {
    if (name === MANIFEST) continue;
    files[name] = { bytes: content.length, sha256: hex(sha256(content)) };
  }
  const anew = `"files":${JSON.stringify(sorted(files))}`;
  const listed = /"files":\{("[^"]*":\{[^{}]*\},?)*\}/;
  members.set(MANIFEST, utf8(manifest.replace(listed, () => anew)));
}

function header(signature, before, content, name, size) {
  const view = new DataView(new ArrayBuffer(size));
  let at = 0;
  const put = (value, bytes) => {
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += bytes;
  };
  put(signature, 4);
  before.forEach((value) => put(value, 2));
  for (const value of [0, 0, 0, 0x21]) put(value, 2);
  for (const value of [crc32(content), content.length, content.length]) put(value, 4);
  put(name.length, 2);
  return new Uint8Array(view.buffer);
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// The archive of members, all stored: the manifest first, the others by name.
function pack(members) {
  const first = members.has(MANIFEST) ? [MANIFEST] : [];
  const rest = [...members.keys()].filter((name) => name !== MANIFEST);
  rest.sort((a, b) => compareBytes(utf8(a), utf8(b)));
  const body = [];
  const directory = [];
  let offset = 0;
  for (const member of [...first, ...rest]) {
    const content = members.get(member);
    const name = utf8(member);
    const central = header(0x02014b50, [20, 20], content, name, 46);
    new DataView(central.buffer).setUint32(42, offset, true);
    directory.push(central, name);
    const local = header(0x04034b50, [20], content, name, 30);
    body.push(local, name, content);
    offset += 30 + name.length + content.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, members.size, true);
  end.setUint16(10, members.size, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return joined([...body, ...directory, new Uint8Array(end.buffer)]);
}

async function apply(vector, base) {
  const members = await readZip(base);
  for (const [name, patches] of Object.entries(vector.members ?? {})) {
    members.set(name, patched(members.get(name) ?? new Uint8Array(), patches));
  }
  for (const name of vector.remove ?? []) members.delete(name);
  if (vector.digests) withDigests(members);
  const changed = ["members", "remove", "digests"].some((key) => key in vector);
  return patched(changed ? pack(members) : base, vector.archive ?? []);
}

// Every case of a folder: `{ name, data, toldKey, expect }`.
export async function* readMutants(folder) {
  const { bases, cases } = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"));
  const files = {};
  for (const [name, { file }] of Object.entries(bases)) {
    files[name] = new Uint8Array(readFileSync(join(folder, file)));
  }
  for (const vector of cases) {
    const { name, base, expect, told } = vector;
    const toldKey = told === false ? "" : bases[base].log;
    yield { name, data: await apply(vector, files[base]), toldKey, expect };
  }
}
