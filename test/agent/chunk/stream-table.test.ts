import { expect, test } from 'vitest';
import type { Slice } from '../../../agent/chunk/chunker.ts';
import { groupByStream } from '../../../agent/chunk/group.ts';
import { rawContent } from '../../../agent/chunk/leaf-contents.ts';
import { MAX_ID_STREAMS, StreamTable } from '../../../agent/chunk/stream-table.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';
import { decodeRawPayload } from '../../../core/raw-payload-decode.ts';
import { frameAtMs } from '../support/blocks.ts';
import { PRIMITIVES } from '../support/primitives.ts';

const { sha512, random } = PRIMITIVES;
const RECORDS_STREAMS = ['records/order', 'records/state', 'records/streams'];

function newTable(known: readonly { name: string; root: Uint8Array }[] = []): StreamTable {
  return new StreamTable(known, sha512, random);
}

test('a stream is a bus and an id; remote frames belong to the id, error frames to the bus', () => {
  const table = newTable();
  const ids = [
    0x123,
    0x123 | CAN_RTR_FLAG,
    (0x123 | CAN_EFF_FLAG) >>> 0,
    CAN_ERR_FLAG | 1,
    CAN_ERR_FLAG | 2,
  ];
  const names = (bus: number) =>
    ids.map((id) => table.all[table.ordinalOf(bus, `can${bus}`, id >>> 0)]?.name);
  for (const bus of [0, 1, 0]) {
    expect(names(bus)).toEqual([
      `raw/can${bus}/123`,
      `raw/can${bus}/123`,
      `raw/can${bus}/00000123`,
      `raw/can${bus}/error`,
      `raw/can${bus}/error`,
    ]);
  }
  expect(table.all.map(({ ordinal }) => ordinal)).toEqual([...table.all.keys()]);
});

test('streams are fresh once, with a root of their own', () => {
  const table = newTable();
  table.ordinalOf(0, 'can0', 1);
  table.ordinalOf(0, 'can0', 2);
  const fresh = table.takeFresh();
  expect(fresh.map(({ name }) => name)).toEqual([
    ...RECORDS_STREAMS,
    'raw/can0/001',
    'raw/can0/002',
  ]);
  expect(new Set(fresh.map(({ root }) => root.join())).size).toBe(fresh.length);
  table.ordinalOf(0, 'can0', 1);
  expect(table.takeFresh()).toEqual([]);
});

test('a table made from known streams gives them the ordinals that they had', () => {
  const table = newTable();
  for (const id of [5, 3, 4]) table.ordinalOf(0, 'can0', id);
  const again = newTable(table.takeFresh());
  // Another source may number its buses otherwise.
  expect([5, 3, 4, 9].map((id) => again.ordinalOf(7, 'can0', id))).toEqual([3, 4, 5, 6]);
  expect(again.takeFresh().map(({ name }) => name)).toEqual(['raw/can0/009']);
  expect(again.rawByName.map(({ name }) => name)).toEqual([
    'raw/can0/003',
    'raw/can0/004',
    'raw/can0/005',
    'raw/can0/009',
  ]);
});

test('a flood of made-up ids shares one stream for each bus, and keeps its ids', () => {
  const ids = Array.from(
    { length: MAX_ID_STREAMS + 100 },
    (_, i) => (CAN_EFF_FLAG | (i * 7)) >>> 0,
  );
  const frames = ids.map((id, i) => frameAtMs(i, i + 1, { id, bus: i & 1 }));
  const errors = [0, 1].map((bus) => frameAtMs(9000, 1, { id: CAN_ERR_FLAG | 1, bus }));
  const block = frameBlock([...frames, ...errors]);
  const table = newTable();
  const grouped = groupByStream(block, ['can0', 'can1'], table);
  expect(table.all.length).toBe(MAX_ID_STREAMS + RECORDS_STREAMS.length + 2 + 2);
  for (const [bus, name] of ['raw/can0/set/other', 'raw/can1/set/other'].entries()) {
    const stream = table.named(name);
    const { count, payload } = rawContent({ frames: block } as Slice, grouped, stream);
    const late = frames.slice(MAX_ID_STREAMS).filter((frame) => frame.bus === bus);
    const decoded = decodeRawPayload(payload, count, undefined);
    expect([...decoded.id]).toEqual(late.map(({ id }) => id));
  }
  expect(grouped.rowsOf(table.named('raw/can1/error').ordinal).length).toBe(1);
});
