/** What the vectors say a leaf is, and what both sealings make of it. */
import { describe, expect, test } from 'vitest';
import { openBlock } from '../../../agent/chunk/block-body.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { LeafSealing } from '../../../agent/ports.ts';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { rootNode } from '../../../core/key-tree.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { decodePackedLeaf, hashOfLeaf, treeEntry } from '../../../core/leaf.ts';
import { MerkleTree } from '../../../core/merkle.ts';
import { silentLeaf } from '../../../core/sealed-leaf.ts';
import { nativeSealing } from '../../../hw/crypto/native-sealing.ts';
import { PRIMITIVES } from '../../agent/support/primitives.ts';
import { readVectors } from '../../vectors/read-vectors.ts';
import {
  hex,
  list,
  number,
  numbers,
  object,
  text,
  type VectorInput,
} from '../../vectors/vector-input.ts';
import { rowsOf } from './arbitrary-rows.ts';

const PLACE = { tag: new Uint8Array(16).fill(7), seq: 5, nonce: new Uint8Array(16).fill(8) };

function valid(
  format: string,
): readonly { readonly input: VectorInput; readonly output: VectorInput }[] {
  return readVectors([format])
    .filter(({ vector }) => vector.expect === 'valid')
    .map(({ vector }) => ({ input: vector.input, output: vector.output as VectorInput }));
}

/** The leaf of a stream in a block of these rows: count and payload, uncompressed. */
function leafOf(sealing: LeafSealing, rows: ReturnType<typeof rowsOf>, stream: string) {
  const streams = new StreamTable([], sealing, PRIMITIVES.random);
  streams.journal();
  streams.addStrangers(rows);
  const { body } = sealing.block(PLACE, rows, []);
  const keyed = streams.from(0).map(({ name, nodes }) => ({ name, keys: new KeyNodesWalk(nodes) }));
  const journal = new KeyNodesWalk(streams.journal().nodes);
  const { leaves } = openBlock(body, PLACE, journal, keyed, PRIMITIVES);
  const found = leaves.find(({ ordinal }) => keyed[ordinal]?.name === stream);
  if (found === undefined) return { count: 0, payload: '' };
  const packed = decodePackedLeaf(found.packed);
  return { count: packed.count, payload: toHex(packed.body) };
}

const SEALINGS: readonly (readonly [string, () => LeafSealing | undefined])[] = [
  ['the portable sealing', () => new PortableSealing(PRIMITIVES)],
  ['the native sealing', nativeSealing],
];

describe.each(SEALINGS)('%s', (_, make) => {
  const newSealing = (): LeafSealing => {
    const sealing = make();
    if (sealing === undefined) throw new Error('the add-on is not built: make -C hw/native');
    return sealing;
  };

  test('lays out frames as the vectors of raw-payload have them', () => {
    let checked = 0;
    for (const { input, output } of valid('raw-payload')) {
      const stream = text(input, 'stream');
      // Frames find configured sets by a configuration, and never by themselves.
      if (stream.includes('/set/')) continue;
      let before = 0;
      const rows = rowsOf(
        (list(output, 'frames') as VectorInput[]).map((frame) => {
          const offset = number(frame, 'offsetNs');
          const step = offset - before;
          before = offset;
          return {
            ...{ step, bus: 0, fill: 0, data: hex(frame, 'data') },
            ...{ id: number(frame, 'id'), flags: number(frame, 'flags') },
            ...{ length: number(frame, 'length'), rawDlc: number(frame, 'rawDlc') },
          };
        }),
        { buses: [stream.split('/')[1] ?? ''] },
      );
      const leaf = leafOf(newSealing(), rows, stream);
      expect(leaf).toEqual({ count: number(input, 'count'), payload: text(input, 'payload') });
      checked += 1;
    }
    expect(checked).toBeGreaterThan(10);
  });

  test('writes departures as the vectors of arrival-order have them', () => {
    for (const { input, output } of valid('arrival-order')) {
      const times = list(input, 'times').map((stamps) => numbers({ stamps }, 'stamps'));
      const next = times.map(() => 0);
      let before = 0;
      const rows = rowsOf(
        numbers(output, 'arrived').map((stream) => {
          const at = next[stream] ?? 0;
          next[stream] = at + 1;
          const time = times[stream]?.[at] ?? 0;
          const step = time - before;
          before = time;
          const frame = { step, bus: 0, flags: 0, length: 0, rawDlc: 0, fill: 0 };
          return { ...frame, id: stream, data: new Uint8Array(0) };
        }),
      );
      const leaf = leafOf(newSealing(), rows, 'records/order');
      expect(leaf).toEqual({ count: number(input, 'count'), payload: text(input, 'payload') });
    }
  });

  test('derives salt and handle as the vectors of key-tree have them', () => {
    let checked = 0;
    for (const { input, output } of valid('key-tree')) {
      const top = object(input, 'top');
      if (number(top, 'depth') !== 0) continue;
      const seq = number(input, 'seq');
      const sealing = newSealing();
      sealing.addStream({ name: 'raw/can0/0B4', nodes: [rootNode(hex(top, 'node'))] });
      const place = { ...PLACE, seq, nonce: hex(input, 'nonce') };
      const hash = hashOfLeaf(silentLeaf('raw/can0/0B4', seq), hex(output, 'salt'));
      const entry = treeEntry(fromHex(text(output, 'handle')), hash);
      const { root } = sealing.chunk(place, rowsOf([]), []);
      expect(toHex(root)).toBe(toHex(new MerkleTree([entry]).root()));
      checked += 1;
    }
    expect(checked).toBeGreaterThan(2);
  });
});
