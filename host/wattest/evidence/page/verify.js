// A bundle's verification, step by step (docs/evidence.md section 5). The first rule that is
// broken ends it.

import { Fault } from "./bytes.js";
import { knowsEd25519 } from "./note.js";
import { checkContainer } from "./steps/container.js";
import { checkForms } from "./steps/forms.js";
import { checkConsistency, checkInclusion, checkSignatures, checkWitnesses } from "./steps/log.js";
import { checkActs, checkParties } from "./steps/parties.js";
import { checkComplete, checkRecords } from "./steps/records.js";
import { checkStatements } from "./steps/statement.js";

export const STEPS = [
  { title: "The file is whole", check: checkContainer },
  { title: "The log has signed it", check: checkSignatures },
  { title: "Witnesses have seen the log", check: checkWitnesses },
  { title: "The log was only added to", check: checkConsistency },
  { title: "Every record is in the log", check: checkInclusion },
  { title: "Every record has its form", check: checkForms },
  { title: "The terms are agreed", check: checkParties },
  { title: "The meters have signed their records", check: checkRecords },
  { title: "No record that counts is missing", check: checkComplete },
  { title: "The amounts are right", check: checkStatements },
  { title: "Disputes and payments are in order", check: checkActs },
];

// Whether this browser can check everything; what is missing, in words, or "".
export async function missingAbilities() {
  if (!globalThis.crypto?.subtle) {
    return "This browser offers no cryptography to this page. Open the page from a file or https.";
  }
  if (typeof DecompressionStream === "undefined") return "This browser cannot unpack the file.";
  if (!(await knowsEd25519())) {
    return (
      "This browser cannot check Ed25519 signatures. Chrome and Edge can from version 137 on, " +
      "Firefox from 129, Safari from 17."
    );
  }
  return "";
}

function asFault(error) {
  if (error instanceof Fault) return error;
  return new Fault("page", `This page has an error of its own: ${error.message ?? error}`);
}

// Verify the bytes of a bundle. `tell(number, outcome, detail)` hears of each step as it begins
// ("running") and ends ("passed" or "failed"); `breathe` is awaited between them.
export async function verifyBundle(data, options = {}) {
  const { toldKey = "", tell = () => {}, breathe = async () => {} } = options;
  const bundle = { data, toldKey, notes: [] };
  const steps = STEPS.map(({ title }, i) => ({
    step: i + 1,
    title,
    outcome: "not reached",
    detail: "",
  }));
  let fault = null;
  for (const step of steps) {
    tell(step.step, "running", "");
    await breathe();
    try {
      const progress = (done, total) => tell(step.step, "running", `${done} of ${total}`);
      step.detail = (await STEPS[step.step - 1].check(bundle, progress)) ?? "";
      step.outcome = "passed";
    } catch (error) {
      fault = asFault(error);
      step.outcome = "failed";
      step.detail = fault.message;
    }
    tell(step.step, step.outcome, step.detail);
    if (fault) break;
  }
  return { verdict: verdictOf(bundle, steps, fault), bundle };
}

function verdictOf(bundle, steps, fault) {
  const failed = steps.find(({ outcome }) => outcome === "failed");
  if (bundle.logKeys && !bundle.toldKey) {
    bundle.notes.push(
      "You did not say which log you expect: compare its key with the one you were given.",
    );
  }
  return {
    passed: fault === null,
    step: failed ? failed.step : null,
    rule: fault ? fault.rule : null,
    where: fault ? fault.where : "",
    message: fault ? fault.message : "",
    form: bundle.manifest?.form ?? null,
    digest: bundle.digest ?? null,
    log: bundle.manifest?.log ?? null,
    steps,
    notes: bundle.notes,
  };
}
