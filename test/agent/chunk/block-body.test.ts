import { expect, test } from 'vitest';
import { openBlock } from '../../../agent/chunk/block-body.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { FrameRows, RecordsLeaf, SealedBlock } from '../../../agent/ports.ts';
import { compareBytes, toHex } from '../../../core/bytes.ts';
import { encodeCbor } from '../../../core/cbor.ts';
import { decodeChunkBody } from '../../../core/chunk-body.ts';
import type { Frame } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';
import { sha256 } from '../../../core/hash.ts';
import { type KeyNode, leafSecrets } from '../../../core/key-tree.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { decodePackedLeaf } from '../../../core/leaf.ts';
import { MerkleTree } from '../../../core/merkle.ts';
import { decodeRawPayload } from '../../../core/raw-payload-decode.ts';
import { openSealedLeaf } from '../../../core/sealed-leaf.ts';
import { frameAtMs } from '../support/blocks.ts';
import { codeOf } from '../support/coded-error.ts';
import { PRIMITIVES } from '../support/primitives.ts';

const PLACE = { tag: new Uint8Array(16).fill(7), seq: 41, nonce: new Uint8Array(16).fill(8) };

function walk(nodes: readonly KeyNode[]): KeyNodesWalk {
  return new KeyNodesWalk(nodes, PRIMITIVES.sha512);
}

function newUnit() {
  const sealing = new PortableSealing(PRIMITIVES);
  const streams = new StreamTable([], sealing, PRIMITIVES.random);
  const journal = streams.journal();
  return {
    streams,
    journal,
    seal: (rows: FrameRows, records: readonly RecordsLeaf[] = []): SealedBlock => {
      streams.addStrangers(rows);
      return sealing.block(PLACE, rows, records);
    },
    open: (block: Pick<SealedBlock, 'body'>, place = PLACE) =>
      openBlock(
        block.body,
        place,
        walk(journal.nodes),
        streams.from(0).map(({ name, nodes }) => ({ name, keys: walk(nodes) })),
        PRIMITIVES,
      ),
  };
}

function rowsOf(frames: readonly Frame[], change: Partial<FrameRows> = {}): FrameRows {
  const rows = { buses: ['can0'], from: 0, to: frames.length, shiftNs: 0 };
  return { frames: frameBlock(frames), ...rows, ...change };
}

test('a block holds a leaf for each stream of its rows, and opens to what its root is over', () => {
  const unit = newUnit();
  const frames = [1, 2, 3, 4, 5].map((line) => frameAtMs(line * 10, line));
  const block = unit.seal(rowsOf(frames, { from: 1, to: 4 }));
  const opened = unit.open(block);
  expect(opened.leaves.map(({ ordinal }) => unit.streams.from(ordinal)[0]?.name)).toEqual([
    'raw/can0/102',
    'raw/can0/100',
    'raw/can0/101',
  ]);
  expect(opened.entries).toEqual([...opened.entries].sort(compareBytes));
  expect(block.entryCount).toBe(opened.entries.length);
  expect(toHex(block.root)).toBe(toHex(opened.root));
  expect(toHex(block.root)).toBe(toHex(new MerkleTree(opened.entries).root()));
  expect(toHex(block.bodyHash)).toBe(toHex(sha256(block.body)));
});

test('stamps of a block count from its own base', () => {
  const unit = newUnit();
  const frames = [100, 180].map((ms) => frameAtMs(ms, 3));
  const block = unit.seal(rowsOf(frames, { from: 1, shiftNs: -75_000_000 }));
  const [leaf] = unit.open(block).leaves;
  const { count, body, inflatedLength } = decodePackedLeaf(leaf?.packed ?? new Uint8Array());
  expect([count, inflatedLength]).toEqual([1, 0]);
  expect([...decodeRawPayload(body, count, 0x100).offsetNs]).toEqual([5_000_000]);
});

test('a block has a leaf of order only where something departed, and those of records that it is given', () => {
  const unit = newUnit();
  const order = unit.streams.ordinalOf('records/order');
  const events = unit.streams.ordinalOf('records/events');
  const ordinals = (frames: readonly Frame[], records: readonly RecordsLeaf[]) =>
    unit.open(unit.seal(rowsOf(frames), records)).leaves.map(({ ordinal }) => ordinal);
  const implied = [frameAtMs(5, 1, { id: 0x100 }), frameAtMs(5, 2, { id: 0x200 })];
  expect(ordinals(implied, [])).not.toContain(order);
  expect(ordinals(implied.toReversed(), [])).toContain(order);
  const payload = Uint8Array.of(0x81, 0x41, 0x00);
  expect(ordinals([], [{ ordinal: events, count: 1, payload }])).toEqual([events]);
  expect(ordinals([], [])).toEqual([]);
});

test('its leaves are stored with their chunk as ordinary leaves, sealed alike at every attempt', () => {
  const unit = newUnit();
  const block = unit.seal(rowsOf([frameAtMs(5, 1), frameAtMs(6, 2)]));
  const opened = unit.open(block);
  expect(toHex(unit.open(block).body)).toBe(toHex(opened.body));
  for (const [i, { ordinal, sealed }] of decodeChunkBody(opened.body).entries()) {
    const root = unit.streams.from(ordinal)[0]?.nodes ?? [];
    const node = walk(root).nodeOf(PLACE.seq);
    const secrets = leafSecrets(node, PLACE.nonce);
    const packed = openSealedLeaf(sealed, PLACE, secrets, PRIMITIVES.aead);
    expect(opened.leaves[i]?.ordinal).toBe(ordinal);
    expect(decodePackedLeaf(opened.leaves[i]?.packed ?? new Uint8Array())).toEqual(packed);
  }
});

test('a body opens at its own place and unchanged, or not at all', () => {
  const unit = newUnit();
  const { body } = unit.seal(rowsOf([frameAtMs(5, 1)]));
  const places = [
    { ...PLACE, seq: 42 },
    { ...PLACE, nonce: new Uint8Array(16) },
    { ...PLACE, tag: new Uint8Array(16) },
  ];
  for (const place of places) {
    expect(codeOf(() => unit.open({ body }, place))).toBe('LEAF_SEAL');
  }
  for (let at = 0; at < body.length; at++) {
    const changed = Uint8Array.from(body, (byte, i) => (i === at ? byte ^ 1 : byte));
    expect(codeOf(() => unit.open({ body: changed }))).toBe('LEAF_SEAL');
  }
});

test('what opens and is no body is refused by a code', () => {
  const unit = newUnit();
  const { key, handle } = leafSecrets(walk(unit.journal.nodes).nodeOf(PLACE.seq), PLACE.nonce);
  const open = (plain: Uint8Array) => {
    const aad = encodeCbor([8, PLACE.tag, PLACE.seq, handle]);
    return () => unit.open({ body: PRIMITIVES.aead.seal(key, plain, aad) });
  };
  const state = unit.streams.ordinalOf('records/state');
  const leaf = Uint8Array.of(1, 0, 9);
  expect(open(encodeCbor([[state, leaf]]))().entries.length).toBe(1);
  expect(codeOf(open(Uint8Array.of(0x9f)))).toBe('CBOR_TYPE_REFUSED');
  const notBodies = [0, [state, leaf], [[state]], [[state, 'x']], [[state, leaf, 0]], [[99, leaf]]];
  for (const value of [
    ...notBodies,
    [
      [state, leaf],
      [state, leaf],
    ],
    [[-1, leaf]],
  ]) {
    expect(codeOf(open(encodeCbor(value)))).toBe('JOURNAL_BODY');
  }
  expect(codeOf(open(encodeCbor([[state, Uint8Array.of(1, 5, 9)]])))).toBe('BLOCK_LEAF_PACKED');
});
