// Read bytes with the page's modules; print what they are, or the rule they break.

import { readFileSync } from "node:fs";

import { fromHex, hex } from "../../host/wattest/evidence/page/bytes.js";
import { decode, encode } from "../../host/wattest/evidence/page/cbor.js";
import { kidOf, publicKeyOf, verifyEs256 } from "../../host/wattest/evidence/page/cose.js";
import * as entries from "../../host/wattest/evidence/page/entries.js";
import { parseCheckpoint, parseNote } from "../../host/wattest/evidence/page/note.js";
import { parseRecord } from "../../host/wattest/evidence/page/record.js";
import { toBase } from "../../host/wattest/evidence/page/quantities.js";
import { sha256 } from "../../host/wattest/evidence/page/sha256.js";
import { periodAt } from "../../host/wattest/evidence/page/zone.js";
import { tariffCuts } from "../../host/wattest/evidence/page/tariff.js";

function recordForm(record) {
  return {
    kid: record.kid,
    serial: record.serial,
    ctx: record.ctx,
    seq: String(record.seq),
    time: record.time === null ? null : String(record.time),
    mono: String(record.mono),
    input: record.input,
    status: record.status,
    err: record.err,
    event: record.event?.kind ?? null,
    prev: record.prev,
    digest: record.digest,
    content: hex(record.content),
    registers: record.registers.map((each) => [each.obis, String(toBase(each))]),
  };
}

const READERS = {
  cbor: (data, options) => hex(encode(decode(data, options))),
  sha256: (data) => hex(sha256(data)),
  record: (data) => recordForm(parseRecord(data)),
  enrolment: (data) => entries.parseEnrolment(data).kid,
  finding: (data) => entries.parseFinding(data).code,
  act: (data) => entries.parseAct(data).party,
  dispute: (data) => entries.parseMachineDispute(data).kid,
  estimate: (data) => entries.parseEstimate(data).asset,
  anchor: (data) => String(entries.parseAnchor(data).size),
  rotation: (data) => entries.parseLogRotation(data).old,
  note: (data) => parseCheckpoint(parseNote(data).text).size,
  signature: async (data, { spki }) => {
    const record = parseRecord(data);
    const key = publicKeyOf(fromHex(spki));
    return (
      hex(kidOf(fromHex(spki))) === record.kid && verifyEs256(key, record.signature, record.signed)
    );
  },
  period: (_, { zone, unit, time }) =>
    periodAt({ zone, period: { kind: "calendar", unit } }, BigInt(time)).map(Number),
  cuts: (_, { zone, windows, span }) =>
    tariffCuts(zone, windows, span.map(BigInt)).map(({ time, label }) => [Number(time), label]),
};

const found = [];
for (const { what, data = "", options = {} } of JSON.parse(
  readFileSync(process.argv[2], "utf8"),
)) {
  try {
    found.push({ value: await READERS[what](fromHex(data), options) });
  } catch (error) {
    if (error.rule === undefined) throw error;
    found.push({ rule: error.rule });
  }
}
process.stdout.write(JSON.stringify(found));
