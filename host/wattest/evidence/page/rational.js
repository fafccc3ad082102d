// Exact fractions of BigInt in lowest terms: what money is before it is rounded, once.

function gcd(a, b) {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export function abs(n) {
  return n < 0n ? -n : n;
}

export class Rational {
  constructor(num, den = 1n) {
    if (den === 0n) throw new RangeError("division by zero");
    const sign = den < 0n ? -1n : 1n;
    const shared = gcd(abs(num), abs(den)) || 1n;
    this.num = (sign * num) / shared;
    this.den = (sign * den) / shared;
  }

  static of(value) {
    return value instanceof Rational ? value : new Rational(BigInt(value));
  }

  plus(other) {
    const b = Rational.of(other);
    return new Rational(this.num * b.den + b.num * this.den, this.den * b.den);
  }

  minus(other) {
    const b = Rational.of(other);
    return new Rational(this.num * b.den - b.num * this.den, this.den * b.den);
  }

  times(other) {
    const b = Rational.of(other);
    return new Rational(this.num * b.num, this.den * b.den);
  }

  over(other) {
    const b = Rational.of(other);
    return new Rational(this.num * b.den, this.den * b.num);
  }

  compare(other) {
    const b = Rational.of(other);
    const difference = this.num * b.den - b.num * this.den;
    return difference < 0n ? -1 : Number(difference > 0n);
  }

  isZero() {
    return this.num === 0n;
  }

  floor() {
    return floorDiv(this.num, this.den);
  }

  // "3/8", "120": how a statement writes it.
  toString() {
    return this.den === 1n ? String(this.num) : `${this.num}/${this.den}`;
  }
}

export const ZERO = new Rational(0n);
export const ONE = new Rational(1n);

export function least(a, b) {
  return b.compare(a) < 0 ? b : a;
}

export function most(a, b) {
  return b.compare(a) > 0 ? b : a;
}

export function floorDiv(a, b) {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

export function modulo(a, b) {
  return a - b * floorDiv(a, b);
}

// Read a decimal in its shortest spelling, such as "0.085" or "120"; null for any other.
export function parseDecimal(text) {
  const match = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]*[1-9]))?$/.exec(text);
  if (!match || text === "-0") return null;
  const places = match[3] ?? "";
  const value = new Rational(BigInt(match[2] + places), 10n ** BigInt(places.length));
  return match[1] ? ZERO.minus(value) : value;
}

// Write a decimal of 30 places or less exactly and shortest; null where there is none.
export function decimalText(value) {
  for (let places = 0; places <= 30; places += 1) {
    const scaled = value.times(10n ** BigInt(places));
    if (scaled.den === 1n) return formatMinor(scaled.num, places);
  }
  return null;
}

// Round major units to whole minor units, symmetric about zero.
export function roundToMinor(amount, scale, rounding) {
  const scaled = amount.times(10n ** BigInt(scale));
  const size = abs(scaled.num);
  const whole = size / scaled.den;
  const twice = 2n * (size % scaled.den);
  let up = false;
  if (rounding === "half_up") up = twice >= scaled.den;
  if (rounding === "half_even") {
    up = twice > scaled.den || (twice === scaled.den && whole % 2n === 1n);
  }
  const minor = up ? whole + 1n : whole;
  return scaled.num < 0n ? -minor : minor;
}

// Minor units as people write them: -725 with two decimals is "-7.25".
export function formatMinor(minor, scale) {
  const digits = String(abs(minor)).padStart(scale + 1, "0");
  const cut = digits.length - scale;
  const text = scale ? `${digits.slice(0, cut)}.${digits.slice(cut)}` : digits;
  return minor < 0n ? `-${text}` : text;
}
