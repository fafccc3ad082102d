// Verify bundles with the page's modules; print their verdicts as JSON, in the order given.
//
//   node run_vectors.mjs FILE...             files
//   node run_vectors.mjs --list LIST         files that a JSON list names
//   node run_vectors.mjs --mutants FOLDER    every case of a folder with cases.json

import { readFileSync } from "node:fs";

import { verifyBundle } from "../../host/wattest/evidence/page/verify.js";
import { readMutants } from "./mutants.mjs";

const given = process.argv.slice(2);
const verdicts = [];
if (given[0] === "--mutants") {
  for await (const { name, data, toldKey } of readMutants(given[1])) {
    const { verdict } = await verifyBundle(data, { toldKey });
    const { passed, step, rule, where, message } = verdict;
    verdicts.push({ name, passed, step, rule, where, message });
  }
} else {
  const paths = given[0] === "--list" ? JSON.parse(readFileSync(given[1], "utf8")) : given;
  for (const path of paths) {
    const { verdict } = await verifyBundle(new Uint8Array(readFileSync(path)));
    verdicts.push(verdict);
  }
}
process.stdout.write(JSON.stringify(verdicts));
