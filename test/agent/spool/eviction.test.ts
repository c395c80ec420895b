import { existsSync, readdirSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exportEvidence } from '../../../agent/disclose/export-evidence.ts';
import type { CommitPoint } from '../../../agent/ports.ts';
import type { SpoolRoom } from '../../../agent/spool/eviction.ts';
import { openSpoolForReading, type Spool } from '../../../agent/spool/spool.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { codeOf } from '../support/coded-error.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import {
  bodyOf,
  chunkRow,
  headerRow,
  idOf,
  newSpool,
  openSpool,
  STORAGE_KEY,
  statementRow,
} from '../support/spool-rows.ts';
import { fixedKey } from '../support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const MIB = 1 << 20;
const DAY_MS = 86_400_000;
const START_MS = 1_795_000_000_000;
const NO_AGE = { maxBytes: 1e15, maxAgeDays: 36_500 };

let folder: TemporaryFolder;
let spool: Spool;
let points: CommitPoint[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  points = [];
  spool = newSpool(folder.path, (point) => points.push(point));
});
afterEach(() => {
  spool.close();
  folder[Symbol.dispose]();
});

const segments = () => readdirSync(join(folder.path, 'spool/segments')).sort();
const path = (name: string) => join(folder.path, 'spool/segments', name);

function reopened(): Spool {
  spool.close();
  spool = openSpool(folder.path, (point) => points.push(point));
  return spool;
}

/** Two chunks of 4 MiB fill a segment: one for each day. */
function fill(count: number, from = 0): void {
  for (let seq = from; seq < from + 2 * count; seq++) {
    const body = new Uint8Array(4 * MIB).fill(seq);
    const header = headerRow(seq, START_MS + Math.floor(seq / 2) * DAY_MS);
    spool.commitChunks(0, [chunkRow(seq, { body, header })]);
  }
}

const nowNs = (day: number) => BigInt(START_MS + day * DAY_MS) * 1_000_000n;
const codes = (seqs: readonly number[]) => seqs.map((seq) => codeOf(() => spool.body(0, seq)));
const KEPT = 'nothing was thrown';

describe('a spool that has reached its bounds', () => {
  test('evicts whole segments, and says of their bodies that they were evicted', () => {
    fill(4);
    const room = spool.retain({ ...NO_AGE, maxBytes: 20 * MIB }, undefined);
    expect(room.evictedChunks).toBe(4);
    expect(room.bytes).toBeGreaterThan(16 * MIB);
    expect(room.bytes).toBeLessThan(20 * MIB);
    expect(segments()).toEqual(['00000002.seg', '00000003.seg']);
    const expected = [...new Array<string>(4).fill('SPOOL_BODY_EVICTED'), KEPT, KEPT, KEPT, KEPT];
    expect(codes([0, 1, 2, 3, 4, 5, 6, 7])).toEqual(expected);
    expect(points.filter((point) => point.startsWith('segment'))).toEqual([
      ...['segment-given-up', 'segment-evicted', 'segment-given-up', 'segment-evicted'],
    ]);
    reopened();
    expect(codes([3, 4])).toEqual(['SPOOL_BODY_EVICTED', KEPT]);
    expect(spool.chunks(0, 0, 99).length, 'headers stay').toBe(8);
    fill(1, 8);
    expect(spool.body(0, 9)[0]).toBe(9);
  });

  test('evicts what is too old, unless the time is not known', () => {
    fill(5);
    const limits = { ...NO_AGE, maxAgeDays: 2 };
    spool.retain(limits, undefined);
    expect(segments().length).toBe(5);
    spool.retain(limits, nowNs(4));
    expect(segments()).toEqual(['00000002.seg', '00000003.seg', '00000004.seg']);
  });

  test('never evicts what is held, nor the segment that is written', () => {
    fill(4);
    const hold = spool.hold(0, 3, 4, 'a crash');
    expect(spool.holds()).toEqual([
      { number: hold, log: 0, fromSeq: 3, toSeq: 4, reason: 'a crash' },
    ]);
    const room = spool.retain({ maxBytes: 1, maxAgeDays: 1 }, nowNs(1000));
    expect(room).toMatchObject({ isFullOfHolds: true, heldBytes: 16 * MIB });
    expect(segments()).toEqual(['00000001.seg', '00000002.seg', '00000003.seg']);
    fill(1, 8);
    expect(spool.body(0, 9)[0], 'recording goes on').toBe(9);
    reopened();
    spool.release(hold);
    expect(spool.holds()).toEqual([]);
    const after = spool.retain({ ...NO_AGE, maxBytes: 1 }, undefined);
    expect(after).toMatchObject({ isFullOfHolds: false, heldBytes: 0 });
    expect(segments()).toEqual(['00000004.seg']);
    expect(spool.hold(0, 0, 1, 'another'), 'a number is given once').not.toBe(hold);
  });

  test('lets go of what it kept for the custody records of a chunk, and of nothing that is left', () => {
    fill(1);
    const custodyEntries = Uint8Array.of(1, 2, 3);
    spool.commitChunks(0, [chunkRow(2, { custodyEntries })]);
    const kept = () => {
      const database = new Database(join(folder.path, 'spool/index.db'), { readonly: true });
      const rows = database.prepare('SELECT place FROM custody_chunk').pluck().all();
      database.close();
      return rows;
    };
    fill(1, 3);
    spool.commitChunks(0, [chunkRow(5, { custodyEntries })]);
    expect(kept()).toEqual([2, 5]);
    fill(1, 6);
    spool.retain({ ...NO_AGE, maxBytes: 17 * MIB }, undefined);
    expect(codes([2, 5])).toEqual(['SPOOL_BODY_EVICTED', KEPT]);
    expect(kept()).toEqual([5]);
  });

  test('keeps a hold that began before its last chunk was there', () => {
    fill(1);
    spool.hold(0, 1, 5, 'still going on');
    fill(3, 2);
    spool.retain({ ...NO_AGE, maxBytes: 1 }, undefined);
    expect(segments()).toEqual(['00000000.seg', '00000001.seg', '00000002.seg', '00000003.seg']);
  });
});

test('a spool is kept within its bounds while it is written, segment by segment', () => {
  const rooms: SpoolRoom[] = [];
  fill(1);
  let limits = { ...NO_AGE, maxBytes: 20 * MIB };
  const onRoom = (room: SpoolRoom): number => rooms.push(room);
  spool.keepWithin({ limits: () => limits, nowNs: () => undefined, onRoom });
  fill(5, 2);
  expect(rooms.map(({ evictedChunks }) => evictedChunks)).toEqual([0, 0, 2, 4, 6, 8]);
  expect(rooms.at(-1)?.oldestMs).toBe(START_MS + 4 * DAY_MS);
  expect(segments()).toEqual(['00000004.seg', '00000005.seg']);
  expect(Math.max(...rooms.map(({ bytes }) => bytes))).toBeLessThan(20 * MIB);
  limits = { ...NO_AGE, maxBytes: 9 * MIB };
  spool.keepSoon();
  spool.commitChunks(0, [chunkRow(12, { header: headerRow(12, START_MS) })]);
  spool.commitChunks(0, [chunkRow(13, { header: headerRow(13, START_MS) })]);
  expect(rooms.length).toBe(7);
  expect(segments()).toEqual(['00000006.seg']);
});

describe('an eviction that was interrupted', () => {
  test.each(['segment-given-up', 'segment-evicted'] as const)(
    'at %s is ended by the next start',
    (at) => {
      fill(3);
      spool.close();
      const dying = openSpool(folder.path, (point) => {
        if (point === at) throw new Error('the process ends here');
      });
      expect(() => dying.retain({ ...NO_AGE, maxBytes: 20 * MIB }, undefined)).toThrow('ends here');
      spool = dying;
      expect(segments()).toEqual(['00000000.evicted', '00000001.seg', '00000002.seg']);
      expect(statSync(path('00000000.evicted')).size).toBe(0);
      expect(codes([0, 2])).toEqual(['SPOOL_BODY_EVICTED', KEPT]);
      reopened();
      expect(segments()).toEqual(['00000001.seg', '00000002.seg']);
      expect(codes([0, 2])).toEqual(['SPOOL_BODY_EVICTED', KEPT]);
    },
  );

  test('before its bytes were freed is ended as well', () => {
    fill(2);
    renameSync(path('00000000.seg'), path('00000000.evicted'));
    expect(codes([0])).toEqual(['SPOOL_BODY_EVICTED']);
    reopened();
    expect(segments()).toEqual(['00000001.seg']);
  });
});

test('a lost body is not taken for an evicted one', () => {
  fill(2);
  truncateSync(path('00000000.seg'), 4 * MIB);
  expect(codes([0, 1])).toEqual([KEPT, 'SPOOL_BODY_MISSING']);
});

test('an export of what was evicted shows its headers alone', () => {
  const unit = new TestUnit(join(folder.path, 'unit'));
  unit.addStatement();
  const only = { fromSeq: 0, toSeq: 0 };
  const exported = () =>
    decodeBundle(exportEvidence(unit.spool, only, PRIMITIVES, () => undefined)).sections;
  expect([exported().headers.length, exported().leaves.length]).toEqual([1, 1]);
  const large = new Uint8Array(8 * MIB);
  unit.spool.commitChunks(0, [chunkRow(1, { body: large, header: headerRow(1, START_MS) })]);
  unit.spool.commitChunks(0, [chunkRow(2, { header: headerRow(2, START_MS) })]);
  unit.spool.retain({ ...NO_AGE, maxBytes: 1 }, undefined);
  expect(codeOf(() => unit.spool.body(0, 0))).toBe('SPOOL_BODY_EVICTED');
  expect([exported().headers.length, exported().leaves.length]).toEqual([1, 0]);
  unit.spool.close();
});

describe('what is too old even for its headers', () => {
  const LIMITS = { ...NO_AGE, maxAgeDays: 2 };
  const seqs = () => spool.statements(0, 0, 99).map(({ seq }) => seq);

  function receipt(seq: number): void {
    spool.storeAcceptance(idOf(`statement ${seq}`), Uint8Array.of(1));
    spool.storeReceipt(idOf(`statement ${seq}`), {
      ...{ inclusion: Uint8Array.of(seq), windowHash: idOf(`window ${seq >> 1}`) },
      ...{ window: Uint8Array.of(1), link: Uint8Array.of(2) },
      ...{ chainId: 1n, block: 1n, unlinked: [], linked: [] },
    });
  }

  test('is forgotten with its statement, once that has a receipt and is not the last', () => {
    fill(5);
    for (let seq = 0; seq < 5; seq++) spool.commitStatement(0, statementRow(seq, 2 * seq, 2));
    for (const seq of [0, 1, 2, 3]) receipt(seq);
    spool.retain(LIMITS, nowNs(4));
    expect(seqs()).toEqual([2, 3, 4]);
    expect(spool.chunks(0, 0, 99).map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(spool.window(idOf('window 0'))).toBeUndefined();
    expect(spool.window(idOf('window 1'))).toBeDefined();
    expect(points.at(-1)).toBe('history-forgotten');
    expect(spool.unbatchedChunks()).toEqual([]);
    // The fourth is the last that the service has taken, the fifth is still to be sent.
    spool.retain(LIMITS, nowNs(1000));
    expect(seqs()).toEqual([3, 4]);
    expect(spool.lastChunk(0)?.seq).toBe(9);
    expect(spool.sessions(0).map(({ number }) => number)).toEqual([0]);
    expect(codes([0, 6])).toEqual(['SPOOL_BODY_MISSING', 'SPOOL_BODY_EVICTED']);
    reopened();
    fill(1, 10);
    expect(spool.body(0, 11)[0]).toBe(11);
  });

  test('stays while it is held, or shares a statement with what is younger', () => {
    fill(5);
    spool.commitStatement(0, statementRow(0, 0, 1));
    spool.commitStatement(0, statementRow(1, 1, 4));
    spool.commitStatement(0, statementRow(2, 5, 1));
    spool.commitStatement(0, statementRow(3, 6, 4));
    for (const seq of [0, 1, 2, 3]) receipt(seq);
    spool.hold(0, 0, 1, 'kept');
    spool.retain(LIMITS, nowNs(4));
    expect(seqs()).toEqual([0, 1, 2, 3]);
    spool.retain(LIMITS, nowNs(1000));
    expect(seqs()).toEqual([0, 1, 3]);
    expect(codes([0, 1, 2])).toEqual([KEPT, KEPT, 'SPOOL_BODY_EVICTED']);
  });

  test('takes the sessions with it that nothing is left of', () => {
    fill(1);
    spool.commitStatement(0, statementRow(0, 0, 2));
    const { identity } = { identity: spool.identity() };
    if (identity === undefined) throw new Error('no log');
    spool.commitSession(identity, { number: 1, id: idOf('s1'), record: Uint8Array.of(1) });
    for (let seq = 2; seq < 6; seq++) {
      const body = new Uint8Array(4 * MIB);
      const header = headerRow(seq, START_MS + 1000 * DAY_MS);
      spool.commitChunks(1, [chunkRow(seq, { body, header })]);
    }
    spool.commitStatement(1, statementRow(1, 2, 4));
    for (const seq of [0, 1]) receipt(seq);
    spool.retain(LIMITS, nowNs(1000));
    expect(spool.sessions(0).map(({ number }) => number)).toEqual([1]);
    expect(spool.chunks(0, 0, 99).map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
  });
});

test('a reader beside the agent sees evictions and holds', () => {
  fill(2);
  using reader = openSpoolForReading(join(folder.path, 'spool'), fixedKey(STORAGE_KEY), PRIMITIVES);
  spool.hold(0, 2, 3, 'seen');
  spool.retain({ ...NO_AGE, maxBytes: 1 }, undefined);
  expect(codeOf(() => reader.body(0, 0))).toBe('SPOOL_BODY_EVICTED');
  expect(reader.holds().length).toBe(1);
  expect(reader.body(0, 2)[0]).toBe(2);
});

test('room is set aside for a full disk', () => {
  expect(existsSync(join(folder.path, 'spool/reserve'))).toBe(true);
  expect(bodyOf(1).length).toBe(1001);
});
