// The Merkle tree of the log (RFC 6962): leaves, proofs that entries are in it, proofs that a
// longer log only appended to a shorter one.

import { fail, sameBytes } from "./bytes.js";
import { sha256 } from "./sha256.js";

const NODE = new Uint8Array(65);
NODE[0] = 1;

export function nodeHash(left, right) {
  NODE.set(left, 1);
  NODE.set(right, 33);
  return sha256(NODE);
}

export function leafHash(kind, body) {
  const bytes = new Uint8Array(2 + body.length);
  bytes[1] = kind;
  bytes.set(body, 2);
  return sha256(bytes);
}

// The largest power of two below `width`; whole numbers up to 2^53.
export function splitOf(width) {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}

// The root over `size` leaves of which some are known. `leaves` maps index to hash, `indexes` are
// its keys ascending; a subtree without any of them is taken from `hashes`, left to right.
export function multiRoot(size, indexes, leaves, hashes) {
  let used = 0;
  const walk = (start, stop, low, high) => {
    if (low === high) {
      if (used === hashes.length) fail("inclusion", "The proof of the log is too short.");
      used += 1;
      return hashes[used - 1];
    }
    if (stop - start === 1) return leaves.get(start);
    const middle = start + splitOf(stop - start);
    let cut = low;
    while (cut < high && indexes[cut] < middle) cut += 1;
    const left = walk(start, middle, low, cut);
    return nodeHash(left, walk(middle, stop, cut, high));
  };
  const root = walk(0, size, 0, indexes.length);
  if (used !== hashes.length) fail("inclusion", "The proof of the log is too long.");
  return root;
}

// Whether the log of `newSize` entries only appended to that of `oldSize` (RFC 9162 2.1.4.2).
export function isConsistent(oldSize, newSize, oldRoot, newRoot, path) {
  if (oldSize < 1 || oldSize > newSize) return false;
  if (oldSize === newSize) return path.length === 0 && sameBytes(oldRoot, newRoot);
  const hashes = isPowerOfTwo(oldSize) ? [oldRoot, ...path] : [...path];
  if (hashes.length === 0) return false;
  let place = oldSize - 1;
  let last = newSize - 1;
  while (place % 2 === 1) {
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  let oldValue = hashes[0];
  let newValue = hashes[0];
  for (const sibling of hashes.slice(1)) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      oldValue = nodeHash(sibling, oldValue);
      newValue = nodeHash(sibling, newValue);
      while (place > 0 && place % 2 === 0) {
        place = Math.floor(place / 2);
        last = Math.floor(last / 2);
      }
    } else {
      newValue = nodeHash(newValue, sibling);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameBytes(oldValue, oldRoot) && sameBytes(newValue, newRoot);
}

function isPowerOfTwo(n) {
  return splitOf(n + 1) === n;
}

// Cut a file of 32-byte hashes into them.
export function hashesOf(bytes, name) {
  if (bytes.length % 32 !== 0) fail("proof", "A proof is not made of whole hashes.", name);
  const hashes = [];
  for (let at = 0; at < bytes.length; at += 32) hashes.push(bytes.subarray(at, at + 32));
  return hashes;
}
