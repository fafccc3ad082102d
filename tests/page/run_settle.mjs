// Settle every case of a JSON file with the page's engine; print the statements in hexadecimal.

import { readFileSync } from "node:fs";

import { fromHex, hex } from "../../host/wattest/evidence/page/bytes.js";
import { encode } from "../../host/wattest/evidence/page/cbor.js";
import { sha256 } from "../../host/wattest/evidence/page/sha256.js";
import { settle } from "../../host/wattest/evidence/page/settle/engine.js";
import { parseTerms } from "../../host/wattest/evidence/page/terms.js";

function readingOf(form) {
  return {
    ...form,
    kidBytes: fromHex(form.kid),
    seq: BigInt(form.seq),
    bootcount: BigInt(form.bootcount),
    mono: BigInt(form.mono),
    time: form.time === null ? null : BigInt(form.time),
    registers: new Map(Object.entries(form.registers).map(([obis, v]) => [obis, BigInt(v)])),
    content: fromHex(form.content),
  };
}

function draw(form) {
  const body = fromHex(form.terms);
  try {
    const terms = parseTerms(body);
    return hex(
      encode(
        settle({
          terms,
          termsHash: sha256(body),
          readings: form.readings.map(readingOf),
          nodes: new Map(form.nodes.map((n) => [n.kid, { ...n, powerMax: BigInt(n.powerMax) }])),
          estimates: (form.estimates ?? []).map((each) => ({
            ...each,
            window: each.window.map(BigInt),
            count: BigInt(each.count),
          })),
          period: form.period.map(BigInt),
          cutoff: { size: form.size, root: fromHex(form.root) },
          generation: BigInt(form.generation),
          final: form.final,
          opening: form.opening === null ? undefined : BigInt(form.opening),
        }),
      ),
    );
  } catch (error) {
    if (error.rule === undefined) throw error;
    return "refused";
  }
}

const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(JSON.stringify(cases.map(draw)));
