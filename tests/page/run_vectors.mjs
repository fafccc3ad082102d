// Verify bundles with the page's modules; print their verdicts as JSON, in the order given.
//
//   node run_vectors.mjs FILE...        verdicts of files
//   node run_vectors.mjs --list LIST    of the files that a JSON list names

import { readFileSync } from "node:fs";

import { verifyBundle } from "../../host/wattest/evidence/page/verify.js";

const given = process.argv.slice(2);
const paths = given[0] === "--list" ? JSON.parse(readFileSync(given[1], "utf8")) : given;
const verdicts = [];
for (const path of paths) {
  const { verdict } = await verifyBundle(new Uint8Array(readFileSync(path)));
  verdicts.push(verdict);
}
process.stdout.write(JSON.stringify(verdicts));
