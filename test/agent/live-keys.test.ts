/** A live agent whose hours pass as fast as it looks: what it can still read, what its owner can, and what it says. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AgentConfig, DEFAULTS } from '../../agent/config.ts';
import { exportFromUnit, prepareUnit, sealedRootsOfUnit, startAgent } from '../../agent/main.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeHeaderItem, decodeOpenedChunk } from '../../core/bundle-items.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { KeyNodesWalk } from '../../core/key-walks.ts';
import type { OpenedRoots } from '../../core/sealed-roots.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import { codeOf } from './support/coded-error.ts';
import { TestOwner } from './support/owner.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { configFor, SILENT } from './support/run-agent.ts';
import { keysOf } from './support/storage-keys.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { VirtualCapture } from './support/virtual-capture.ts';

const MINUTE_MS = 60_000;
const HOUR_NS = 3_600_000_000_000n;

let folder: TemporaryFolder;
let owner: TestOwner;
const wrong: unknown[] = [];
const unit = () => join(folder.path, 'unit');

beforeEach(() => {
  folder = temporaryFolder();
  owner = new TestOwner();
  prepareUnit(unit());
});
afterEach(() => {
  folder[Symbol.dispose]();
  expect(wrong.splice(0)).toEqual([]);
});

/** So many looks at the capture, ten minutes apart, and a stop. */
async function drive(
  looks: number,
  keys: Partial<AgentConfig['keys']> = {},
  startsAtNs = 0n,
): Promise<void> {
  const source = new VirtualCapture(10 * MINUTE_MS, looks, startsAtNs);
  const config = configFor(unit(), '', {
    batchMs: 600_000,
    keys: { ...DEFAULTS.keys, ...keys },
    capture: {
      driver: 'native',
      interfaces: [{ name: 'can0', filters: [] }],
      ...{ receiveBufferBytes: 1 << 20, ringBytes: 1 << 20 },
    },
  });
  const events = { ...SILENT, onFatal: (error: unknown) => wrong.push(error) };
  const agent = await startAgent(config, events, {
    openCapture: () => Promise.resolve(source),
    readClock: () => source.now(),
    openClockQuality: () => ({
      read: () => ({ source: 'gnss', quality: undefined }),
      follow: () => undefined,
      close: () => undefined,
    }),
  });
  await source.ended;
  await agent.stop();
}

function evidence(roots: readonly OpenedRoots[] = []) {
  const { sections } = decodeBundle(exportFromUnit(unit(), { log: 'all', roots }, () => undefined));
  const headers = sections.headers.map((item) => decodeChunkHeader(decodeHeaderItem(item).payload));
  const opened = new Set(
    sections.leaves.map(decodeOpenedChunk).map(({ log, seq }) => `${log}/${seq}`),
  );
  const sessions = sections.sessions.map((record) =>
    decodeSessionRecord(unverifiedPayload(record)),
  );
  return {
    ends: headers.map(({ wallEndNs }) => wallEndNs),
    isOpen: headers.map(({ log, seq }) => opened.has(`${log}/${seq}`)),
    holders: sessions.map(({ rootHolder }) => rootHolder),
  };
}

function ownerRoots(): readonly OpenedRoots[] {
  return owner.roots({ sealedRoots: () => sealedRootsOfUnit(unit()) });
}

const keyFiles = () => readdirSync(join(unit(), 'keys')).filter((name) => name !== 'device.key');

test('an enrolled unit reads its last hours, its owner everything, and the evidence says so', async () => {
  owner.enrol(unit());
  await drive(60, { readableHours: 4 });
  const { ends, isOpen, holders } = evidence();
  const now = ends.at(-1) ?? 0n;
  expect(holders).toEqual(['owner']);
  expect(ends.length).toBeGreaterThan(50);
  const hoursOld = (end: bigint) => Number(((now - end) * 60n) / HOUR_NS) / 60;
  for (const [i, end] of ends.entries()) {
    // Rounds come each ten minutes, and what turns too old until the next one goes before it.
    const kept = hoursOld(end) < 3.5 ? true : hoursOld(end) > 4 ? false : isOpen[i];
    expect([i, isOpen[i]]).toEqual([i, kept]);
  }
  expect(evidence(ownerRoots()).isOpen.every(Boolean)).toBe(true);
  expect(keyFiles()).toEqual([expect.stringMatching(/^storage-\d\d\.key$/)]);
  // Of the journal nothing is left that was sealed.
  using spool = openSpoolForReading(join(unit(), 'spool'), keysOf(unit()), PRIMITIVES);
  const journal = new KeyNodesWalk(spool.journalKeys(0) ?? []);
  expect(codeOf(() => journal.nodeOf(0))).toBe('KEY_NODE_RANGE');
  expect(journal.nodeOf(ends.length)).toHaveLength(32);
});

test('what was recorded before the enrolment is the owner’s as well from the next start on', async () => {
  await drive(6);
  expect(evidence().holders).toEqual(['unit']);
  expect(sealedRootsOfUnit(unit())).toEqual([]);
  owner.enrol(unit());
  await drive(6, { readableHours: 1 }, 30n * HOUR_NS);
  const { isOpen, holders } = evidence();
  expect(holders).toEqual(['unit', 'owner']);
  expect(isOpen.slice(0, 6)).toEqual([false, false, false, false, false, false]);
  expect(isOpen.at(-1)).toBe(true);
  expect(evidence(ownerRoots()).isOpen.every(Boolean)).toBe(true);
});

test('a unit that is told to keep its roots keeps them, says so, and the owner has them all the same', async () => {
  owner.enrol(unit());
  await drive(12, { readableHours: 1, rootHolder: 'unit' });
  const { isOpen, holders } = evidence();
  expect(holders).toEqual(['unit']);
  expect(isOpen.every(Boolean)).toBe(true);
  expect(keyFiles()).toEqual(['storage.key']);
  expect(ownerRoots().flatMap(({ streams }) => streams).length).toBeGreaterThan(4);
});

test('a parked unit keeps its last hours until it runs again', async () => {
  owner.enrol(unit());
  await drive(12, { readableHours: 24 });
  expect(evidence().isOpen.every(Boolean)).toBe(true);
  await drive(2, { readableHours: 24 }, 100n * HOUR_NS);
  expect(evidence().isOpen.slice(0, 12)).toEqual(Array.from({ length: 12 }, () => false));
});
