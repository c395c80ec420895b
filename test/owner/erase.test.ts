/** What an owner has erased, nobody opens again: not from the unit, not from its keys, not from what was sealed to the owner. */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { custodyOfUnit, eraseOnUnit, exportFromUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk } from '../../core/bundle-items.ts';
import { decodeErasureOrder, encodeErasureOrder } from '../../core/erasure-order.ts';
import { openRoots, orderErasure } from '../../owner/main.ts';
import { codeOf, codeOfAsync } from '../agent/support/coded-error.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { crashLog } from '../crash/crash-log.ts';
import { enrolledUnit, PASSWORD } from './support/enrolled-unit.ts';

let folder: TemporaryFolder;
/** Has recorded, and no agent runs. */
let recorded: string;
let unit: string;
let count = 0;
const at = (name: string) => join(folder.path, name);
const WISH = {
  spans: [{ log: 0, firstSeq: 2, count: 2 }],
  held: 'kept',
  copies: [],
  reason: 'the claim is settled',
  orderedAtS: 1_800_000_000,
} as const;

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = at('recorded');
  writeFileSync(at('drive.log'), crashLog(6).text);
  await enrolledUnit(recorded, at('owner'));
  await record(configFor(recorded, at('drive.log')));
});
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  count += 1;
  unit = at(`unit-${count}`);
  cpSync(recorded, unit, { recursive: true });
});

const ordered = async (wish: Parameters<typeof orderErasure>[2] = WISH) =>
  await orderErasure(at('owner'), sealedRootsOfUnit(unit), wish, PASSWORD);

/** Seqs of log 0 whose leaves can be shown. */
async function opened(withOwner: boolean, of = unit): Promise<readonly number[]> {
  const roots = withOwner ? await openRoots(sealedRootsOfUnit(of), at('owner'), PASSWORD) : [];
  const { sections } = decodeBundle(exportFromUnit(of, { roots }, () => undefined));
  return sections.leaves.map((item) => decodeOpenedChunk(item).seq);
}

/** Whether a file of the unit holds these bytes. */
function holds(bytes: Uint8Array): boolean {
  return readdirSync(unit, { recursive: true, encoding: 'utf8' }).some((path) => {
    const file = join(unit, path);
    return statSync(file).isFile() && readFileSync(file).includes(bytes);
  });
}

function bodyAt(seq: number): Uint8Array {
  const database = new Database(join(unit, 'spool/index.db'), { readonly: true });
  const row = database
    .prepare('SELECT segment, offset, length FROM chunk WHERE place = ?')
    .get(seq) as { segment: number; offset: number; length: number };
  database.close();
  const name = `${String(row.segment).padStart(8, '0')}.seg`;
  const bytes = readFileSync(join(unit, 'spool/segments', name));
  return bytes.subarray(row.offset, row.offset + row.length);
}

test('nobody opens them again, and everything else opens as before', async () => {
  const all = await opened(false);
  expect(all).toContain(2);
  const left = all.filter((seq) => seq !== 2 && seq !== 3);
  const bodies = [2, 3].map(bodyAt).map((body) => Uint8Array.from(body));
  const before = sealedRootsOfUnit(unit).map(({ sealed }) => sealed);
  const keys = readdirSync(join(unit, 'keys')).map((name) =>
    readFileSync(join(unit, 'keys', name), 'latin1').trim(),
  );
  expect(bodies.every(holds) && before.every(holds)).toBe(true);
  expect(eraseOnUnit(unit, await ordered()).chunks).toBe(2);

  expect(await opened(false)).toEqual(left);
  expect(await opened(true)).toEqual(left);
  expect([...bodies, ...before].some(holds)).toBe(false);
  const storage = keys.find((text) => text.includes('storage-key'))?.slice(-64) ?? '';
  expect(holds(new TextEncoder().encode(storage))).toBe(false);
  // The unit goes on where it was, and its record says what was erased.
  await record(configFor(unit, at('drive.log')));
  const found = readdirSync(join(unit, 'custody'));
  expect(found.filter((name) => name !== 'refused')).toHaveLength(1);
});

test('a copy of the unit from before opens nothing with the new roots of the owner', async () => {
  const order = await ordered();
  const copy = at(`copy-${count}`);
  cpSync(unit, copy, { recursive: true });
  eraseOnUnit(unit, order);
  const roots = await openRoots(sealedRootsOfUnit(unit), at('owner'), PASSWORD);
  const { sections } = decodeBundle(exportFromUnit(copy, { roots }, () => undefined));
  const seqs = sections.leaves.map((item) => decodeOpenedChunk(item).seq);
  expect(seqs).not.toContain(2);
  // What the unit itself could read of its last hours, the copy still can: SECURITY.md says so.
  expect(await opened(false, copy)).toContain(2);
});

test('a running agent is to be stopped first, and the same order twice is no mistake', async () => {
  const order = await ordered();
  const agent = await start(
    configFor(unit, at('drive.log'), {
      capture: { driver: 'replay', path: at('drive.log'), speed: 4 },
    }),
  );
  expect(codeOf(() => eraseOnUnit(unit, order))).toBe('SPOOL_IN_USE');
  await agent.stop();
  eraseOnUnit(unit, order);
  // Again: what is gone is gone.
  eraseOnUnit(unit, order);
  expect(await opened(true)).not.toContain(2);
});

test('what is not the owner’s, not there, or held is refused, and nothing is erased', async () => {
  const order = await ordered();
  const { order: content, signature } = decodeErasureOrder(order);
  const wider = encodeErasureOrder({
    order: { ...content, spans: [{ log: 0, firstSeq: 1, count: 3 }] },
    signature,
  });
  expect(codeOf(() => eraseOnUnit(unit, wider))).toBe('OWNER_SIGNATURE_INVALID');
  const other = encodeErasureOrder({ order: { ...content, epoch: 1 }, signature });
  expect(codeOf(() => eraseOnUnit(unit, other))).toBe('ERASURE_FOREIGN');
  const late = await ordered({ ...WISH, spans: [{ log: 0, firstSeq: 2, count: 9_000 }] });
  expect(codeOf(() => eraseOnUnit(unit, late))).toBe('ERASURE_RANGE');
  expect(await codeOfAsync(async () => await orderErasure(at('owner'), [], WISH, PASSWORD))).toBe(
    'ROOTS_NONE',
  );
  const database = new Database(join(unit, 'spool/index.db'));
  database.exec("INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (3, 4, 'event')");
  database.close();
  expect(codeOf(() => eraseOnUnit(unit, order))).toBe('ERASURE_HELD');
  expect(await opened(false)).toContain(2);
  eraseOnUnit(unit, await ordered({ ...WISH, held: 'erased' }));
  expect(await opened(true)).not.toContain(2);
  expect(custodyOfUnit(unit).records).toEqual([]);
});

test('an order from before another erasure would bring back what that one took', async () => {
  const first = await ordered();
  const second = await ordered({ ...WISH, spans: [{ log: 0, firstSeq: 5, count: 1 }] });
  eraseOnUnit(unit, first);
  // Its roots were made from those that still had the keys of chunk 2.
  expect(codeOf(() => eraseOnUnit(unit, second))).toBe('ERASURE_ROOTS');
});
