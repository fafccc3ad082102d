// What a checked bundle says, for whoever pays: amounts line by line, readings, notes.

import { details, facts, make } from "./dom.js";
import { plotReadings } from "./plot.js";
import { QUANTITIES, toBase } from "./quantities.js";
import * as words from "./words.js";

const DAY_MS = 86400000n;
const ENERGY = [QUANTITIES.import_energy.obis, QUANTITIES.export_energy.obis];

function recordsOf(bundle) {
  return bundle.entries.filter(({ kind }) => kind === 1 || kind === 2).map(({ form }) => form);
}

function partRow(part, line, currency) {
  const known = words.isPartName(part.window);
  const name = [known ? "" : part.window, part.tier > 0n ? `step ${part.tier}` : ""];
  return make(
    "tr",
    { class: "part" },
    make("td", {}, name.filter(Boolean).join(", ")),
    make("td", { class: "number" }, words.partWords(part, line, currency)),
    make("td", { class: "number" }, words.times(part.price)),
    make("td", { class: "number" }, words.readable(part.amount)),
  );
}

// What more there is to say about a line: who else pays, what it was measured by.
function remarksOf(line, buyer) {
  const remarks = [words.templateWords(line.template)];
  if (line.payer !== buyer) {
    const shares = line.payees.map(([party]) => party).join(", ");
    remarks.push(`paid by ${line.payer} to ${shares}, not on top of the total`);
  }
  if (line.metric !== undefined) remarks.push(`measured: ${words.percent(line.metric)}`);
  if (line.once) remarks.push("falls due once");
  return remarks.map((text) => make("div", { class: "quiet" }, text));
}

// What was counted, of a line with several parts.
function countedText(line) {
  if (line.quantity === undefined) return "";
  const amount = words.readable(`${line.metered + line.estimated}/${line.base_per_unit}`);
  const unit = line.unit === "each" ? "" : line.unit;
  return `${amount} ${unit} ${words.quantityWords(line.quantity)}`;
}

function lineRows(line, terms) {
  const single = line.parts.length === 1;
  const [part] = line.parts;
  const quantity = single ? words.partWords(part, line, terms.currency) : countedText(line);
  const price = single && quantity !== "not due in this period" ? words.times(part.price) : "";
  return make(
    "tbody",
    { class: "line" },
    make(
      "tr",
      {},
      make("th", { scope: "row" }, line.code, ...remarksOf(line, terms.buyer)),
      make("td", { class: "number" }, quantity),
      make("td", { class: "number" }, price),
      make(
        "td",
        { class: "number" },
        words.money(line.amount, terms),
        make("div", { class: "quiet same" }, "\u2713 recomputed"),
      ),
    ),
    ...(single ? [] : line.parts.map((each) => partRow(each, line, terms.currency))),
  );
}

function head(...names) {
  const cells = names.map((name, i) =>
    make("th", { scope: "col", class: i > 0 ? "number" : null }, name),
  );
  return make("thead", {}, make("tr", {}, ...cells));
}

function lineTable({ document, terms }) {
  return make(
    "table",
    { class: "lines" },
    make("caption", {}, "Every amount was worked out again from the readings."),
    head("Line", "Quantity", `Price in ${terms.currency}`, "Amount"),
    ...document.lines.map((line) => lineRows(line, terms)),
    make(
      "tfoot",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "row", colspan: "3" }, `${terms.buyer} pays`),
        make("td", { class: "number" }, words.money(document.total, terms)),
      ),
    ),
  );
}

function endText(end, line, zone) {
  const { time, value, records } = end;
  const seqs = records.map(({ seq }) => seq).join(" and ");
  const amount = words.readable(`${value}/${line.base_per_unit}`);
  return `${amount} ${line.unit} on ${words.moment(time, zone)} (reading ${seqs})`;
}

function evidenceOf(line, bundle, zone) {
  const items = (line.usage ?? []).flatMap(({ asset, keys }) =>
    keys.map((key) => {
      const kid = Array.from(key.kid, (byte) => byte.toString(16).padStart(2, "0")).join("");
      const serial = bundle.enrolled.get(kid)?.serial ?? kid;
      const span = key.start
        ? `from ${endText(key.start, line, zone)} to ${endText(key.end, line, zone)}`
        : `${key.records} records`;
      const missing = key.missing > 0n ? `, ${key.missing} readings missing in between` : "";
      return make(
        "li",
        {},
        `${asset}, meter ${serial}: ${span}; ${key.records} records${missing}`,
      );
    }),
  );
  return items.length ? [make("h3", {}, line.code), make("ul", {}, ...items)] : [];
}

function flagList(document) {
  const flags = [...new Set(document.lines.flatMap(({ flags: each }) => each))].sort();
  if (flags.length === 0) return null;
  return make(
    "div",
    {},
    make("h3", {}, "What to know about these amounts"),
    make("ul", {}, ...flags.map((flag) => make("li", {}, words.flagWords(flag)))),
  );
}

function testRemark(document, bundle) {
  if (!document.test) return null;
  const serialOf = (kid) => bundle.enrolled.get(kid)?.serial ?? kid;
  const reasons = words.reasonWords(document.test_reasons, serialOf);
  return make(
    "div",
    { class: "remark" },
    make("strong", {}, "This is a test statement: no claim for money."),
    make("ul", {}, ...reasons.map((reason) => make("li", {}, reason))),
  );
}

function figureOf({ document, terms }, bundle) {
  const line = document.lines.find(({ quantity }) => quantity && QUANTITIES[quantity].obis !== "");
  const plan = terms.lines.find(({ code }) => code === line?.line);
  const [start, end] = document.period.map(Number);
  return plotReadings(recordsOf(bundle), {
    obis: plan?.needs.quantity.obis ?? ENERGY[0],
    base: line ? Number(line.base_per_unit) : 1000000,
    unit: line?.unit ?? "kWh",
    start,
    end,
    zone: terms.zone,
    maxGap: Number(terms.policy.maxGap),
  });
}

// Who gets how much of the total, where it is more than one.
function payoutList({ document, terms }) {
  if (document.payouts.length < 2) return null;
  return make(
    "div",
    {},
    make("h3", {}, "Who gets it"),
    facts(document.payouts.map(([party, minor]) => [party, words.money(minor, terms)])),
  );
}

function availabilityFacts({ document }) {
  const { availability } = document;
  if (!availability) return null;
  const hours = (ms) => `${words.readable(`${ms}/3600000`, 2)} h`;
  return make(
    "div",
    {},
    make("h3", {}, "Availability"),
    facts([
      ["Share of the time", words.percent(availability.value)],
      ["Working", hours(availability.up)],
      ["Down", hours(availability.down)],
      ["Nobody knows", hours(availability.unknown)],
    ]),
  );
}

function earlierVersions(statements) {
  if (statements.length < 2) return null;
  const items = statements.map(({ document, terms }) =>
    make("li", {}, `Version ${document.generation}: ${words.money(document.total, terms)}`),
  );
  return make(
    "div",
    {},
    make("h3", {}, "Versions of this statement"),
    make("p", { class: "quiet" }, "Late readings make a new one; all are in this file."),
    make("ul", {}, ...items),
  );
}

// One line for the head of the page: what the evidence is about and comes to.
export function headline(bundle) {
  const { form } = bundle.manifest;
  if (form !== "statement") return `This ${form} holds`;
  const { document, terms } = bundle.statements[bundle.statements.length - 1];
  const test = document.test ? " (test)" : "";
  return `This statement holds: ${words.money(document.total, terms)}${test}`;
}

const ACTS = { 2: "disputes", 3: "settles a dispute:", 4: "confirms a payment of" };

function actText(act, terms) {
  if (act.machine) {
    return "The log itself opened a dispute: a meter signed two contents for one number.";
  }
  const date = words.moment(act.time, terms.zone);
  const about = act.kind === 2 ? `${act.line}: ${act.reason}` : act.text;
  const paid = act.kind === 4 ? `${words.money(act.amount, terms)}, ${act.reference}` : about;
  return `${date}: ${act.party} ${ACTS[act.kind]} ${paid}`;
}

function actList(bundle) {
  const acts = bundle.entries.filter(({ kind }) => [8, 9, 13].includes(kind));
  if (acts.length === 0) return null;
  const items = acts.map(({ form }) => make("li", {}, actText(form, bundle.terms)));
  return make("div", {}, make("h2", {}, "Disputes and payments"), make("ul", {}, ...items));
}

function readingsReport(newest, bundle) {
  const { document, terms } = newest;
  const figure = figureOf(newest, bundle);
  const list = document.lines.flatMap((line) => evidenceOf(line, bundle, terms.zone));
  const behind = list.length ? details("Which readings each amount rests on", ...list) : null;
  return figure || behind ? [make("h2", {}, "The readings"), figure, behind] : [];
}

function statementReport(bundle) {
  const newest = bundle.statements[bundle.statements.length - 1];
  const { document, terms } = newest;
  return [
    testRemark(document, bundle),
    make("h2", {}, document.title || document.contract),
    facts([
      ["Contract", document.contract],
      ["Seller", document.seller],
      ["Buyer", document.buyer],
      ["Period", words.periodWords(document.period, terms.zone)],
      ["State", words.stateWords(document.state)],
      ["Total", make("strong", {}, words.money(document.total, terms))],
    ]),
    lineTable(newest),
    payoutList(newest),
    availabilityFacts(newest),
    flagList(document),
    earlierVersions(bundle.statements),
    ...readingsReport(newest, bundle),
    actList(bundle),
  ];
}

function energyText(record) {
  return record.registers
    .filter(({ obis }) => ENERGY.includes(obis))
    .map((each) => {
      const name = each.obis === QUANTITIES.import_energy.obis ? "taken" : "delivered";
      return `${words.readable(`${toBase(each)}/1000000`)} kWh ${name}`;
    })
    .join(", ");
}

function recordFacts(record) {
  const time = record.time === null ? "not known" : words.moment(record.time, "UTC");
  return [
    ["Meter", record.serial],
    ["Number", String(record.seq)],
    ["Time (UTC)", time],
    ["Counters", energyText(record)],
  ];
}

function sessionReport(bundle) {
  const [first, last] = [bundle.session[0], bundle.session[bundle.session.length - 1]];
  const used = ENERGY.map((each) => {
    const value = (record) => toBase(record.registers.find((register) => register.obis === each));
    return words.readable(`${value(last) - value(first)}/1000000`);
  });
  return [
    make("h2", {}, "The session"),
    facts([
      ["Meter", first.serial],
      ["Begin", first.time === null ? "not known" : words.moment(first.time, "UTC")],
      ["End", last.time === null ? "not known" : words.moment(last.time, "UTC")],
      ["Taken", make("strong", {}, `${used[0]} kWh`)],
      ["Delivered", `${used[1]} kWh`],
      ["Counters at the begin", energyText(first)],
      ["Counters at the end", energyText(last)],
    ]),
    first.time !== null && last.time !== null && last.time - first.time < 3650n * DAY_MS
      ? plotReadings(recordsOf(bundle), {
          obis: ENERGY[0],
          base: 1000000,
          unit: "kWh",
          start: Number(first.time),
          end: Number(last.time) + 1,
          zone: "UTC",
          maxGap: Infinity,
        })
      : null,
  ];
}

// The parts of the page that tell what a bundle proves; empty for one that failed.
export function reportOf(bundle) {
  const { form } = bundle.manifest;
  if (form === "statement") return statementReport(bundle).filter(Boolean);
  if (form === "session") return sessionReport(bundle).filter(Boolean);
  return [make("h2", {}, "The reading"), facts(recordFacts(bundle.reading))];
}

// What identifies the evidence: compared by eye with what one was given.
export function identityOf(verdict, bundle) {
  const code = (text) => make("span", { class: "code" }, text);
  const pairs = [
    ["Log", code(verdict.log)],
    ["Size of the log", `${bundle.checkpoint.size} entries`],
    ["This file", code(verdict.digest)],
  ];
  if (bundle.manifest.terms) pairs.splice(1, 0, ["Terms", code(bundle.manifest.terms)]);
  return make(
    "div",
    {},
    make("h2", {}, "Compare these with what you were given"),
    make(
      "p",
      { class: "quiet" },
      "The key of the log and the number of the terms were fixed when the contract was signed. " +
        "If they differ from yours, this file is about something else.",
    ),
    facts(pairs),
  );
}
