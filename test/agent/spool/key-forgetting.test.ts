/** A unit that can write what it can no longer read: real chunks, real key files, and a thief with a copy of both. */
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ExportSelection, exportEvidence } from '../../../agent/disclose/export-evidence.ts';
import { readableStreams } from '../../../agent/disclose/readable-streams.ts';
import type { AtCommitPoint, StorageKeys } from '../../../agent/ports.ts';
import { openSpoolForReading, type Spool } from '../../../agent/spool/spool.ts';
import { decodeBundle } from '../../../core/bundle.ts';
import { decodeOpenedChunk } from '../../../core/bundle-items.ts';
import { toHex } from '../../../core/bytes.ts';
import { childNodes, type KeyNode, nodesWithin, rootNode } from '../../../core/key-tree.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { JOURNAL_ORDINAL } from '../../../core/sealed-roots.ts';
import { codeOf } from '../support/coded-error.ts';
import { TestOwner } from '../support/owner.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { openSpool } from '../support/spool-rows.ts';
import { keysOf, openKeys } from '../support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const SECOND_NS = 1_000_000_000n;
/** Where `TestUnit` begins its clock, so that its chunks have times that can be. */
const START_S = 1_800_000_000;

let folder: TemporaryFolder;
let owner: TestOwner;
let open: Spool[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  owner = new TestOwner();
});
afterEach(() => {
  for (const spool of open) spool.close();
  open = [];
  folder[Symbol.dispose]();
});

const unitFolder = () => join(folder.path, 'unit');

function opened(atCommitPoint?: AtCommitPoint): (path: string) => Spool {
  return (path) => {
    const spool = openSpool(path, atCommitPoint, openKeys(path));
    open.push(spool);
    return spool;
  };
}

/** @param isOwned whether it is enrolled from the start */
function newUnit(isOwned = true, atCommitPoint?: AtCommitPoint): TestUnit {
  return new TestUnit(
    unitFolder(),
    undefined,
    (path) => {
      const spool = opened(atCommitPoint)(path);
      if (isOwned) spool.sealRootsTo(owner.sealTo);
      return spool;
    },
    START_S,
  );
}

/** A chunk each ten seconds; `nowS` is that many seconds behind the start. */
function forget(spool: Spool, nowS: number | undefined, hours = 1): void {
  const nowNs = nowS === undefined ? undefined : (BigInt(START_S) + BigInt(nowS)) * SECOND_NS;
  spool.forgetKeys({ hours: () => hours, nowNs: () => nowNs, bootNs: () => 0n });
}

/** An hour less the ten minutes between two rounds, behind this second: what ended by then is too old. */
function whenOld(second: number): number {
  return second + 3000 + 1;
}

function exported(spool: Parameters<typeof exportEvidence>[0], selection: ExportSelection = {}) {
  let forgotten = 0;
  const progress = {
    onChunk: () => undefined,
    onForgotten: (count: number) => {
      forgotten = count;
    },
  };
  const bundle = exportEvidence(spool, selection, PRIMITIVES, progress);
  const { sections } = decodeBundle(bundle);
  const seqs = sections.leaves.map((item) => decodeOpenedChunk(item).seq);
  return { forgotten, headers: sections.headers.length, seqs };
}

const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

function drive(unit: TestUnit, chunks: number): void {
  for (let i = 0; i < chunks; i++) unit.addChunk();
}

function keyFiles(path = unitFolder()): readonly string[] {
  return readdirSync(join(path, 'keys')).sort();
}

describe('a round', () => {
  test('takes what is too old, and leaves what is young, what is held, and what is to come', () => {
    const unit = newUnit();
    drive(unit, 30);
    unit.spool.hold(0, 2, 4, 'a crash');
    const before = unit.spool.streams(0);
    // Chunk i ends i * 10 + 10 seconds behind the start.
    forget(unit.spool, whenOld(200));
    const after = exported(unit.spool);
    expect(after).toEqual({
      forgotten: 17,
      headers: 30,
      seqs: [2, 3, 4, ...range(20, 10)],
    });
    expect(keyFiles()).toEqual(['storage-1.key']);
    drive(unit, 3);
    expect(exported(unit.spool).seqs).toEqual([2, 3, 4, ...range(20, 13)]);
    for (const [i, { name, nodes }] of unit.spool.streams(0).entries()) {
      const root = before[i]?.nodes ?? [];
      expect([name, nodes.every(({ depth }) => depth > 0)]).toEqual([before[i]?.name, true]);
      expect(nodesWithin(nodes, 0, 19)).toEqual(nodesWithin(root, 2, 4));
    }
  });

  test('is none where nothing would go, and none takes what it cannot date', () => {
    const unit = newUnit();
    drive(unit, 5);
    forget(unit.spool, undefined);
    forget(unit.spool, 60);
    expect(keyFiles()).toEqual(['storage.key']);
    expect(exported(unit.spool).seqs).toEqual(range(0, 5));
  });

  test('at no hours leaves nothing that is sealed', () => {
    const unit = newUnit();
    drive(unit, 5);
    forget(unit.spool, 60, 0);
    expect(exported(unit.spool)).toEqual({ forgotten: 5, headers: 5, seqs: [] });
    drive(unit, 1);
    expect(exported(unit.spool).seqs).toEqual([5]);
  });

  test('takes what was held once it is released', () => {
    const unit = newUnit();
    drive(unit, 10);
    const hold = unit.spool.hold(0, 0, 3, 'a crash');
    forget(unit.spool, whenOld(1000));
    expect(exported(unit.spool).seqs).toEqual(range(0, 4));
    unit.spool.release(hold);
    forget(unit.spool, whenOld(1000));
    expect(exported(unit.spool).seqs).toEqual([]);
    expect(keyFiles()).toEqual(['storage-2.key']);
  });

  test('comes while the unit records, when it is due, and not before', () => {
    const unit = newUnit();
    let second = 0;
    unit.spool.forgetKeys({
      hours: () => 1,
      nowNs: () => BigInt(START_S + second) * SECOND_NS,
      bootNs: () => BigInt(second) * SECOND_NS,
    });
    // Two hours, a chunk each ten seconds.
    for (; second < 7200; second += 10) {
      unit.addChunk();
      if (second % 1200 !== 0) continue;
      const [oldest = 0] = exported(unit.spool, { fromSeq: Math.max(0, second / 10 - 365) }).seqs;
      expect(oldest * 10).toBeGreaterThanOrEqual(second - 3600);
    }
    expect(keyFiles()).toEqual([expect.stringMatching(/^storage-[5-8]\.key$/)]);
  });

  test('of a log that is closed leaves no node of what it would have sealed', () => {
    const unit = newUnit();
    drive(unit, 10);
    unit.beginLog({ log: 0, statementSeq: 4, statementId: new Uint8Array(32) });
    drive(unit, 2);
    forget(unit.spool, whenOld(80));
    const streams = unit.spool.streams(0);
    expect(streams.length).toBeGreaterThan(0);
    for (const { nodes } of streams) expect(nodesWithin(nodes, 10, 0xffff_ffff)).toEqual([]);
    expect(exported(unit.spool, { log: 'all' }).seqs).toEqual([8, 9, 0, 1]);
  });

  test('cuts the journal to what is not sealed yet', () => {
    const unit = newUnit();
    unit.spool.commitJournal({
      name: 'records/journal',
      nodes: [rootNode(PRIMITIVES.random(32))],
    });
    const [root] = unit.spool.journalKeys(0) ?? [];
    drive(unit, 10);
    forget(unit.spool, 60);
    const nodes = unit.spool.journalKeys(0) ?? [];
    expect(nodes).toEqual(nodesWithin(root === undefined ? [] : [root], 10, 0xffff_ffff));
    expect(exported(unit.spool).seqs).toEqual(range(0, 10));
    const sealed = owner.roots(unit.spool).find((row) => row.firstOrdinal === JOURNAL_ORDINAL);
    expect(sealed?.streams).toEqual([
      { name: 'records/journal', nodes: root === undefined ? [] : [root] },
    ]);
  });

  test('cuts no row whose roots the owner does not have', () => {
    const unit = newUnit(false);
    drive(unit, 5);
    unit.spool.sealRootsTo(owner.sealTo);
    unit.startSession();
    forget(unit.spool, whenOld(1000));
    expect(exported(unit.spool).seqs).toEqual(range(0, 5));
    unit.spool.sealMissingRoots();
    unit.spool.sealMissingRoots();
    forget(unit.spool, whenOld(1000));
    expect(exported(unit.spool).seqs).toEqual([]);
    expect(exported(unit.spool, { roots: owner.roots(unit.spool) }).seqs).toEqual(range(0, 5));
  });

  test('goes on in the next process, with what the one before has kept', () => {
    const unit = newUnit();
    drive(unit, 30);
    forget(unit.spool, whenOld(200));
    unit.spool.close();
    open = [];
    const again = new TestUnit(unitFolder(), unit.device, opened(), START_S);
    again.addChunk();
    expect(exported(again.spool).seqs).toEqual(range(20, 11));
  });
});

describe('the owner', () => {
  test('opens everything, from the unit and from a copy without its keys', () => {
    const unit = newUnit();
    drive(unit, 12);
    forget(unit.spool, whenOld(1000));
    const roots = owner.roots(unit.spool);
    expect(exported(unit.spool, { roots })).toEqual({
      ...{ forgotten: 0, headers: 12, seqs: range(0, 12) },
    });
    expect(readableStreams(unit.spool, 0, roots).map(({ nodes }) => nodes[0]?.depth)).toEqual(
      unit.spool.streams(0).map(() => 0),
    );
    const copy = join(folder.path, 'copy');
    cpSync(unitFolder(), copy, { recursive: true });
    rmSync(join(copy, 'keys'), { recursive: true });
    using reader = openSpoolForReading(join(copy, 'spool'), keysOf(copy), PRIMITIVES);
    expect(codeOf(() => exported(reader))).toBe('KEY_FILE_MISSING');
    expect(exported(reader, { roots: owner.roots(reader) }).seqs).toEqual(range(0, 12));
  });

  test('gives a part, and the rest is what the unit has', () => {
    const unit = newUnit();
    drive(unit, 12);
    const roots = owner
      .roots(unit.spool)
      .map((row) => ({ ...row, streams: row.streams.slice(0, 1) }));
    forget(unit.spool, whenOld(100));
    const streams = readableStreams(unit.spool, 0, roots);
    expect(streams.map(({ nodes }) => nodes[0]?.depth === 0)).toEqual([true, false, false, false]);
    expect(streams.map(({ name }) => name)).toEqual(unit.spool.streams(0).map(({ name }) => name));
    expect(exported(unit.spool, { roots })).toEqual({
      ...{ forgotten: 10, headers: 12, seqs: [10, 11] },
    });
  });
});

/** Every node that gives a forgotten seq: whoever has one of them can read. */
function forbiddenNodes(roots: readonly Uint8Array[], seqs: readonly number[]): Set<string> {
  const found = new Set<string>();
  const descend = (node: KeyNode): void => {
    const inside = seqs.some((seq) => Math.floor(seq / 2 ** (32 - node.depth)) === node.prefix);
    if (!inside) return;
    found.add(toHex(node.node));
    if (node.depth < 32) for (const child of childNodes(node, PRIMITIVES.sha512)) descend(child);
  };
  for (const root of roots) descend(rootNode(root));
  return found;
}

function filesIn(path: string): readonly Buffer[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
}

test('with a full copy of disk and keys no leaf opens that is older than it may be and not held', () => {
  const unit = newUnit();
  unit.spool.hold(0, 5, 6, 'a crash');
  drive(unit, 20);
  const roots = unit.spool.streams(0).flatMap(({ nodes }) => nodes.map(({ node }) => node));
  forget(unit.spool, whenOld(100));
  drive(unit, 20);
  const oldKeys = [keysOf(unitFolder()).read(1)];
  const oldIndex = new Database(join(unitFolder(), 'spool/index.db'), { readonly: true });
  const oldRows = oldIndex.prepare('SELECT sealed FROM stream_roots').pluck().all() as Buffer[];
  oldIndex.close();
  forget(unit.spool, whenOld(300));
  drive(unit, 10);

  // While it runs: index, its log with all that was ever written there, segments, keys.
  const copy = join(folder.path, 'copy');
  cpSync(unitFolder(), copy, { recursive: true });
  const files = filesIn(copy);
  const forgotten = [...range(0, 5), ...range(7, 23)];
  const forbidden = forbiddenNodes(roots, forgotten);
  expect(forbidden.size).toBeGreaterThan(100);
  for (const file of files) {
    const hex = file.toString('hex');
    for (let at = 0; at + 32 <= file.length; at++) {
      if (forbidden.has(hex.slice(2 * at, 2 * at + 64))) throw new Error(`a node lies at ${at}`);
    }
    for (const key of oldKeys) {
      expect([file.includes(key), file.includes(Buffer.from(toHex(key)))]).toEqual([false, false]);
    }
  }
  // The rows of before are there still, as ciphertext that nothing in the copy opens.
  const parts = oldRows.flatMap((row) => [100, 1200, 2000].map((at) => row.subarray(at, at + 64)));
  expect(parts.some((part) => files.some((file) => file.includes(part)))).toBe(true);
  expect(keyFiles(copy)).toEqual(['storage-2.key']);

  using reader = openSpoolForReading(join(copy, 'spool'), keysOf(copy), PRIMITIVES);
  for (const { nodes } of reader.streams(0)) {
    const walk = new KeyNodesWalk(nodes);
    for (const seq of forgotten) expect(codeOf(() => walk.nodeOf(seq))).toBe('KEY_NODE_RANGE');
  }
  expect(exported(reader)).toEqual({
    ...{ forgotten: forgotten.length, headers: 50, seqs: [5, 6, ...range(30, 20)] },
  });
});

describe('a reader beside the unit', () => {
  test('begins again when the key went between the rows and it', () => {
    const unit = newUnit();
    drive(unit, 12);
    let rounds = 0;
    const real = keysOf(unitFolder());
    const keys: Pick<StorageKeys, 'read'> = {
      read: (generation) => {
        // The unit goes on between the moment of the rows and the moment of the key.
        if (rounds < 3) {
          rounds += 1;
          drive(unit, 1);
          forget(unit.spool, whenOld(20 + 10 * rounds));
        }
        return real.read(generation);
      },
    };
    using reader = openSpoolForReading(join(unitFolder(), 'spool'), keys, PRIMITIVES);
    expect(reader.streams(0)).toEqual(unit.spool.streams(0));
    expect(rounds).toBe(3);
  });

  test('says that the key is gone when it is', () => {
    const unit = newUnit();
    drive(unit, 2);
    unit.spool.close();
    open = [];
    rmSync(join(unitFolder(), 'keys/storage.key'));
    using reader = openSpoolForReading(
      join(unitFolder(), 'spool'),
      keysOf(unitFolder()),
      PRIMITIVES,
    );
    expect(codeOf(() => reader.streams(0))).toBe('KEY_FILE_MISSING');
    expect(reader.sealedRoots().length).toBeGreaterThan(0);
  });
});
