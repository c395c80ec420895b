import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AtCommitPoint } from '../../../agent/ports.ts';
import { openSpoolForReading, type Spool } from '../../../agent/spool/spool.ts';
import { codeOf } from '../support/coded-error.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import {
  bodyOf,
  chunkRow,
  IDENTITY,
  idOf,
  newSpool,
  openSpool,
  STORAGE_KEY,
  sessionRow,
  statementRow,
  streamRow,
} from '../support/spool-rows.ts';
import { fixedKey } from '../support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';

let folder: TemporaryFolder;
let open: Spool[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  for (const spool of open) spool.close();
  open = [];
  folder[Symbol.dispose]();
});

function kept(spool: Spool): Spool {
  open.push(spool);
  return spool;
}

function closed(spool: Spool): void {
  spool.close();
  open = open.filter((other) => other !== spool);
}

const segments = () => join(folder.path, 'spool/segments');
const segment = (number: number) => join(segments(), `${String(number).padStart(8, '0')}.seg`);
const index = () => join(folder.path, 'spool/index.db');

function reading(): ReturnType<typeof openSpoolForReading> {
  return openSpoolForReading(join(folder.path, 'spool'), fixedKey(STORAGE_KEY), PRIMITIVES);
}

describe('a commit of chunks', () => {
  test('syncs the bodies before it names them, and names them all at once', () => {
    const seen: (readonly (number | string)[])[] = [];
    const spool = kept(
      newSpool(folder.path, (point) => {
        if (point === 'session-committed') return;
        using reader = reading();
        seen.push([point, statSync(segment(0)).size, reader.chunks(0, 0, 9).length]);
      }),
    );
    spool.commitChunks(0, [chunkRow(0), chunkRow(1)]);
    expect(seen).toEqual([
      ['bodies-synced', 2001, 0],
      ['chunks-committed', 2001, 2],
    ]);
  });

  test('gives back what it took', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(0, [chunkRow(0), chunkRow(1)]);
    spool.commitChunks(0, [chunkRow(2)]);
    closed(spool);
    const again = kept(openSpool(folder.path));
    expect(again.identity()).toEqual({ ...IDENTITY, predecessor: undefined });
    expect(again.lastChunk(0)).toMatchObject({ seq: 2, session: 0, frames: 10, cursor: 30 });
    expect([0, 1, 2].map((seq) => again.body(0, seq))).toEqual([0, 1, 2].map(bodyOf));
    expect(again.chunks(0, 1, 2).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(again.committedFrames()).toBe(30);
  });

  test('keeps the roots of fresh streams with the chunk of their first leaves, by ordinal', () => {
    const spool = kept(newSpool(folder.path));
    const [a, b, c] = ['raw/can0/001', 'raw/can0/002', 'records/state'].map(streamRow);
    if (a === undefined || b === undefined || c === undefined) throw new Error('no streams');
    spool.commitChunks(0, [chunkRow(0, { freshStreams: [c, b] }), chunkRow(1)]);
    spool.commitChunks(0, [chunkRow(2, { freshStreams: [a] })]);
    closed(spool);
    expect(kept(openSpool(folder.path)).streams(0)).toEqual([c, b, a]);
  });

  test('stores the roots that were not durable before, and counts the streams that its chunks name', () => {
    const points: string[] = [];
    const spool = kept(newSpool(folder.path, (point) => points.push(point)));
    const [a, b, c, d] = ['raw/can0/001', 'raw/can0/002', 'raw/can0/003', 'gnss/a'].map(streamRow);
    if (a === undefined || b === undefined || c === undefined || d === undefined) return;
    spool.commitStreams([]);
    spool.commitStreams([a, b]);
    spool.commitStreams([c]);
    expect(points).toEqual(['session-committed', 'streams-committed', 'streams-committed']);
    spool.commitChunks(0, [chunkRow(0, { freshStreams: [a] })]);
    closed(spool);
    const again = kept(openSpool(folder.path));
    expect(again.streams(0)).toEqual([a, b, c]);
    expect(again.announcedStreams(0)).toBe(1);
    const foreign = chunkRow(1, { freshStreams: [c, b] });
    expect(() => again.commitChunks(0, [foreign])).toThrow('order of their roots');
    again.commitChunks(0, [
      chunkRow(1, { freshStreams: [b] }),
      chunkRow(2, { freshStreams: [c, d] }),
    ]);
    expect(again.streams(0)).toEqual([a, b, c, d]);
    expect(again.chunks(0, 0, 9).map(({ announced }) => announced)).toEqual([1, 2, 4]);
  });

  test('that is interrupted before the index leaves nothing, and the bytes are cut off', () => {
    const spool = newSpool(folder.path, (point) => {
      if (point === 'bodies-synced') throw new Error('the process ends here');
    });
    expect(() =>
      spool.commitChunks(0, [chunkRow(0, { freshStreams: [streamRow('gnss/a')] })]),
    ).toThrow('ends here');
    expect(statSync(segment(0)).size).toBe(1000);
    spool.close();
    const again = kept(openSpool(folder.path));
    expect(statSync(segment(0)).size).toBe(0);
    expect(again.lastChunk(0)).toBeUndefined();
    expect(again.streams(0)).toEqual([]);
    again.commitChunks(0, [chunkRow(0, { body: bodyOf(7) })]);
    expect(again.body(0, 0)).toEqual(bodyOf(7));
  });

  test('begins a new segment when the last is full', () => {
    const spool = kept(newSpool(folder.path));
    const large = new Uint8Array(8 << 20).fill(1);
    spool.commitChunks(0, [chunkRow(0, { body: large })]);
    spool.commitChunks(0, [chunkRow(1)]);
    expect(readdirSync(segments()).sort()).toEqual(['00000000.seg', '00000001.seg']);
    closed(spool);
    const again = kept(openSpool(folder.path));
    again.commitChunks(0, [chunkRow(2)]);
    expect([1, 2].map((seq) => again.body(0, seq))).toEqual([1, 2].map(bodyOf));
    expect(statSync(segment(1)).size).toBe(2003);
  });
});

describe('a start', () => {
  test('cuts off a torn tail and takes away segments that no row names', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(0, [chunkRow(0)]);
    closed(spool);
    writeFileSync(segment(0), Buffer.from('torn'), { flag: 'a' });
    writeFileSync(segment(1), Buffer.from('torn'));
    const again = kept(openSpool(folder.path));
    expect(statSync(segment(0)).size).toBe(1000);
    expect(readdirSync(segments())).toEqual(['00000000.seg']);
    expect(again.body(0, 0)).toEqual(bodyOf(0));
  });

  test('leaves a segment that lost bodies as it is, says so on reading, and records on elsewhere', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(0, [chunkRow(0), chunkRow(1)]);
    closed(spool);
    writeFileSync(segment(0), bodyOf(0));
    for (let start = 1; start <= 2; start++) {
      const again = openSpool(folder.path);
      expect(again.body(0, 0)).toEqual(bodyOf(0));
      expect(codeOf(() => again.body(0, 1))).toBe('SPOOL_BODY_MISSING');
      again.commitChunks(0, [chunkRow(start + 1)]);
      expect(again.body(0, start + 1)).toEqual(bodyOf(start + 1));
      again.close();
    }
    expect(statSync(segment(0)).size).toBe(1000);
    expect(readdirSync(segments()).sort()).toEqual(['00000000.seg', '00000001.seg']);
  });

  test('of a second agent is refused, and the first is not disturbed', () => {
    const spool = kept(newSpool(folder.path));
    expect(codeOf(() => openSpool(folder.path))).toBe('SPOOL_IN_USE');
    spool.commitChunks(0, [chunkRow(0)]);
    closed(spool);
    kept(openSpool(folder.path));
  });

  test('with another storage key is refused, and lets go of the spool', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(0, [chunkRow(0, { freshStreams: [streamRow('gnss/a')] })]);
    closed(spool);
    writeFileSync(segment(0), Buffer.from('torn'), { flag: 'a' });
    const other = new Uint8Array(32).fill(8);
    expect(codeOf(() => openSpool(folder.path, undefined, fixedKey(other)))).toBe(
      'STORAGE_KEY_WRONG',
    );
    expect(statSync(segment(0)).size, 'it changed nothing').toBe(1004);
    kept(openSpool(folder.path));
  });
});

describe('an index', () => {
  function changeIndex(sql: string): void {
    const database = new Database(index());
    database.exec(sql);
    database.close();
  }

  test('of a newer agent is refused and stays as it is', () => {
    newSpool(folder.path).close();
    changeIndex('PRAGMA user_version = 99');
    const before = readFileSync(index());
    expect(codeOf(() => openSpool(folder.path))).toBe('SPOOL_NEWER');
    expect(codeOf(reading)).toBe('SPOOL_NEWER');
    expect(readFileSync(index()).equals(before)).toBe(true);
  });

  test('of another program is refused and stays as it is', () => {
    newSpool(folder.path).close();
    writeFileSync(index(), '');
    changeIndex('CREATE TABLE notes (text)');
    const before = readFileSync(index());
    expect(codeOf(() => openSpool(folder.path))).toBe('SPOOL_FOREIGN');
    expect(readFileSync(index()).equals(before)).toBe(true);
  });

  test('whose making was interrupted is made again, and is no spool to a reader', () => {
    newSpool(folder.path).close();
    writeFileSync(index(), '');
    expect(codeOf(reading)).toBe('SPOOL_MISSING');
    expect(kept(openSpool(folder.path)).identity()).toBeUndefined();
  });

  test('that is no database any more is damaged', () => {
    newSpool(folder.path).close();
    writeFileSync(index(), Buffer.alloc(8192, 'x'));
    expect(codeOf(() => openSpool(folder.path))).toBe('SPOOL_DAMAGED');
  });

  test.each([
    ["UPDATE chunk SET header = 'text'", () => reading().chunks(0, 0, 0)],
    ['UPDATE chunk SET cursor = 1.5', () => reading().lastChunk(0)],
    ["UPDATE chunk SET segment = 'x'", () => reading().body(0, 0)],
    ["UPDATE session SET record = 'x'", () => reading().sessions(0)],
    ["UPDATE log SET tag = 'x'", () => reading().identity()],
  ])('with a row changed by %s is damaged', (sql, read) => {
    const spool = newSpool(folder.path);
    spool.commitChunks(0, [chunkRow(0)]);
    spool.close();
    changeIndex(`PRAGMA ignore_check_constraints = ON; ${sql}`);
    expect(codeOf(read)).toBe('SPOOL_DAMAGED');
  });

  test('is in WAL mode, so that it is read beside a running agent', () => {
    const spool = newSpool(folder.path);
    spool.close();
    const database = new Database(index());
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    database.close();
  });

  test('is none where there is no spool', () => {
    expect(codeOf(reading)).toBe('SPOOL_MISSING');
  });
});

describe('statements', () => {
  test('mark their chunks, and no other takes their place', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(
      0,
      [0, 1, 2].map((seq) => chunkRow(seq)),
    );
    spool.commitStatement(0, statementRow(0, 0, 2));
    expect(spool.chunks(0, 0, 2).map(({ statement }) => statement)).toEqual([
      { log: 0, seq: 0 },
      { log: 0, seq: 0 },
      undefined,
    ]);
    expect(spool.unbatchedChunks().map(({ seq }) => seq)).toEqual([2]);
    const second = { ...statementRow(0, 2, 1), id: idOf('another') };
    expect(() => spool.commitStatement(0, second)).toThrow('UNIQUE');
    expect(spool.unbatchedChunks().map(({ seq }) => seq)).toEqual([2]);
    expect(spool.lastStatement(0)).toMatchObject({ seq: 0, bytes: Uint8Array.of(9, 0) });
  });

  test('wait for an acceptance, then for a receipt, then for nothing', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitChunks(
      0,
      [0, 1, 2].map((seq) => chunkRow(seq)),
    );
    for (const seq of [0, 1, 2]) spool.commitStatement(0, statementRow(seq, seq, 1));
    const ids = [0, 1, 2].map((seq) => idOf(`statement ${seq}`));
    const receipt = {
      inclusion: Uint8Array.of(1),
      windowHash: idOf('window'),
      window: Uint8Array.of(2),
      link: Uint8Array.of(3),
      ...{ chainId: 1n, block: 1n, unlinked: [], linked: [] },
    };
    const state = () => [
      spool.unacceptedStatements(9).map(({ seq }) => seq),
      spool.unreceiptedStatements(9, 0),
      spool.waitingCount(),
    ];
    expect(state()).toEqual([[0, 1, 2], [], 3]);
    spool.storeAcceptance(ids[0] ?? idOf(''), Uint8Array.of(7));
    expect(state()).toEqual([[1, 2], [ids[0]], 3]);
    spool.storeReceipt(ids[0] ?? idOf(''), receipt);
    spool.storeReceipt(ids[1] ?? idOf(''), { ...receipt, inclusion: Uint8Array.of(4) });
    expect(state()).toEqual([[2], [], 1]);
    expect(spool.unacceptedStatements(0)).toEqual([]);
    expect(spool.statementById(ids[1] ?? idOf(''))).toMatchObject({
      acceptance: undefined,
      inclusion: Uint8Array.of(4),
      windowHash: receipt.windowHash,
    });
    expect(spool.window(receipt.windowHash)).toEqual({ bytes: receipt.window, link: receipt.link });
    expect(spool.window(idOf('none'))).toBeUndefined();
  });

  test('of a session are found with its record', () => {
    const spool = kept(newSpool(folder.path));
    spool.commitSession({ ...IDENTITY, epoch: 9 }, sessionRow(1));
    expect(spool.session(0, 1)).toEqual(sessionRow(1));
    expect(spool.session(0, 2)).toBeUndefined();
    expect(spool.identity(), 'a log never changes its identity').toMatchObject(IDENTITY);
  });
});

describe('a new log', () => {
  const predecessor = { log: 0, statementSeq: 7, statementId: idOf('elsewhere') };

  function rolledBack(atCommitPoint?: AtCommitPoint): Spool {
    const spool = kept(newSpool(folder.path, atCommitPoint));
    const fresh = { freshStreams: [streamRow('raw/can0/001')] };
    spool.commitChunks(
      0,
      [0, 1, 2, 3, 4].map((seq) => chunkRow(seq, seq === 0 ? fresh : {})),
    );
    for (const seq of [0, 1, 2]) spool.commitStatement(0, statementRow(seq, seq, 1));
    spool.storeAcceptance(idOf('statement 0'), Uint8Array.of(7));
    spool.storeAcceptance(idOf('statement 2'), Uint8Array.of(7));
    return spool;
  }

  test('leaves what was accepted, destroys the other statements, and frees their chunks', () => {
    const points: string[] = [];
    const spool = rolledBack((point) => points.push(point));
    const log = spool.beginLog(predecessor);
    expect(points.at(-1)).toBe('log-begun');
    expect(log).toEqual({ ...IDENTITY, log: 1, predecessor });
    expect(spool.identity()).toEqual(log);
    expect(spool.statements(0, 0, 9).map(({ seq }) => seq)).toEqual([0, 2]);
    expect(spool.unacceptedStatements(9)).toEqual([]);
    expect(spool.statementById(idOf('statement 1'))).toBeUndefined();
    expect(spool.unbatchedChunks().map(({ seq }) => seq)).toEqual([1, 3, 4]);
    expect(spool.statementsOver(0, 1, 2).map(({ seq }) => seq)).toEqual([2]);
  });

  test('counts its sessions, chunks, statements and streams from 0, and covers chunks of the one before', () => {
    const spool = rolledBack();
    const log = spool.beginLog(predecessor);
    expect([
      spool.lastChunk(1),
      spool.lastStatement(1),
      spool.sessions(1),
      spool.streams(1),
    ]).toEqual([undefined, undefined, [], []]);
    spool.commitSession(log, sessionRow(0));
    const [a, b] = ['gnss/a', 'raw/can0/001'].map(streamRow);
    if (a === undefined || b === undefined) throw new Error('no streams');
    spool.commitStreams([a]);
    spool.commitChunks(0, [chunkRow(0, { body: bodyOf(50), freshStreams: [a, b] })]);
    spool.commitStatement(0, {
      ...{ seq: 0, id: idOf('of log 1'), bytes: Uint8Array.of(1) },
      spans: [
        { log: 0, firstSeq: 1, count: 1 },
        { log: 0, firstSeq: 3, count: 2 },
        { log: 1, firstSeq: 0, count: 1 },
      ],
    });
    closed(spool);
    const again = kept(openSpool(folder.path));
    expect(again.identity()).toEqual(log);
    expect(again.streams(1)).toEqual([a, b]);
    expect(again.streams(0)).toEqual([streamRow('raw/can0/001')]);
    expect(again.unbatchedChunks()).toEqual([]);
    expect(again.chunks(0, 0, 9).map(({ statement }) => statement)).toEqual([
      { log: 0, seq: 0 },
      { log: 1, seq: 0 },
      { log: 0, seq: 2 },
      { log: 1, seq: 0 },
      { log: 1, seq: 0 },
    ]);
    expect(again.statementsOver(0, 0, 4).map(({ log, seq }) => [log, seq])).toEqual([
      [0, 0],
      [0, 2],
      [1, 0],
    ]);
    expect(again.statementsOver(1, 0, 4).map(({ log, seq }) => [log, seq])).toEqual([[1, 0]]);
    expect(again.lastChunk(1)).toMatchObject({ log: 1, seq: 0, session: 0, announced: 2 });
    expect(again.newestChunk()).toMatchObject({ log: 1, seq: 0 });
    expect([again.body(0, 4), again.body(1, 0)]).toEqual([bodyOf(4), bodyOf(50)]);
    expect(again.unacceptedStatements(9).map(({ log, seq }) => [log, seq])).toEqual([[1, 0]]);
    again.commitChunks(0, [chunkRow(1)]);
    expect(again.body(1, 1)).toEqual(bodyOf(1));
  });

  test.each([
    ['the disk’s', { ...predecessor, log: 0 }, 1],
    ['that of the statement', { ...predecessor, log: 4 }, 5],
  ])('is one above %s', (_, before, log) => {
    expect(rolledBack().beginLog(before)).toMatchObject({ log, predecessor: before });
  });
});

test('what a row said is in no page of the index when the row is gone', () => {
  const spool = kept(newSpool(folder.path));
  const reason = 'nobody is to read this once it is released';
  const hold = spool.hold(0, 0, 5, reason);
  closed(spool);
  expect(readFileSync(index()).includes(reason)).toBe(true);
  const again = kept(openSpool(folder.path));
  again.release(hold);
  closed(again);
  expect(readFileSync(index()).includes(reason)).toBe(false);
});
