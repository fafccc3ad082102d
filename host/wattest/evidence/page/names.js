// What people call an entry of the log.

import { recordName } from "./record.js";

const KINDS = [
  "",
  "reading",
  "event",
  "enrolment of a meter",
  "terms",
  "statement",
  "finding",
  "agreement",
  "dispute",
  "resolution",
  "estimate",
  "anchor",
  "change of a key",
  "payment",
];

export function entryName({ index, kind, form }) {
  if (form?.seq !== undefined && kind <= 2) return `entry ${index} (${recordName(form)})`;
  return `entry ${index} (${KINDS[kind] || "of an unknown kind"})`;
}
