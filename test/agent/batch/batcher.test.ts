import { expect, test } from 'vitest';
import {
  Batcher,
  type SignedStatement,
  type UnbatchedChunk,
} from '../../../agent/batch/batcher.ts';
import { toHex } from '../../../core/bytes.ts';
import { recordId, sigStructure } from '../../../core/cose.ts';
import { sha256 } from '../../../core/hash.ts';
import { MerkleTree } from '../../../core/merkle.ts';
import { keyId, verifyDigest } from '../../../core/signature.ts';
import { decodeStatement, MAX_BATCH_CHUNKS } from '../../../core/statement.ts';
import { ephemeralSigner } from '../../../hw/keys/file-signer.ts';

const signer = ephemeralSigner();
const dead = ephemeralSigner();
const session = {
  tag: new Uint8Array(16).fill(1),
  epoch: 0,
  log: 0,
  deviceKeyId: keyId(ephemeralSigner().key),
  sessionId: new Uint8Array(32).fill(2),
  signer,
};

function chunkAt(seq: number, seconds: number, by = signer): UnbatchedChunk {
  return {
    log: 0,
    seq,
    header: Uint8Array.of(seq & 255, seq >> 8, 7),
    sessionKey: by.key,
    wallStartNs: BigInt(seconds * 1e9),
  };
}

function newBatcher(
  pending: readonly UnbatchedChunk[] = [],
  last?: { readonly seq: number; readonly id: Uint8Array },
): Batcher {
  return new Batcher(session, { durationMs: 60_000, sha256 }, () => undefined, pending, last);
}

function rootOver(chunks: readonly UnbatchedChunk[]): string {
  const leaves = chunks.map(({ sessionKey, header }) =>
    sigStructure('chunk-header', sessionKey, header),
  );
  return toHex(new MerkleTree(leaves).root());
}

function spanOf(statement: SignedStatement | undefined): readonly number[] {
  return statement?.spans.flatMap(({ firstSeq, count }) => [firstSeq, count]) ?? [];
}

test('a batch ends before the chunk that starts its duration after the first, by the log’s time', () => {
  const batcher = newBatcher();
  const at = [0, 1, 59, 60, 61, 119.999, 120, 121];
  const closed = at.map((seconds, seq) => spanOf(batcher.add(chunkAt(seq, seconds))));
  expect(closed).toEqual([[], [], [], [0, 3], [], [], [3, 3], []]);
  expect(spanOf(batcher.close())).toEqual([6, 2]);
  expect(batcher.close()).toBeUndefined();
});

test('a clock that steps back ends the batch', () => {
  const batcher = newBatcher();
  expect(batcher.add(chunkAt(0, 100))).toBeUndefined();
  expect(batcher.add(chunkAt(1, 101))).toBeUndefined();
  expect(spanOf(batcher.add(chunkAt(2, 99)))).toEqual([0, 2]);
  expect(batcher.add(chunkAt(3, 100))).toBeUndefined();
});

test('a batch ends at the most chunks that a statement may cover', () => {
  const left = Array.from({ length: MAX_BATCH_CHUNKS + 2 }, (_, seq) => chunkAt(seq, 0));
  const batcher = newBatcher(left);
  const next = MAX_BATCH_CHUNKS + 2;
  expect(spanOf(batcher.add(chunkAt(next, 0)))).toEqual([0, MAX_BATCH_CHUNKS]);
  expect(spanOf(batcher.close())).toEqual([MAX_BATCH_CHUNKS, 3]);
  expect(batcher.close()).toBeUndefined();
});

test('statements follow each other by seq and id, signed over the tree of their headers', () => {
  const batcher = newBatcher();
  const chunks = Array.from({ length: 5 }, (_, seq) => chunkAt(seq, seq * 40));
  const statements = chunks.flatMap((chunk) => batcher.add(chunk) ?? []);
  const last = batcher.close();
  if (last !== undefined) statements.push(last);
  expect(statements.map(spanOf)).toEqual([
    [0, 2],
    [2, 2],
    [4, 1],
  ]);
  statements.forEach((statement, i) => {
    const decoded = decodeStatement(statement.payload);
    const [firstSeq = 0, count = 0] = spanOf(statement);
    expect(decoded.seq).toBe(i);
    expect(decoded.previousId).toEqual(statements[i - 1]?.id);
    expect(decoded.spans).toEqual(statement.spans);
    expect(toHex(decoded.root)).toBe(rootOver(chunks.slice(firstSeq, firstSeq + count)));
    expect(toHex(statement.id)).toBe(toHex(recordId('statement', signer.key, statement.payload)));
    expect(verifyDigest(signer.key, statement.id, statement.signature)).toBe(true);
  });
});

test('the first statement after a crash covers what the dead session left, under that session’s key', () => {
  const left = [chunkAt(7, 30, dead), chunkAt(8, 31, dead)];
  const last = { seq: 3, id: new Uint8Array(32).fill(5) };
  const batcher = newBatcher(left, last);
  expect(batcher.add(chunkAt(9, 35))).toBeUndefined();
  const statement = batcher.close();
  const decoded = decodeStatement(statement?.payload ?? new Uint8Array());
  expect(decoded.spans).toEqual([{ log: 0, firstSeq: 7, count: 3 }]);
  expect(decoded.seq).toBe(4);
  expect(decoded.previousId).toEqual(last.id);
  expect(toHex(decoded.root)).toBe(rootOver([...left, chunkAt(9, 35)]));
  expect(toHex(decoded.sessionId)).toBe(toHex(session.sessionId));
});

test('what a dead session left is batched even when nothing follows', () => {
  expect(spanOf(newBatcher([chunkAt(0, 0, dead)]).close())).toEqual([0, 1]);
});

test('the first statements of a log cover what the logs before left, a span for each run, until none is left', () => {
  const left = [
    ...[3, 4, 7].map((seq) => ({ ...chunkAt(seq, 0, dead), log: 0 })),
    ...Array.from({ length: 70 }, (_, i) => ({ ...chunkAt(i * 2, 0, dead), log: 1 })),
  ];
  const own = { ...session, log: 2 };
  const batcher = new Batcher(
    own,
    { durationMs: 60_000, sha256 },
    () => undefined,
    left,
    undefined,
  );
  expect(batcher.add(chunkAt(0, 0))).toBeUndefined();
  const [first, second] = [batcher.close(), batcher.close()];
  expect(first?.spans.slice(0, 3)).toEqual([
    { log: 0, firstSeq: 3, count: 2 },
    { log: 0, firstSeq: 7, count: 1 },
    { log: 1, firstSeq: 0, count: 1 },
  ]);
  expect(first?.spans.length).toBe(64);
  expect(second?.spans.slice(-2)).toEqual([
    { log: 1, firstSeq: 138, count: 1 },
    { log: 2, firstSeq: 0, count: 1 },
  ]);
  expect(batcher.close()).toBeUndefined();
  for (const statement of [first, second]) {
    const decoded = decodeStatement(statement?.payload ?? new Uint8Array());
    expect(decoded.spans).toEqual(statement?.spans);
  }
  const covered = [...left.slice(0, 65)];
  expect(toHex(decodeStatement(first?.payload ?? new Uint8Array()).root)).toBe(rootOver(covered));
});
