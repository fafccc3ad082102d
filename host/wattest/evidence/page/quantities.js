// What a contract counts (docs/settlement.md section 1): registers in whole base counts, or
// records.

import { floorDiv } from "./rational.js";

const ENERGY = { Wh: 1000n, kWh: 1000000n, MWh: 1000000000n };
const TIME = { s: 1n, min: 60n, h: 3600n, d: 86400n };
const COUNT = { each: 1n };

export const QUANTITIES = {
  import_energy: { obis: "0100010800ff", units: ENERGY, limit: "power" },
  export_energy: { obis: "0100020800ff", units: ENERGY, limit: "power" },
  use_time: { obis: "0000600800ff", units: TIME, limit: "time" },
  record_count: { obis: "", units: COUNT, limit: "none" },
  transaction_count: { obis: "", units: COUNT, limit: "none" },
  register: { obis: null, units: null, limit: "none" },
};

// A register of a record in base counts: thousandths of its unit, or the unit for time and counts.
export function toBase({ mantissa, scale, unit }) {
  const shift = scale - (unit === 7 || unit === 255 ? 0 : -3);
  return shift >= 0 ? mantissa * 10n ** BigInt(shift) : floorDiv(mantissa, 10n ** BigInt(-shift));
}

const OBIS = /^([0-9]{1,3})-([0-9]{1,3}):([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\*([0-9]{1,3})$/;

// Read an OBIS code as terms write it, "1-0:1.8.0*255": hex digits, or null.
function parseObis(text) {
  const match = OBIS.exec(text);
  const groups = match ? match.slice(1) : [];
  if (!match || groups.some((group) => Number(group) > 255 || String(Number(group)) !== group)) {
    return null;
  }
  return groups.map((group) => Number(group).toString(16).padStart(2, "0")).join("");
}

export function readQuantity(fields) {
  const name = fields.choice("quantity", Object.keys(QUANTITIES));
  const kind = QUANTITIES[name];
  const modulus = fields.optional("modulus", (key) => fields.integer(key, 2n)) ?? 0n;
  if (modulus > 0n && kind.obis === "") fields.wrong("modulus", "a register as quantity");
  if (name !== "register") {
    const unit = fields.choice("unit", Object.keys(kind.units));
    return { name, unit, obis: kind.obis, base: kind.units[unit], modulus, limit: kind.limit };
  }
  const obis = parseObis(fields.text("obis"));
  if (obis === null) fields.wrong("obis", "a code like 1-0:1.8.0*255");
  return {
    name,
    unit: fields.text("unit", /^[!-~]{1,16}$/),
    obis,
    base: fields.integer("base_per_unit", 1n, 10n ** 15n),
    modulus,
    limit: kind.limit,
  };
}
