import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CustodyQueue } from '../../../agent/custody/custody-queue.ts';
import { inboxFolder, leaveCustodyRecord, refusedFolder } from '../../../agent/custody/inbox.ts';
import type { CustodyBatch } from '../../../agent/ports.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import {
  custodyDigest,
  custodyStreamOf,
  decodeCustodyRecord,
  encodeCustodyRecord,
  verifyCustodyChain,
} from '../../../core/custody-record.ts';
import { RECORDS } from '../../../core/stream.ts';
import {
  addressOf,
  OWNER,
  STRANGER,
  walletSignature,
} from '../../../fixtures/generate/sample-records.ts';
import { codeOf } from '../support/coded-error.ts';
import { custodyContent, GRANT_HASH } from '../support/custody.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import {
  chunkRow,
  IDENTITY,
  newSpool,
  openSpool,
  sessionRow,
  streamRow,
} from '../support/spool-rows.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let spool: Spool;
let seq: number;
let told: { refused: number; trouble: string | undefined; sealed: number };

beforeEach(() => {
  folder = temporaryFolder();
  spool = newSpool(folder.path);
  seq = 100;
  told = { refused: 0, trouble: undefined, sealed: 0 };
});
afterEach(() => {
  spool.close();
  folder[Symbol.dispose]();
});

function queue(log = 0): CustodyQueue {
  return new CustodyQueue({
    dataDir: folder.path,
    log,
    ledger: spool,
    sha256: PRIMITIVES.sha256,
    atCommitPoint: () => undefined,
    events: {
      onSealed: (records) => {
        told.sealed += records;
      },
      onRefused: (count) => {
        told.refused = count;
      },
      onTrouble: (message) => {
        told.trouble = message;
      },
    },
  });
}

const leave = (change: Parameters<typeof custodyContent>[0] = {}) =>
  leaveCustodyRecord(folder.path, custodyContent(change), PRIMITIVES.random);

/** As the sealer does: the chunk with its custody in one transaction. */
function commit(batch: CustodyBatch | undefined): void {
  const known = spool.streams(0).map(({ name }) => name);
  const fresh = (batch?.leaves ?? []).map(({ stream }) => stream).filter((s) => !known.includes(s));
  const names = [...known, ...fresh];
  const ends = (batch?.leaves ?? []).map(({ stream, end }) => ({
    ordinal: names.indexOf(stream),
    ...end,
  }));
  const custody = batch && { ends, files: batch.files };
  spool.commitChunks(0, [chunkRow(seq, { freshStreams: fresh.map(streamRow), custody })]);
  seq += 1;
}

const waiting = () => readdirSync(inboxFolder(folder.path)).filter((name) => name !== 'refused');
const codes = () =>
  readdirSync(refusedFolder(folder.path))
    .filter((name) => name.endsWith('.code'))
    .map((name) => readFileSync(join(refusedFolder(folder.path), name), 'utf8').split(':')[0]);
const recordsOf = (batch: CustodyBatch | undefined, stream: string = RECORDS.custody) =>
  batch?.leaves.find((leaf) => leaf.stream === stream)?.records ?? [];

test('an inbox that nobody has made gives nothing and is no trouble', () => {
  const custody = queue();
  expect(custody.take(seq)).toBeUndefined();
  custody.committed();
  expect([existsSync(inboxFolder(folder.path)), told.trouble]).toEqual([false, undefined]);
});

test('records are chained in the owner’s stream and in that of their grant, chunk after chunk', () => {
  leave({ purpose: 'one', wallNs: 1n });
  leave({ purpose: 'two', wallNs: 2n, grantHash: GRANT_HASH });
  const custody = queue();
  const first = custody.take(seq);
  commit(first);
  custody.committed();
  leave({ purpose: 'three', wallNs: 3n, grantHash: GRANT_HASH });
  const second = queue().take(seq);
  const all = [...recordsOf(first), ...recordsOf(second)];
  expect(verifyCustodyChain(all).map(({ purpose }) => purpose)).toEqual(['one', 'two', 'three']);
  const stream = custodyStreamOf(GRANT_HASH);
  const ofGrant = [...recordsOf(first, stream), ...recordsOf(second, stream)];
  const chain = verifyCustodyChain(ofGrant).map(({ seq: place, purpose }) => [place, purpose]);
  expect(chain).toEqual([
    [0, 'two'],
    [1, 'three'],
  ]);
});

test('a file goes only when its chunk is durable', () => {
  const name = leave();
  const custody = queue();
  const batch = custody.take(seq);
  expect(waiting()).toEqual([name]);
  expect(custody.take(seq + 1)).toBeUndefined();
  commit(batch);
  expect(waiting()).toEqual([name]);
  custody.committed();
  expect(waiting()).toEqual([]);
  expect(told).toMatchObject({ sealed: 1, refused: 0, trouble: undefined });
});

test('killed before the commit, a record is taken again under the same place', () => {
  leave();
  const lost = queue().take(seq);
  const again = queue().take(seq);
  expect(recordsOf(again)).toEqual(recordsOf(lost));
});

test('killed behind the commit, the file goes and nothing is sealed twice', () => {
  leave({ wallNs: 1n });
  commit(queue().take(seq));
  leave({ wallNs: 2n });
  spool.close();
  spool = openSpool(folder.path);
  const next = queue();
  const batch = next.take(seq);
  expect(recordsOf(batch).map((bytes) => decodeCustodyRecord(bytes).seq)).toEqual([1]);
  commit(batch);
  next.committed();
  expect(waiting()).toEqual([]);
  expect(told.refused).toBe(0);
});

test('in a new log the chains begin anew', () => {
  leave({ wallNs: 1n });
  const custody = queue();
  commit(custody.take(seq));
  custody.committed();
  spool.beginLog({ log: 0, statementSeq: 3, statementId: new Uint8Array(32) });
  spool.commitSession({ ...IDENTITY, log: 1 }, sessionRow(0));
  leave({ wallNs: 2n });
  const records = recordsOf(queue(1).take(0)).map(decodeCustodyRecord);
  expect(records).toMatchObject([{ seq: 0, previousHash: undefined }]);
});

test('more than one chunk takes is left for the next, in the order of the acts', () => {
  for (let i = 0; i < 40; i++) leave({ wallNs: BigInt(40 - i), purpose: `${40 - i}` });
  const custody = queue();
  const all = [custody.take(seq), custody.take(seq + 1), custody.take(seq + 2)];
  expect(all.map((batch) => recordsOf(batch).length)).toEqual([16, 16, 8]);
  const purposes = verifyCustodyChain(all.flatMap((batch) => recordsOf(batch)));
  expect(purposes.map(({ purpose }) => Number(purpose))).toEqual(
    Array.from({ length: 40 }, (_, i) => i + 1),
  );
});

function put(name: string, bytes: Uint8Array): void {
  mkdirSync(inboxFolder(folder.path), { recursive: true });
  writeFileSync(join(inboxFolder(folder.path), name), bytes);
}

const signed = (by: typeof OWNER, signer: typeof OWNER) => {
  const record = { ...custodyContent({ role: 'owner' }), seq: 0, previousHash: undefined };
  const bytes = walletSignature(by, custodyDigest(record));
  return encodeCustodyRecord({
    ...record,
    signature: { signer: addressOf(signer), signature: { kind: 'key', bytes } },
  });
};
const placed = encodeCustodyRecord({
  ...custodyContent(),
  seq: 3,
  previousHash: new Uint8Array(32),
});
const ofTheFuture = (spans: { log: number; firstSeq: number; count: number }) =>
  encodeCustodyRecord({ ...custodyContent({ spans: [spans] }), seq: 0, previousHash: undefined });

test.each<readonly [string, Uint8Array, string]>([
  ['that is no record', Uint8Array.of(1, 2, 3), 'CBOR_TRAILING_BYTES'],
  ['of nothing', new Uint8Array(0), 'CBOR_TRUNCATED'],
  ['that is too long', new Uint8Array(20_000), 'CBOR_TOO_LARGE'],
  ['with a place in a chain', placed, 'CUSTODY_PREVIOUS'],
  ['signed by somebody else', signed(STRANGER, OWNER), 'OWNER_SIGNATURE_INVALID'],
  ['of a chunk to come', ofTheFuture({ log: 0, firstSeq: 90, count: 50 }), 'CUSTODY_SPAN'],
  ['of a log to come', ofTheFuture({ log: 1, firstSeq: 0, count: 1 }), 'CUSTODY_SPAN'],
  ['of no chunks', ofTheFuture({ log: 0, firstSeq: 0, count: 0 }), 'CUSTODY_SPAN'],
])('a file %s is kept with its code, and holds up no other', (_, bytes, code) => {
  put('00-bad.cbor', bytes);
  leave({ purpose: 'behind it', wallNs: 7n });
  const custody = queue();
  const batch = custody.take(seq);
  expect(recordsOf(batch).map((record) => decodeCustodyRecord(record).purpose)).toEqual([
    'behind it',
  ]);
  expect(codes()).toEqual([code]);
  expect(readFileSync(join(refusedFolder(folder.path), '00-bad.cbor'))).toEqual(Buffer.from(bytes));
  expect(told).toMatchObject({ refused: 1, trouble: undefined });
  // Counted still after a restart.
  told.refused = 0;
  queue();
  expect(told.refused).toBe(1);
});

test('a signed record is sealed once, whatever its file is called', () => {
  put('01-signed.cbor', signed(OWNER, OWNER));
  const custody = queue();
  const batch = custody.take(seq);
  const signers = recordsOf(batch).map((bytes) => decodeCustodyRecord(bytes).signature?.signer);
  expect(signers).toEqual([addressOf(OWNER)]);
  put('02-again.cbor', signed(OWNER, OWNER));
  expect(custody.take(seq + 1)).toBeUndefined();
  commit(batch);
  custody.committed();
  put('03-later.cbor', signed(OWNER, OWNER));
  expect(queue().take(seq)).toBeUndefined();
  expect(codes()).toEqual(['CUSTODY_REPEATED', 'CUSTODY_REPEATED']);
  expect(waiting()).toEqual([]);
});

test('what could never be sealed is not left at all', () => {
  expect(codeOf(() => leave({ purpose: 'p'.repeat(501) }))).toBe('FIELD_LENGTH');
  expect(existsSync(inboxFolder(folder.path))).toBe(false);
});

test('what is not finished is not taken', () => {
  put('04-unfinished.cbor.new', signed(OWNER, OWNER));
  expect(queue().take(seq)).toBeUndefined();
  expect(waiting()).toEqual(['04-unfinished.cbor.new']);
});

test('an inbox that cannot be read is told, and costs nothing', () => {
  writeFileSync(inboxFolder(folder.path), 'no folder');
  const custody = queue();
  expect(custody.take(seq)).toBeUndefined();
  expect(told.trouble).toBeDefined();
  rmSync(inboxFolder(folder.path));
  const name = leave();
  expect(custody.take(seq)?.files.map((file) => file.name)).toEqual([name]);
  expect(told.trouble).toBeUndefined();
});
