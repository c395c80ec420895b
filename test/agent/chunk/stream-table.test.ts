import { expect, test } from 'vitest';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { MAX_ID_STREAMS, StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { FrameRows, StoredStream } from '../../../agent/ports.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';
import { unpackLeaf } from '../../../core/inflate.ts';
import type { KeyNode } from '../../../core/key-tree.ts';
import { decodePackedLeaf } from '../../../core/leaf.ts';
import { decodeRawPayload } from '../../../core/raw-payload-decode.ts';
import { frameAtMs } from '../support/blocks.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { newSealer, open, rootsOf, sealFrames } from '../support/sealing.ts';

const RECORDS_STREAMS = ['records/order', 'records/state', 'records/streams'];
const BUSES = ['can0', 'can1'];

function newTable(known: readonly StoredStream[] = [], journal?: readonly KeyNode[]): StreamTable {
  return new StreamTable(known, new PortableSealing(PRIMITIVES), PRIMITIVES.random, journal);
}

function rowsOf(ids: readonly number[], buses: readonly string[] = BUSES, bus = 0): FrameRows {
  const frames = frameBlock(ids.map((id, i) => frameAtMs(i, i + 1, { id: id >>> 0, bus })));
  return { frames, buses, from: 0, to: ids.length, shiftNs: 0 };
}

function names(streams: readonly StoredStream[]): readonly string[] {
  return streams.map(({ name }) => name);
}

test('a stream is a bus and an id; remote frames belong to the id, error frames to the bus', () => {
  const table = newTable();
  const ids = [
    0x123,
    0x123 | CAN_RTR_FLAG,
    0x123 | CAN_EFF_FLAG,
    CAN_ERR_FLAG | 1,
    CAN_ERR_FLAG | 2,
  ];
  for (const bus of [0, 1]) {
    expect(names(table.addStrangers(rowsOf(ids, BUSES, bus)))).toEqual([
      `raw/can${bus}/123`,
      `raw/can${bus}/00000123`,
      `raw/can${bus}/error`,
    ]);
    expect(table.addStrangers(rowsOf(ids, BUSES, bus))).toEqual([]);
  }
});

test('streams are made once, with a root of their own, and the journal apart from them', () => {
  const table = newTable();
  const journal = table.journal();
  expect(table.journal()).toBe(journal);
  expect(names(table.addStrangers(rowsOf([1, 2, 1])))).toEqual(['raw/can0/001', 'raw/can0/002']);
  const all = table.from(0);
  expect(names(all)).toEqual([...RECORDS_STREAMS, 'raw/can0/001', 'raw/can0/002']);
  const roots = [...all, journal].map(({ nodes }) => nodes[0]?.node.join());
  expect(new Set(roots).size).toBe(all.length + 1);
  const again = newTable(all, journal.nodes);
  expect([...again.from(0), again.journal()].map(({ nodes }) => nodes.length)).toEqual([
    ...roots.map(() => 0),
  ]);
});

test('roots are kept until they are durable, and then overwritten', () => {
  const table = newTable();
  table.addStrangers(rowsOf([1]));
  const roots = [...table.from(0), table.journal()].flatMap(({ nodes }) => nodes);
  expect(roots).toHaveLength(RECORDS_STREAMS.length + 2);
  table.forgetRoots();
  expect(roots.every(({ node }) => node.every((byte) => byte === 0))).toBe(true);
  expect([...table.from(0), table.journal()].flatMap(({ nodes }) => nodes)).toEqual([]);
  expect(names(table.from(0))).toEqual([...RECORDS_STREAMS, 'raw/can0/001']);
  table.addStrangers(rowsOf([2]));
  expect(table.from(RECORDS_STREAMS.length + 1)[0]?.nodes).toHaveLength(1);
});

test('only the rows that are asked about make streams', () => {
  const table = newTable();
  const rows = rowsOf([1, 2, 3, 4]);
  expect(names(table.addStrangers({ ...rows, from: 1, to: 3 }))).toEqual([
    'raw/can0/002',
    'raw/can0/003',
  ]);
});

test('a table made from known streams gives them the ordinals that they had', () => {
  const table = newTable();
  table.addStrangers(rowsOf([5, 3, 4]));
  const again = newTable(table.from(0));
  // Another source may number its buses otherwise.
  const made = again.addStrangers(rowsOf([5, 3, 4, 9], ['can1', 'can0'], 1));
  expect(names(made)).toEqual(['raw/can0/009']);
  expect([5, 3, 4, 9].map((id) => again.ordinalOf(`raw/can0/00${id}`))).toEqual([3, 4, 5, 6]);
  expect(again.size).toBe(7);
});

test('a flood of made-up ids shares one stream for each bus, and keeps its ids', () => {
  const ids = Array.from(
    { length: MAX_ID_STREAMS + 100 },
    (_, i) => (CAN_EFF_FLAG | (i * 7)) >>> 0,
  );
  const frames = ids.map((id, i) => frameAtMs(i / 10, i + 1, { id, bus: i & 1 }));
  const errors = [0, 1].map((bus) => frameAtMs(500, 1, { id: CAN_ERR_FLAG | 1, bus }));
  const { sealer, streams } = newSealer();
  const [chunk, next] = sealFrames(
    [
      ...frames,
      ...errors,
      ...frames.slice(-10).map((frame, i) => ({
        ...frame,
        timeNs: frame.timeNs + 1_000_000_000n + BigInt(i),
      })),
    ],
    sealer,
  );
  if (chunk === undefined || next === undefined) throw new Error('expected two chunks');
  expect(streams.size).toBe(MAX_ID_STREAMS + RECORDS_STREAMS.length + 2 + 2);
  const roots = rootsOf([chunk, next]);
  const opened = [chunk, next].map(
    (one) => new Map(open(one, roots).leaves.map((leaf) => [leaf.stream, leaf.packed])),
  );
  const leaf = (at: number, name: string) =>
    decodePackedLeaf(opened[at]?.get(name) ?? new Uint8Array());
  for (const bus of [0, 1]) {
    const other = leaf(0, `raw/can${bus}/set/other`);
    const late = frames.slice(MAX_ID_STREAMS).filter((frame) => frame.bus === bus);
    const decoded = decodeRawPayload(unpackLeaf(other), other.count, undefined);
    expect([...decoded.id]).toEqual(late.map(({ id }) => id));
    expect(leaf(0, `raw/can${bus}/error`).count).toBe(1);
    expect(leaf(1, `raw/can${bus}/set/other`).count).toBe(5);
  }
});
