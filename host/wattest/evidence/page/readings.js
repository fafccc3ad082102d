// From verified records to what a settlement needs of them, with the times later events give.

import { EVENT_INPUT, EVENT_RELAY, EVENT_TIME_SET } from "./record.js";
import { toBase } from "./quantities.js";

// The earliest time-set event of each boot: only it speaks about the time before.
function clocksOf(records) {
  const clocks = new Map();
  for (const { record } of records) {
    if (record.event?.kind !== EVENT_TIME_SET) continue;
    const boot = `${record.kid}/${record.bootseed}`;
    const known = clocks.get(boot);
    if (known === undefined || record.mono < known.mono) {
      clocks.set(boot, { mono: record.mono, time: record.event.fields.get(3n) });
    }
  }
  return clocks;
}

function inputsOf(record) {
  if (record.event?.kind !== EVENT_INPUT) return [record.input, record.input];
  const before = Number(record.event.fields.get(2n));
  const after = Number(record.event.fields.get(3n));
  return [Math.max(record.input, before, after), after];
}

// What a relay event says: 0 open, 1 closed; null in any other record.
function relayOf({ event }) {
  return event?.kind === EVENT_RELAY ? Number(event.fields.get(2n)) : null;
}

// Readings of `{ index, record }`, in that order.
export function readingsOf(records) {
  const clocks = clocksOf(records);
  return records.map(({ index, record }) => {
    const clock =
      record.time === null ? clocks.get(`${record.kid}/${record.bootseed}`) : undefined;
    const [input, inputAfter] = inputsOf(record);
    return {
      kid: record.kid,
      kidBytes: record.kidBytes,
      ctx: record.ctx,
      seq: record.seq,
      bootcount: record.bootcount,
      mono: record.mono,
      time: clock ? clock.time - (clock.mono - record.mono) : record.time,
      derived: clock !== undefined,
      registers: new Map(record.registers.map((each) => [each.obis, toBase(each)])),
      statusOk: record.status === "G" && record.err === "",
      input,
      inputAfter,
      tx: record.tx,
      relay: relayOf(record),
      index,
      content: record.content,
    };
  });
}
