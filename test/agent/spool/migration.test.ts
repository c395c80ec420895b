import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSpoolForReading, type Spool } from '../../../agent/spool/spool.ts';
import type { SpoolReader } from '../../../agent/spool/spool-reader.ts';
import { encodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { CHAIN_ID, TestChain } from '../../../fixtures/generate/bundles/test-chain.ts';
import { codeOf } from '../support/coded-error.ts';
import type { OpenOrders } from '../support/open-spool.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { chunkRow, idOf, openSpool, STORAGE_KEY, streamRow } from '../support/spool-rows.ts';
import { fixedKey } from '../support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';
import { asVersion1 } from '../support/version-1.ts';

let folder: TemporaryFolder;
let expected: ReturnType<typeof contentOf>;
let copies = 0;

beforeAll(() => {
  folder = temporaryFolder();
  const unit = new TestUnit(join(folder.path, 'today'));
  for (let i = 0; i < 3; i++) unit.addStatement();
  unit.startSession();
  for (let i = 0; i < 40; i++) unit.addStatement();
  const [first, second] = unit.spool.statements(0, 0, 1);
  unit.spool.storeAcceptance(first?.id ?? idOf(''), Uint8Array.of(1));
  const receipt = { inclusion: Uint8Array.of(2), windowHash: idOf('window') };
  const window = { window: Uint8Array.of(3), link: Uint8Array.of(4), chainId: 1n, block: 1n };
  unit.spool.storeReceipt(second?.id ?? idOf(''), {
    ...{ ...receipt, ...window, unlinked: [], linked: [] },
  });
  unit.addChunk();
  expected = contentOf(unit.spool);
  unit.spool.close();
  asVersion1(join(folder.path, 'today'), join(folder.path, 'old'));
});
afterAll(() => folder[Symbol.dispose]());

/** What version 9 added. */
const WITHOUT_CUSTODY_LEAVES = 'DROP TABLE custody_chunk;';
/** What version 8 added, and those behind it. */
const WITHOUT_ERASED = `${WITHOUT_CUSTODY_LEAVES} DROP TABLE erased;`;
/** What version 7 added, and those behind it. */
const WITHOUT_CUSTODY = `${WITHOUT_ERASED} DROP TABLE custody_sealed; DROP TABLE custody_end;`;
/** What version 6 added, and those behind it. */
const WITHOUT_KEYS = `${WITHOUT_CUSTODY} DROP TABLE forgetting; DROP TABLE sealed_roots;`;
/** What version 5 added, and those behind it. */
const WITHOUT_ASIDE = `${WITHOUT_KEYS} DROP TRIGGER aside_forgotten; DROP TRIGGER aside_taken; DROP TABLE aside_statement;`;

/** Everything that can be read. */
function contentOf(spool: SpoolReader): Readonly<Record<string, unknown>> {
  const chunks = spool.chunks(0, 0, 1e6);
  return {
    identity: spool.identity(),
    sessions: spool.sessions(0),
    streams: spool.streams(0),
    chunks,
    bodies: chunks.map(({ seq }) => spool.body(0, seq)),
    statements: spool.statements(0, 0, 1e6),
    unbatched: spool.unbatchedChunks(),
    unaccepted: spool.unacceptedStatements(1000),
    unreceipted: spool.unreceiptedStatements(1000, 0),
    window: spool.window(idOf('window')),
    announced: spool.announcedStreams(0),
    end: spool.bodiesEnd(),
  };
}

function oldCopy(): string {
  copies += 1;
  const copy = join(folder.path, `copy ${copies}`);
  cpSync(join(folder.path, 'old'), copy, { recursive: true });
  return copy;
}

function pragma(unit: string, name: string): unknown {
  const database = new Database(join(unit, 'spool/index.db'), { readonly: true });
  try {
    return database.pragma(name, { simple: name === 'user_version' });
  } finally {
    database.close();
  }
}

/** What is committed next goes where it would have gone. */
function recordOn(spool: Spool): void {
  const last = spool.lastChunk(0)?.seq ?? -1;
  spool.commitChunks(1, [chunkRow(last + 1, { freshStreams: [streamRow('gnss/late')] })]);
  expect(spool.lastChunk(0)).toMatchObject({ seq: last + 1, session: 1 });
  expect(spool.streams(0).at(-1)).toEqual(streamRow('gnss/late'));
  expect(spool.announcedStreams(0)).toBe(spool.streams(0).length);
}

test('a spool of version 1 is migrated with all that it holds, and recording goes on in it', () => {
  const copy = oldCopy();
  expect(pragma(copy, 'user_version')).toBe(1);
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
  expect(pragma(copy, 'integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  expect(pragma(copy, 'foreign_key_check')).toEqual([]);
  const again = openSpool(copy);
  expect(again.chunks(0, 0, 1e6).length).toBe((expected['chunks'] as unknown[]).length + 1);
  again.close();
});

test('a migrated index is built like a new one', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const schemaOf = (unit: string): unknown => {
    const database = new Database(join(unit, 'spool/index.db'));
    const rows: unknown = database.prepare('SELECT sql FROM sqlite_master ORDER BY name').all();
    database.close();
    return rows;
  };
  expect(schemaOf(copy)).toEqual(schemaOf(join(folder.path, 'today')));
});

test('an old spool is not migrated by a reader, which says so', () => {
  const copy = oldCopy();
  const before = readFileSync(join(copy, 'spool/index.db'));
  const open = () => openSpoolForReading(join(copy, 'spool'), fixedKey(STORAGE_KEY), PRIMITIVES);
  expect(codeOf(open)).toBe('SPOOL_OLDER');
  expect(readFileSync(join(copy, 'spool/index.db')).equals(before)).toBe(true);
});

test('an old spool with a header that says nothing stays as it is', () => {
  const copy = oldCopy();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec("UPDATE chunk SET header = x'00' WHERE seq = 5");
  database.close();
  expect(codeOf(() => openSpool(copy))).toBe('SPOOL_DAMAGED');
  expect(pragma(copy, 'user_version')).toBe(1);
});

test('a spool of version 2 gets the tables of promises, links and stamps, and keeps the rest', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_ASIDE} DROP TRIGGER statement_forgotten; DROP TABLE moved_statement; DROP TABLE missed_promise;
    DROP TABLE stamped_window; DROP TABLE time_stamp;
    DROP TABLE unlinked_block; DROP TABLE header_hop; DROP INDEX anchored_window_block;
    ALTER TABLE anchored_window DROP COLUMN chain_id; ALTER TABLE anchored_window DROP COLUMN block;
    PRAGMA user_version = 2`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  expect(spool.outboxOf(1).isAwaited()).toBe(false);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('a spool of version 3 learns of which chain its windows, hops and unlinked blocks are', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const chain = new TestChain();
  const link = encodeHeaderLink(chain.hopsLink([{ block: 120n, shows: [110n] }]));
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_ASIDE} DROP INDEX anchored_window_block; ALTER TABLE anchored_window DROP COLUMN chain_id;
    CREATE INDEX anchored_window_block ON anchored_window (block) WHERE block IS NOT NULL;
    DROP TABLE header_hop; DROP TABLE unlinked_block;
    CREATE TABLE header_hop (id BLOB PRIMARY KEY, number INTEGER NOT NULL, link BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX header_hop_number ON header_hop (number);
    CREATE TABLE unlinked_block (number INTEGER NOT NULL, hash BLOB NOT NULL, asked INTEGER NOT NULL,
      PRIMARY KEY (number, hash)) WITHOUT ROWID;
    PRAGMA user_version = 3`);
  database.prepare("INSERT INTO anchored_window VALUES (x'01', x'02', ?, 120)").run(link);
  database.prepare("INSERT INTO header_hop VALUES (x'03', 120, ?)").run(link);
  database.prepare('INSERT INTO unlinked_block VALUES (7, ?, 2)').run(idOf('unlinked'));
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  expect(spool.newestAnchor(CHAIN_ID)).toEqual(chain.beacon(120n));
  expect(spool.newestAnchor(CHAIN_ID + 1n)).toBeUndefined();
  expect(spool.links(CHAIN_ID, 0n, 200n, 9)).toEqual([link, link]);
  expect(spool.unlinkedBlocks(CHAIN_ID, 9)).toEqual([
    { chainId: CHAIN_ID, number: 7n, hash: idOf('unlinked') },
  ]);
  expect(spool.outboxOf(1).isAwaited()).toBe(false);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
  expect(pragma(copy, 'integrity_check')).toEqual([{ integrity_check: 'ok' }]);
});

test('a spool of version 4 gets its table of what a service refuses', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_ASIDE} PRAGMA user_version = 4`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  const [waiting] = spool.unacceptedStatements(1);
  spool.putAside(waiting?.id ?? idOf(''), 'STATEMENT_PRUNED');
  expect(spool.asideCount()).toBe(1);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('a spool of version 5 has forgotten nothing, and goes on under the key that it has', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_KEYS} PRAGMA user_version = 5`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  expect(spool.sealedRoots()).toEqual([]);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('a spool of version 6 gets its tables of custody records', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_CUSTODY} PRAGMA user_version = 6`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  expect(spool.custodyEnds(0).size).toBe(0);
  expect(spool.custodyChunks()).toEqual([]);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('a spool of version 7 gets its table of erased chunks', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_ERASED} PRAGMA user_version = 7`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('a spool of version 8 gets its table of custody leaves', () => {
  const copy = oldCopy();
  openSpool(copy).close();
  const database = new Database(join(copy, 'spool/index.db'));
  database.exec(`${WITHOUT_CUSTODY_LEAVES} PRAGMA user_version = 8`);
  database.close();
  const spool = openSpool(copy);
  expect(contentOf(spool)).toEqual(expected);
  recordOn(spool);
  spool.close();
  expect(pragma(copy, 'user_version')).toBe(9);
});

test('killed while it migrates, a spool is of the old version or of the new, and whole', {
  timeout: 120_000,
}, async () => {
  const program = join(import.meta.dirname, '../support/open-spool.ts');
  const versions: unknown[] = [];
  for (let round = 0; round < 26; round++) {
    const copy = oldCopy();
    const orders: OpenOrders = [copy, String(round)];
    const child = spawn(process.execPath, [program, ...orders], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child, 'close');
    expect(child.signalCode).toBe('SIGKILL');
    versions.push(pragma(copy, 'user_version'));
    const spool = openSpool(copy);
    expect(contentOf(spool)).toEqual(expected);
    recordOn(spool);
    spool.close();
  }
  // The last of the steps is behind the commit.
  expect(new Set(versions)).toEqual(new Set([1, 9]));
});
