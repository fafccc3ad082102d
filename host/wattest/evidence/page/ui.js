// The page itself: takes a file, shows each step as it ends, then what the file proves.

import { make } from "./dom.js";
import { headline, identityOf, reportOf } from "./report.js";
import { ARCHIVE_BYTES_MAX } from "./zip.js";
import { STEPS, missingAbilities, verifyBundle } from "./verify.js";

const MARKS = { waiting: "\u00b7", running: "\u2026", passed: "\u2713", failed: "\u2717" };
const SPOKEN = { waiting: "not checked", running: "checking", passed: "holds", failed: "broken" };

const at = (id) => document.getElementById(id);

function showStep(number, state, detail) {
  const item = at(`step-${number}`);
  item.className = state;
  const [mark, title, text] = item.children;
  mark.textContent = MARKS[state];
  title.lastChild.textContent = `, ${SPOKEN[state]}`;
  text.textContent = detail;
}

function layOutSteps() {
  const items = STEPS.map(({ title }, i) =>
    make(
      "li",
      { id: `step-${i + 1}` },
      make("span", { class: "mark", "aria-hidden": "true" }),
      make("span", { class: "title" }, title, make("span", { class: "hidden" })),
      make("span", { class: "detail" }),
    ),
  );
  at("steps").replaceChildren(...items);
  STEPS.forEach((_, i) => showStep(i + 1, "waiting", ""));
}

function showVerdict(kind, title, ...lines) {
  const box = at("verdict");
  box.className = `verdict ${kind}`;
  box.replaceChildren(
    make("strong", {}, title),
    ...lines.filter(Boolean).map((line) => make("p", {}, line)),
  );
}

function showNotes(notes) {
  if (notes.length === 0) return at("notes").replaceChildren();
  const items = notes.slice(0, 20).map((note) => make("li", {}, note));
  const more = notes.length > 20 ? [make("li", {}, `and ${notes.length - 20} more`)] : [];
  return at("notes").replaceChildren(
    make("div", { class: "remark" }, "Worth knowing:", make("ul", {}, ...items, ...more)),
  );
}

// What a bundle that holds says. A mistake in drawing it must not hide that it holds.
function drawnOf({ verdict, bundle }) {
  try {
    const parts = [...reportOf(bundle), identityOf(verdict, bundle)];
    return { title: headline(bundle), parts };
  } catch (error) {
    const message = `This page has an error of its own and cannot show what is in it: ${error}`;
    return { title: "This file holds", parts: [make("p", { class: "remark" }, message)] };
  }
}

function showEnd(result) {
  const { verdict } = result;
  const { passed, step, rule, where, message } = verdict;
  if (passed) {
    const { title, parts } = drawnOf(result);
    showVerdict("good", title, "All eleven checks passed.");
    at("content").replaceChildren(...parts);
  } else {
    const place = where ? `Where: ${where}.` : "";
    const which = `Check ${step}, \u201c${STEPS[step - 1].title}\u201d, failed (rule ${rule}).`;
    const advice = "Do not pay on it. Ask whoever gave you the file for a whole one.";
    showVerdict("bad", "This file does not hold", message, place, which, advice);
    at("content").replaceChildren();
  }
  showNotes(verdict.notes);
  document.documentElement.dataset.verdict = JSON.stringify({
    passed,
    step,
    rule,
    where,
    message,
  });
}

// Let the browser draw before the next piece of work.
function breathe() {
  return new Promise((resolve) => {
    setTimeout(resolve);
  });
}

// The bytes of a file, or null where it cannot be read; no more than tell that it is too long.
async function bytesOf(file) {
  try {
    return new Uint8Array(await file.slice(0, ARCHIVE_BYTES_MAX + 1).arrayBuffer());
  } catch {
    return null;
  }
}

let running = 0;

async function check(file) {
  running += 1;
  const mine = running;
  delete document.documentElement.dataset.verdict;
  document.body.classList.add("done");
  at("result").hidden = false;
  at("content").replaceChildren();
  at("notes").replaceChildren();
  layOutSteps();
  showVerdict("", "Checking\u2026", file.name);
  const missing = await missingAbilities();
  const data = missing ? null : await bytesOf(file);
  if (data === null) {
    const title = missing ? "This browser cannot check the file" : "This file cannot be read";
    showVerdict("bad", title, missing);
    document.documentElement.dataset.verdict = JSON.stringify({
      passed: false,
      step: 0,
      rule: "browser",
    });
    return;
  }
  await breathe();
  const tell = (number, state, detail) => {
    if (mine === running) showStep(number, state, detail);
  };
  const result = await verifyBundle(data, { toldKey: at("key").value.trim(), tell, breathe });
  if (mine !== running) return;
  showEnd(result);
  at("verdict").focus();
}

function listen() {
  const drop = at("drop");
  at("file").addEventListener("change", ({ target }) => {
    if (target.files.length > 0) check(target.files[0]);
  });
  at("key").addEventListener("change", () => {
    if (at("file").files.length > 0) check(at("file").files[0]);
  });
  at("print").addEventListener("click", () => window.print());
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length > 0)
        check(event.dataTransfer.files[0]);
    });
  }
}

listen();
