// The container: a zip archive in the one form of docs/evidence.md section 2, so that no two
// readers can see different files in it.

import { compareBytes, fail, sameBytes, textOf } from "./bytes.js";

const MEGABYTE = 1024 * 1024;
export const ARCHIVE_BYTES_MAX = 64 * MEGABYTE;
const UNPACKED_BYTES_MAX = 128 * MEGABYTE;
const MEMBERS_MAX = 1024;
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };
const VERSION = 20;
const DATE = 0x0021;

const CRC = new Uint32Array(256);
for (let n = 0; n < 256; n += 1) {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  CRC[n] = c;
}

export function crc32(bytes) {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i += 1) c = CRC[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function broken(message, where = "") {
  fail("zip", message, where);
}

// The fields that local header and directory share, from the version needed on.
function readFacts(view, at) {
  return {
    version: view.getUint16(at, true),
    flags: view.getUint16(at + 2, true),
    method: view.getUint16(at + 4, true),
    time: view.getUint16(at + 6, true),
    date: view.getUint16(at + 8, true),
    crc: view.getUint32(at + 10, true),
    packed: view.getUint32(at + 14, true),
    size: view.getUint32(at + 18, true),
    nameBytes: view.getUint16(at + 22, true),
    extraBytes: view.getUint16(at + 24, true),
  };
}

function isPlain({ version, flags, method, time, date, packed, size, extraBytes }) {
  const usual = version === VERSION && flags === 0 && time === 0 && date === DATE;
  const stored = method === 0 && packed === size;
  return usual && extraBytes === 0 && (stored || method === 8);
}

// The file header of the directory at `at`; its place is checked by whoever reads on.
function readCentral(data, view, at, end) {
  if (at + CENTRAL.bytes > end || view.getUint32(at, true) !== CENTRAL.signature) {
    broken("The archive's list of files is damaged.");
  }
  const facts = readFacts(view, at + 6);
  const next = at + CENTRAL.bytes + facts.nameBytes;
  if (next > end) broken("The archive's list of files is damaged.");
  const name = data.subarray(at + CENTRAL.bytes, next);
  const rest = [view.getUint16(at + 32, true), view.getUint16(at + 34, true)];
  rest.push(view.getUint16(at + 36, true), view.getUint32(at + 38, true));
  const plain = view.getUint16(at + 4, true) === VERSION && rest.every((value) => value === 0);
  if (!plain || !isPlain(facts)) broken("A file is packed in a way bundles do not use.");
  return { facts, name, offset: view.getUint32(at + 42, true), next };
}

function readDirectory(data, view) {
  const end = data.length - END.bytes;
  if (data.length > ARCHIVE_BYTES_MAX) broken("The file is larger than any bundle.");
  if (end < 0 || view.getUint32(end, true) !== END.signature) {
    broken("This file is no evidence bundle, or its end is missing.");
  }
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const whole =
    view.getUint32(end + 4, true) === 0 &&
    view.getUint16(end + 8, true) === count &&
    view.getUint32(end + 12, true) === end - start &&
    view.getUint16(end + 20, true) === 0;
  if (!whole || start > end || count < 1 || count > MEMBERS_MAX) {
    broken("The end of the archive is not as a bundle has it.");
  }
  const members = [];
  let at = start;
  for (let i = 0; i < count; i += 1) {
    members.push(readCentral(data, view, at, end));
    at = members[i].next;
  }
  if (at !== end) broken("The archive's list of files is damaged.");
  return { members, start };
}

// The packed bytes of a member whose local header must begin exactly at `at`.
function packedBytes(data, view, member, at, end) {
  const { facts, name, offset } = member;
  const head = at + LOCAL.bytes;
  if (offset !== at || head > end || view.getUint32(at, true) !== LOCAL.signature) {
    broken("The archive's files do not follow one another.");
  }
  const local = readFacts(view, at + 4);
  const agrees = Object.keys(facts).every((key) => facts[key] === local[key]);
  const begin = head + facts.nameBytes;
  const stop = begin + facts.packed;
  if (!agrees || stop > end || !sameBytes(data.subarray(head, begin), name)) {
    broken("The archive names or counts one of its files in two ways.");
  }
  return { raw: data.subarray(begin, stop), stop };
}

// The unpacked bytes, or null where they are damaged or not of this size.
async function inflate(packed, size) {
  const out = new Uint8Array(size);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const reader = stream.getReader();
  let at = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return at === size ? out : null;
      if (at + value.length > size) {
        await reader.cancel();
        return null;
      }
      out.set(value, at);
      at += value.length;
    }
  } catch {
    return null;
  }
}

async function unpack(raw, { method, size, crc }, name) {
  let bytes = raw;
  if (method === 8) {
    bytes = await inflate(raw, size);
    // packed data that is complete without its last byte has something behind its end
    const loose =
      bytes !== null && (await inflate(raw.subarray(0, raw.length - 1), size)) !== null;
    if (bytes === null || loose) broken("A file of the bundle cannot be unpacked.", name);
  }
  if (crc32(bytes) !== crc) broken("A file of the bundle is damaged.", name);
  return bytes;
}

function checkNames(members) {
  if (textOf(members[0].name) !== "manifest.json") broken("The bundle does not say what it is.");
  for (let i = 2; i < members.length; i += 1) {
    if (compareBytes(members[i - 1].name, members[i].name) >= 0) {
      broken("The bundle's files are not in their order.");
    }
  }
}

// Read an archive: a Map from name to bytes.
export async function readZip(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const { members, start } = readDirectory(data, view);
  checkNames(members);
  const total = members.reduce((sum, { facts }) => sum + facts.size, 0);
  if (total > UNPACKED_BYTES_MAX) broken("The bundle is larger than any bundle.");
  const files = new Map();
  let at = 0;
  for (const member of members) {
    const name = textOf(member.name);
    if (!name || !/^[\u0000-\u007f]+$/.test(name) || files.has(name))
      broken("A file of the bundle has no name of its own.");
    const { raw, stop } = packedBytes(data, view, member, at, start);
    files.set(name, await unpack(raw, member.facts, name));
    at = stop;
  }
  if (at !== start) broken("The archive holds more than its files.");
  return files;
}
