import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StoredStream } from '../../agent/ports.ts';
import { findSurvivors } from '../../agent/record/survivors.ts';
import { recoverChunk } from '../../agent/recovery.ts';
import { equalBytes } from '../../core/bytes.ts';
import { decodeRecoveredBody } from '../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { rootNode } from '../../core/key-tree.ts';
import { verifyBlocks } from '../../core/recovered.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { ephemeralSigner } from '../../hw/keys/file-signer.ts';
import { at } from './support/capture-blocks.ts';
import { TAG, WritingSession } from './support/dead-session.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let dead: WritingSession;

beforeEach(() => {
  folder = temporaryFolder();
  dead = new WritingSession(folder.path);
});
afterEach(() => {
  dead.file.close();
  folder[Symbol.dispose]();
});

const LAST = { seq: 2, id: new Uint8Array(32).fill(5), wallEndNs: at(0).wallNs };

function recover(
  change: (bytes: Buffer) => void = () => undefined,
  roots?: readonly StoredStream[],
) {
  const bytes = Buffer.from(dead.file.read());
  change(bytes);
  const survivors = findSurvivors(
    bytes,
    { keyOf: (id) => (equalBytes(id, dead.id) ? dead.signer.key : undefined), seq: 3 },
    fastVerifyDigest,
    nativeSha256,
  );
  if (survivors === undefined) throw new Error('nothing survives');
  const chunk = recoverChunk({
    survivors,
    deadKey: dead.signer.key,
    session: {
      ...{ tag: TAG, epoch: 0, log: 0, sessionId: new Uint8Array(32).fill(2) },
      signer: ephemeralSigner(),
    },
    last: LAST,
    streams: roots ?? dead.table.from(0),
    announced: 0,
    journal: dead.table.journal().nodes,
    startNs: at(9000).wallNs,
    clock: { source: 'unsynchronised', steps: 0, quality: undefined },
    gapsFrom: (fromNs) => [{ bus: '', fromNs, toNs: at(9000).wallNs, cause: 'power_off' }],
    primitives: PRIMITIVES,
  });
  return { chunk, header: decodeChunkHeader(chunk.header) };
}

function threeBlocks(): void {
  dead.block(3, [{ ms: 10 }, { ms: 20, bus: 1, id: 0x99 }], 2);
  dead.block(3, [{ ms: 90 }, { ms: 95 }]);
  dead.block(3, [{ ms: 170, id: 0x321 }], 5);
}

test('the survivors become a chunk that the verifier takes for what the dead session signed', () => {
  threeBlocks();
  const { chunk, header } = recover();
  const { blocks } = decodeRecoveredBody(chunk.body);
  const items = blocks.map(({ head }) => ({ block: head, leaves: [], proof: [] }));
  const verified = verifyBlocks(
    header,
    { id: dead.id, key: dead.signer.key },
    items,
    fastVerifyDigest,
  );
  expect(verified).toHaveLength(3);
  expect(header).toMatchObject({
    seq: 3,
    previousId: LAST.id,
    monoStartNs: at(0).monoNs,
    monoEndNs: at(240).monoNs,
    buses: [{ bus: 'can0', kernelDrops: 7 }],
    gaps: [{ bus: '', fromNs: at(240).wallNs, toNs: at(9000).wallNs, cause: 'power_off' }],
    recovered: { blockCount: 3, ending: 'open' },
  });
  expect(chunk.frameCount).toBe(5);
});

test('it names the streams that the surviving blocks were the first to name, and no others', () => {
  threeBlocks();
  const all = dead.table.from(0).map(({ name }) => name);
  expect(recover().chunk.freshStreams.map(({ name }) => name)).toEqual(all);
  const cut = recover((bytes) => bytes.fill(0, 2 * 4096)).chunk;
  expect(cut.freshStreams.map(({ name }) => name)).toEqual(
    all.filter((name) => name !== 'raw/can0/321'),
  );
});

test('every stream has a presence leaf: the entries are those of the blocks and one for each stream', () => {
  threeBlocks();
  const { header, chunk } = recover();
  const { presence, blocks } = decodeRecoveredBody(chunk.body);
  const inBlocks = blocks.reduce((sum, { leaves }) => sum + leaves.length, 0);
  expect(header.entryCount).toBe(inBlocks + dead.table.size);
  // Silent ones are not stored.
  expect(presence.length).toBeLessThan(dead.table.size);
});

test('tried again it stores the same leaves of blocks, under the same ciphertext', () => {
  threeBlocks();
  const [first, second] = [recover().chunk, recover().chunk];
  const leavesOf = (body: Uint8Array) => decodeRecoveredBody(body).blocks;
  expect(leavesOf(first.body)).toEqual(leavesOf(second.body));
  expect(first.header).not.toEqual(second.header);
});

describe('a journal that was altered', () => {
  test('says so in the header, with what survives before it', () => {
    threeBlocks();
    const { header } = recover((bytes) => {
      bytes[4096 + 300] = (bytes[4096 + 300] ?? 0) ^ 1;
    });
    expect(header.recovered).toMatchObject({ blockCount: 1, ending: 'damaged' });
  });

  test('says so, too, when its first block is gone', () => {
    threeBlocks();
    const { header, chunk } = recover((bytes) => bytes.fill(0, 0, 4096));
    expect(header.recovered).toMatchObject({ blockCount: 0, ending: 'damaged' });
    expect(chunk.frameCount).toBe(0);
    const session = { id: dead.id, key: dead.signer.key };
    expect(verifyBlocks(header, session, [], fastVerifyDigest)).toEqual([]);
  });
});

describe('a spool that lost a root', () => {
  test('of a stream ends the chunk before the first block that needs it, and says damaged', () => {
    threeBlocks();
    const roots = dead.table
      .from(0)
      .map((one) =>
        one.name === 'raw/can0/321' ? { ...one, nodes: [rootNode(new Uint8Array(32))] } : one,
      );
    const { header, chunk } = recover(undefined, roots);
    expect(header.recovered).toMatchObject({ blockCount: 2, ending: 'damaged' });
    expect(chunk.frameCount).toBe(4);
  });

  test('of every stream has no block left, and says damaged', () => {
    threeBlocks();
    const roots = dead.table.from(0).map((stream) => ({
      ...stream,
      nodes: [rootNode(new Uint8Array(32))],
    }));
    const { header } = recover(undefined, roots);
    expect(header.recovered).toMatchObject({ blockCount: 0, ending: 'damaged' });
  });
});
