// CBOR in the one form of docs/formats.md: RFC 8949 with core deterministic encoding, no floats,
// tags, null or indefinite lengths. Integers become BigInt, maps become Map, bytes Uint8Array.

import { compareBytes, fail, join, textOf, utf8 } from "./bytes.js";

const LIMIT_64 = 1n << 63n;
const LEAST = { 24: 24n, 25: 1n << 8n, 26: 1n << 16n, 27: 1n << 32n };

class Decoder {
  constructor(data, { maxDepth, intKeys, int64 }) {
    this.data = data;
    this.at = 0;
    this.maxDepth = maxDepth;
    this.intKeys = intKeys;
    this.int64 = int64;
  }

  stop(rule, place, detail = "") {
    const more = detail && ` (${detail})`;
    fail(rule, `Byte ${place} breaks the rule "${rule}" of the encoding${more}.`);
  }

  head() {
    const start = this.at;
    if (start >= this.data.length) this.stop("truncated", start);
    const initial = this.data[start];
    const major = initial >> 5;
    const info = initial & 31;
    if (info < 24) {
      this.at += 1;
      return { start, major, info, argument: BigInt(info) };
    }
    if (info > 27) {
      if (info < 31 || major < 2 || major === 6) this.stop("reserved-head", start);
      this.stop(major === 7 ? "break" : "indefinite", start);
    }
    const end = start + 1 + (1 << (info - 24));
    if (end > this.data.length) this.stop("truncated", start);
    let argument = 0n;
    for (let i = start + 1; i < end; i += 1) argument = (argument << 8n) | BigInt(this.data[i]);
    this.at = end;
    if (major !== 7 && argument < LEAST[info]) this.stop("shortest-head", start);
    return { start, major, info, argument };
  }

  item(depth) {
    const { start, major, info, argument } = this.head();
    if (major < 2) {
      if (this.int64 && argument >= LIMIT_64) this.stop("integer-range", start);
      return major === 0 ? argument : -1n - argument;
    }
    if (major === 2) return this.take(argument, start).slice();
    if (major === 3) {
      const text = textOf(this.take(argument, start));
      return text === null ? this.stop("utf-8", start) : text;
    }
    if (major === 4) return this.array(argument, start, depth);
    if (major === 5) return this.map(argument, start, depth);
    if (major === 6) return this.stop("tag", start);
    return this.simple(argument, start, info);
  }

  take(size, start) {
    if (size > BigInt(this.data.length - this.at)) this.stop("truncated", start);
    const begin = this.at;
    this.at += Number(size);
    return this.data.subarray(begin, this.at);
  }

  open(items, start, depth) {
    if (depth >= this.maxDepth) this.stop("depth", start, `deeper than ${this.maxDepth}`);
    if (items > BigInt(this.data.length - this.at)) this.stop("truncated", start);
  }

  array(size, start, depth) {
    this.open(size, start, depth);
    const items = [];
    for (let i = 0n; i < size; i += 1n) items.push(this.item(depth + 1));
    return items;
  }

  map(size, start, depth) {
    this.open(2n * size, start, depth);
    const result = new Map();
    let last = new Uint8Array(0);
    for (let i = 0n; i < size; i += 1n) {
      const at = this.at;
      const key = this.item(depth + 1);
      const plain = typeof key === "bigint";
      const other = typeof key === "string" || key instanceof Uint8Array;
      if (!plain && (this.intKeys || !other)) this.stop("map-key", at);
      const encoded = this.data.subarray(at, this.at);
      const order = compareBytes(encoded, last);
      if (order <= 0) this.stop(order === 0 ? "map-duplicate" : "map-order", at);
      last = encoded;
      result.set(key, this.item(depth + 1));
    }
    return result;
  }

  simple(argument, start, info) {
    if (info >= 25) this.stop("float", start);
    if (info === 24 && argument < 32n) this.stop("reserved-head", start);
    if (argument === 20n || argument === 21n) return argument === 21n;
    return this.stop(argument === 22n ? "null" : "simple", start);
  }
}

// Decode exactly one item; a Fault names the rule and the byte.
export function decode(data, options = {}) {
  const { maxDepth = 8, maxBytes = 65536, intKeys = false, int64 = false } = options;
  if (data.length > maxBytes) fail("size", `It has more than ${maxBytes} bytes.`);
  const decoder = new Decoder(data, { maxDepth, intKeys, int64 });
  const value = decoder.item(0);
  if (decoder.at !== data.length) decoder.stop("trailing", decoder.at);
  return value;
}

export function head(major, argument) {
  const size = BigInt(argument);
  if (size < 24n) return Uint8Array.of((major << 5) | Number(size));
  for (const [info, bytes] of [
    [24, 1],
    [25, 2],
    [26, 4],
    [27, 8],
  ]) {
    if (size < 1n << BigInt(8 * bytes)) {
      const out = new Uint8Array(1 + bytes);
      out[0] = (major << 5) | info;
      for (let i = 0; i < bytes; i += 1) {
        out[bytes - i] = Number((size >> BigInt(8 * i)) & 255n);
      }
      return out;
    }
  }
  throw new RangeError(`integer out of the range of CBOR: ${size}`);
}

export function byteString(bytes) {
  return join([head(2, bytes.length), bytes]);
}

// Encode integers (BigInt or whole Number), bytes, text, booleans, arrays, Map and plain objects.
export function encode(value) {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    const exact = BigInt(value);
    return exact >= 0n ? head(0, exact) : head(1, -1n - exact);
  }
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xf5 : 0xf4);
  if (value instanceof Uint8Array) return byteString(value);
  if (typeof value === "string") {
    const raw = utf8(value);
    return join([head(3, raw.length), raw]);
  }
  if (Array.isArray(value)) return join([head(4, value.length), ...value.map(encode)]);
  if (value === null || typeof value !== "object") throw new TypeError("no encoding for this");
  const pairs = (value instanceof Map ? [...value] : Object.entries(value)).map(([key, item]) => ({
    key: encode(key),
    item: encode(item),
  }));
  pairs.sort((a, b) => compareBytes(a.key, b.key));
  return join([head(5, pairs.length), ...pairs.flatMap(({ key, item }) => [key, item])]);
}
