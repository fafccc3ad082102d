// The readings as a picture: what the meters counted in each stretch of the period, and where no
// reading is. Numbers here are only drawn, never billed.

import { details, draw, make } from "./dom.js";
import { toBase } from "./quantities.js";
import { moment } from "./words.js";

const WIDTH = 720;
const HEIGHT = 220;
const LEFT = 56;
const RIGHT = 8;
const TOP = 12;
const BOTTOM = 28;
const DAY_MS = 86400000;
const BARS_MAX = 62;

// Stretches of equal length: hours, days or more, at most 62 of them.
function stretches(start, end) {
  const span = end - start;
  const sizes = [900000, 3600000, 4 * 3600000, DAY_MS, 7 * DAY_MS, 30 * DAY_MS];
  const size = sizes.find((each) => span / each <= BARS_MAX) ?? span / 12;
  const bars = [];
  for (let at = start; at < end; at += size) {
    bars.push({ start: at, end: Math.min(at + size, end), count: 0, covered: 0 });
  }
  return bars;
}

// Readings of one counter by meter, in the order of their times.
function seriesOf(records, obis) {
  const series = new Map();
  for (const record of records) {
    const register = record.registers.find((each) => each.obis === obis);
    if (!register || record.time === null) continue;
    if (!series.has(record.kid)) series.set(record.kid, []);
    series.get(record.kid).push({ time: Number(record.time), value: Number(toBase(register)) });
  }
  for (const points of series.values()) points.sort((a, b) => a.time - b.time);
  return [...series.values()];
}

// Share what was counted between two readings out to the stretches it covers.
function fillBars(bars, points, maxGap) {
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    const span = b.time - a.time;
    if (span <= 0 || span > maxGap || b.value < a.value) continue;
    for (const bar of bars) {
      const inside = Math.min(bar.end, b.time) - Math.max(bar.start, a.time);
      if (inside <= 0) continue;
      bar.count += ((b.value - a.value) * inside) / span;
      bar.covered += inside;
    }
  }
}

function niceTop(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function label(x, y, text, anchor) {
  return draw("text", { x, y, "text-anchor": anchor }, text);
}

function picture(bars, top, unit, zone, meters) {
  const width = (WIDTH - LEFT - RIGHT) / bars.length;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const shapes = [];
  for (const share of [0, 0.5, 1]) {
    const at = y(top * share);
    shapes.push(draw("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }));
    shapes.push(label(LEFT - 6, at + 4, String(Number((top * share).toPrecision(3))), "end"));
  }
  bars.forEach((bar, i) => {
    const x = LEFT + i * width;
    const wide = Math.max(1, width - Math.min(3, width / 4));
    if (bar.covered < 0.98 * meters * (bar.end - bar.start)) {
      shapes.push(draw("rect", { class: "gap", x, y: TOP, width: wide, height: y(0) - TOP }));
    }
    const height = y(0) - y(bar.value);
    shapes.push(draw("rect", { class: "bar", x, y: y(bar.value), width: wide, height }));
  });
  const [first, last] = [bars[0].start, bars[bars.length - 1].end];
  const short = last - first < 3 * DAY_MS;
  shapes.push(label(LEFT, HEIGHT - 8, moment(first, zone, short), "start"));
  shapes.push(label(WIDTH - RIGHT, HEIGHT - 8, moment(last, zone, short), "end"));
  shapes.push(label(LEFT - 6, HEIGHT - 8, unit, "end"));
  return shapes;
}

function tableOf(bars, unit, zone) {
  const rows = bars.map((bar) =>
    make(
      "tr",
      {},
      make("td", {}, moment(bar.start, zone)),
      make("td", { class: "number" }, `${Number(bar.value.toPrecision(6))} ${unit}`),
    ),
  );
  return details("The same as a table", make("table", {}, make("tbody", {}, ...rows)));
}

// A figure, or null where there is nothing to draw.
export function plotReadings(records, { obis, base, unit, start, end, zone, maxGap }) {
  const series = seriesOf(records, obis);
  if (series.length === 0) return null;
  const bars = stretches(start, end);
  for (const points of series) fillBars(bars, points, maxGap);
  for (const bar of bars) bar.value = bar.count / base;
  const top = niceTop(Math.max(...bars.map(({ value }) => value)));
  const gaps = bars.some((bar) => bar.covered < 0.98 * series.length * (bar.end - bar.start));
  const caption = `What ${series.length === 1 ? "the meter" : "the meters"} counted, in ${unit}.`;
  const shaded = gaps ? " Shaded: some of this time is covered by no reading." : "";
  const view = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": caption + shaded };
  return make(
    "figure",
    {},
    draw("svg", view, ...picture(bars, top, unit, zone, series.length)),
    make("figcaption", {}, caption + shaded),
    tableOf(bars, unit, zone),
  );
}
