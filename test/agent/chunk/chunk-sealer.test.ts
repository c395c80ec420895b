import { describe, expect, test } from 'vitest';
import { toHex } from '../../../core/bytes.ts';
import { decodeChunkBody } from '../../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../../core/chunk-header.ts';
import { recordId, sigStructure } from '../../../core/cose.ts';
import { OperationalError } from '../../../core/errors.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, type Frame } from '../../../core/frame.ts';
import { sha256 } from '../../../core/hash.ts';
import { leafSecrets } from '../../../core/key-tree.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { MerkleTree } from '../../../core/merkle.ts';
import { verifyDigest } from '../../../core/signature.ts';
import { decodeStateRecord } from '../../../core/state-record.ts';
import { decodeStreamsRecord } from '../../../core/streams-record.ts';
import { MAX_SEQ } from '../../../core/vehicle-log.ts';
import { blocksOf, frameAtMs } from '../support/blocks.ts';
import {
  leafOf,
  newSealer,
  open,
  recordsOf,
  rootsOf,
  SESSION_KEY,
  sealBlocks,
  sealFrames,
} from '../support/sealing.ts';

/** Two buses; the second speaks from the second chunk on; the third chunk holds one frame. */
const FRAMES: readonly Frame[] = [
  frameAtMs(0, 1, { id: 0x100 }),
  frameAtMs(10, 2, { id: 0x101 }),
  frameAtMs(1000, 3, { id: 0x100 }),
  frameAtMs(1001, 4, { id: (0x18fee900 | CAN_EFF_FLAG) >>> 0, bus: 1 }),
  frameAtMs(1002, 5, { id: (CAN_ERR_FLAG | 4) >>> 0, bus: 1 }),
  frameAtMs(2000, 6, { id: 0x100 }),
];
const RECORDS_STREAMS = ['records/order', 'records/state', 'records/streams'];

test('every stream has a leaf in every chunk from its first on, and only sounding ones are stored', () => {
  const chunks = sealFrames(FRAMES);
  const roots = rootsOf(chunks);
  expect(
    chunks.map((chunk) =>
      open(chunk, roots)
        .leaves.map((leaf) => leaf.stream)
        .sort(),
    ),
  ).toEqual([
    ['raw/can0/100', 'raw/can0/101', ...RECORDS_STREAMS],
    ['raw/can0/100', 'raw/can0/101', 'raw/can1/18FEE900', 'raw/can1/error', ...RECORDS_STREAMS],
    ['raw/can0/100', 'raw/can0/101', 'raw/can1/18FEE900', 'raw/can1/error', ...RECORDS_STREAMS],
  ]);
  const stored = chunks.map(({ body }) =>
    decodeChunkBody(body).map(({ ordinal }) => roots[ordinal]?.name),
  );
  expect(stored).toEqual([
    ['records/state', 'records/streams', 'raw/can0/100', 'raw/can0/101'],
    ['records/state', 'records/streams', 'raw/can0/100', 'raw/can1/18FEE900', 'raw/can1/error'],
    ['records/state', 'raw/can0/100'],
  ]);
  expect(chunks.map(({ header }) => decodeChunkHeader(header).entryCount)).toEqual([5, 7, 7]);
});

test('the header holds the root over the entries in ascending order, and names the header before', () => {
  const chunks = sealFrames(FRAMES);
  const roots = rootsOf(chunks);
  chunks.forEach((chunk, i) => {
    const header = decodeChunkHeader(chunk.header);
    const entries = open(chunk, roots).leaves.map((leaf) => toHex(leaf.entry));
    expect(entries).toEqual([...entries].sort());
    const bytes = open(chunk, roots).leaves.map((leaf) => leaf.entry);
    expect(toHex(header.root)).toBe(toHex(new MerkleTree(bytes, sha256).root()));
    expect(header.seq).toBe(i);
    expect(header.previousId).toEqual(chunks[i - 1]?.id);
    expect(toHex(chunk.id)).toBe(toHex(recordId('chunk-header', SESSION_KEY, chunk.header)));
    const digest = sha256(sigStructure('chunk-header', SESSION_KEY, chunk.header));
    expect(verifyDigest(SESSION_KEY, digest, chunk.signature)).toBe(true);
  });
});

test('sealed again, the same frames in the same place get keys, salts and handles of their own', () => {
  const before = sealFrames(FRAMES);
  const roots = rootsOf(before);
  const last = { seq: 4, id: new Uint8Array(32) };
  const secretsOf = (attempt: number): readonly string[] => {
    const [chunk] = sealFrames(FRAMES, newSealer(roots, last).sealer);
    if (chunk === undefined) throw new Error(`attempt ${attempt} sealed nothing`);
    const { seq, nonce } = decodeChunkHeader(chunk.header);
    expect(seq).toBe(5);
    return roots.flatMap(({ nodes }) => {
      const node = new KeyNodesWalk(nodes).nodeOf(seq);
      const { key, salt, handle } = leafSecrets(node, nonce);
      return [toHex(key), toHex(salt), toHex(handle)];
    });
  };
  const all = [...secretsOf(1), ...secretsOf(2), ...secretsOf(3)];
  expect(new Set(all).size).toBe(all.length);
  expect(all.length).toBe(3 * 3 * roots.length);
});

test('after a restart known streams keep their ordinals and roots, and new ones come behind them', () => {
  const first = sealFrames(FRAMES);
  const known = rootsOf(first);
  const last = first.at(-1);
  const { sealer, streams } = newSealer(known, last && { seq: last.seq, id: last.id });
  const again = sealFrames(
    [frameAtMs(5000, 7, { id: 0x101 }), frameAtMs(5001, 8, { id: 0x7ff })],
    sealer,
  );
  expect(
    streams
      .from(0)
      .slice(0, known.length)
      .map(({ name }) => name),
  ).toEqual(known.map(({ name }) => name));
  expect(again.flatMap((chunk) => chunk.freshStreams.map(({ name }) => name))).toEqual([
    'raw/can0/7FF',
  ]);
  const roots = [...known, ...rootsOf(again)];
  const [chunk] = again;
  if (chunk === undefined) throw new Error('nothing was sealed');
  expect(open(chunk, roots).leaves.length).toBe(known.length + 1);
  expect(toHex(decodeChunkHeader(chunk.header).previousId ?? new Uint8Array())).toBe(
    toHex(last?.id ?? new Uint8Array()),
  );
});

describe('records', () => {
  test('of state count frames, error frames and skipped lines for every bus of the session', () => {
    const skipped = new Map([[3, { count: 2, firstLine: 4, firstReason: 'CANDUMP_TIME' }]]);
    const chunks = sealBlocks(blocksOf(FRAMES, 2, skipped), newSealer().sealer);
    const roots = rootsOf(chunks);
    const states = chunks.map((chunk) =>
      recordsOf(chunk, roots, 'records/state').map(decodeStateRecord),
    );
    expect(states).toEqual([
      [
        {
          buses: [
            { bus: 'can0', frames: 2, errorFrames: 0 },
            { bus: 'can1', frames: 0, errorFrames: 0 },
          ],
          skipped: undefined,
          clockSteps: [],
        },
      ],
      [
        {
          buses: [
            { bus: 'can0', frames: 1, errorFrames: 0 },
            { bus: 'can1', frames: 1, errorFrames: 1 },
          ],
          skipped: { count: 2, firstLine: 4 },
          clockSteps: [],
        },
      ],
      [
        {
          buses: [
            { bus: 'can0', frames: 1, errorFrames: 0 },
            { bus: 'can1', frames: 0, errorFrames: 0 },
          ],
          skipped: undefined,
          clockSteps: [],
        },
      ],
    ]);
  });

  test('of streams list, ascending, those that begin in the chunk, and are silent when none does', () => {
    const chunks = sealFrames(FRAMES);
    const roots = rootsOf(chunks);
    const names = chunks.map((chunk) =>
      recordsOf(chunk, roots, 'records/streams').map(decodeStreamsRecord),
    );
    expect(names).toEqual([
      [['raw/can0/100', 'raw/can0/101', ...RECORDS_STREAMS]],
      [['raw/can1/18FEE900', 'raw/can1/error']],
      [],
    ]);
  });

  test('of order hold departures from time and name alone', () => {
    const inOrder = sealFrames(FRAMES);
    expect(inOrder.map((chunk) => leafOf(chunk, rootsOf(inOrder), 'records/order')?.count)).toEqual(
      [0, 0, 0],
    );
    const tie = sealFrames([frameAtMs(5, 1, { id: 0x200 }), frameAtMs(5, 2, { id: 0x100 })]);
    expect(leafOf(tie[0] ?? raise(), rootsOf(tie), 'records/order')?.count).toBe(1);
  });

  test('of a clock step stand in header and state alike', () => {
    const chunks = sealFrames([frameAtMs(10_000, 1), frameAtMs(5000, 2)]);
    const last = chunks.at(-1) ?? raise();
    expect(decodeChunkHeader(last.header).clock.steps).toBe(1);
    const [state] = recordsOf(last, rootsOf(chunks), 'records/state').map(decodeStateRecord);
    expect(state?.clockSteps).toEqual([{ monoNs: 10_000_000_000n, stepNs: -5_000_000_000n }]);
  });
});

test('a log that has used all of its sequence numbers seals nothing more', () => {
  const { sealer } = newSealer([], { seq: MAX_SEQ, id: new Uint8Array(32) });
  expect(() => sealFrames(FRAMES, sealer)).toThrow(
    expect.objectContaining({ code: 'LOG_FULL', constructor: OperationalError }),
  );
});

function raise(): never {
  throw new Error('nothing was sealed');
}
