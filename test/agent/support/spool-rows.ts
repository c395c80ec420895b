/** Rows for a spool that does not look into them. */
import { join } from 'node:path';
import type { AtCommitPoint, StorageKeys, StoredStream } from '../../../agent/ports.ts';
import type { ChunkToCommit } from '../../../agent/spool/chunk-writer.ts';
import { Spool } from '../../../agent/spool/spool.ts';
import type { StatementToCommit } from '../../../agent/spool/statement-writer.ts';
import { encodeChunkHeader } from '../../../core/chunk-header.ts';
import { rootNode } from '../../../core/key-tree.ts';
import { PRIMITIVES } from './primitives.ts';
import { fixedKey } from './storage-keys.ts';

export const STORAGE_KEY = new Uint8Array(32).fill(3);
export const IDENTITY = {
  tag: new Uint8Array(16).fill(4),
  epoch: 0,
  log: 0,
  deviceKeyId: new Uint8Array(32).fill(5),
};

export function openSpool(
  folder: string,
  atCommitPoint: AtCommitPoint = () => undefined,
  storageKeys: StorageKeys = fixedKey(STORAGE_KEY),
): Spool {
  return Spool.open(join(folder, 'spool'), storageKeys, PRIMITIVES, atCommitPoint);
}

/** With session 0 and the log's identity. */
export function newSpool(
  folder: string,
  atCommitPoint?: AtCommitPoint,
  storageKeys?: StorageKeys,
): Spool {
  const spool = openSpool(folder, atCommitPoint, storageKeys);
  spool.commitSession(IDENTITY, sessionRow(0));
  return spool;
}

export function sessionRow(number: number): { number: number; id: Uint8Array; record: Uint8Array } {
  return { number, id: idOf(`session ${number}`), record: Uint8Array.of(number) };
}

export function chunkRow(seq: number, change: Partial<ChunkToCommit> = {}): ChunkToCommit {
  return {
    seq,
    header: Uint8Array.of(1, seq),
    signature: new Uint8Array(64),
    body: bodyOf(seq),
    freshStreams: [],
    frameCount: 10,
    cursor: seq * 10 + 10,
    ...change,
  };
}

/** A header that decodes, of a chunk that ended so many ms after 1970. */
export function headerRow(seq: number, endMs: number, log = 0): Uint8Array {
  return encodeChunkHeader({
    ...{ tag: IDENTITY.tag, epoch: 0, log, seq, entryCount: 1, root: idOf('root') },
    ...{
      previousId: seq === 0 ? undefined : idOf(`header ${seq - 1}`),
      sessionId: idOf('session'),
    },
    ...{ nonce: new Uint8Array(16), monoStartNs: 0n, monoEndNs: 0n, wallStartNs: 0n },
    wallEndNs: BigInt(endMs) * 1_000_000n,
    clock: { source: 'unsynchronised', steps: 0, quality: undefined },
    ...{ buses: [], beacon: undefined, gaps: [], state: 'recording', recovered: undefined },
  });
}

export function bodyOf(seq: number): Uint8Array {
  return new Uint8Array(1000 + seq).fill(seq);
}

export function streamRow(name: string): StoredStream {
  return { name, nodes: [rootNode(PRIMITIVES.sha256(Buffer.from(name)))] };
}

export function statementRow(seq: number, firstSeq: number, count: number): StatementToCommit {
  const spans = [{ log: 0, firstSeq, count }];
  return { seq, id: idOf(`statement ${seq}`), bytes: Uint8Array.of(9, seq), spans };
}

export function idOf(text: string): Uint8Array {
  return PRIMITIVES.sha256(Buffer.from(text));
}
