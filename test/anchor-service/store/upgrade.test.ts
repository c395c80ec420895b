import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { SCHEMA_STEPS } from '../../../anchor-service/store/schema.ts';
import { fromHex } from '../../../core/bytes.ts';
import { decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { decodeAnchoredWindow, encodeAnchoredWindow } from '../../../core/receipt.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const DAY_S = 86_400;
const NOW_S = 1_790_000_000;
/** Before nonces had a sender and a time at which they were settled. */
const BEFORE_SENDERS = 5;
/** With that time, which was 0 for what was settled before. */
const BEFORE_SETTLED = 9;

/** A real anchored window, its block at another time. */
function anchoredAt(timeS: number): Uint8Array {
  const vector = new URL(
    '../../../fixtures/vectors/anchored-window/valid-example.json',
    import.meta.url,
  );
  const { input } = JSON.parse(readFileSync(vector, 'utf8')) as { input: { bytes: string } };
  const { record, anchors } = decodeAnchoredWindow(fromHex(input.bytes));
  const [anchor] = anchors;
  if (anchor === undefined) throw new Error('expected an anchor');
  const header = Buffer.from(anchor.header);
  const time = Buffer.alloc(4);
  time.writeUInt32BE(Number(decodeBlockHeader(header).timestamp));
  const at = header.indexOf(time);
  header.writeUInt32BE(timeS, at);
  expect(Number(decodeBlockHeader(header).timestamp)).toBe(timeS);
  return encodeAnchoredWindow({
    record,
    anchors: [{ ...anchor, header: Uint8Array.from(header) }],
  });
}

/** Windows that are PUBLISHED, of one statement each, in a store of that version. */
function oldStore(dataDir: string, version: number, finalAtS: readonly number[]): void {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'));
  db.function('statement_seq', (_bytes: unknown) => 0);
  for (const step of SCHEMA_STEPS.slice(0, version)) db.exec(step);
  db.pragma(`user_version = ${version}`);
  const vehicle = new Vehicle(1);
  const blob = (byte: number, length = 32): Buffer => Buffer.alloc(length, byte);
  const key = Buffer.from(vehicle.session.key.bytes);
  const insert = (table: string, ...values: readonly unknown[]): void => {
    db.prepare(`INSERT INTO ${table} VALUES (${values.map(() => '?').join()})`).run(...values);
  };
  insert('identity', 1, '1', blob(1, 20), blob(2, 20));
  insert('session', vehicle.sessionId, vehicle.tag, 1, 0, blob(3), 'ES256K', key, blob(4, 9));
  insert('acceptance', 1, blob(5, 9));
  for (const [seq, timeS] of finalAtS.entries()) {
    const { id, bytes } = vehicle.statement(seq);
    const place = [1, seq, seq, 0];
    insert(
      'statement',
      seq + 1,
      id,
      vehicle.sessionId,
      id,
      blob(6),
      vehicle.tag,
      bytes,
      null,
      ...place,
    );
    const window = [
      seq,
      blob(7),
      blob(seq + 10),
      1,
      0,
      'PUBLISHED',
      seq,
      anchoredAt(timeS),
      blob(8),
    ];
    insert('window', ...window, seq, blob(9), null, null, null);
    insert('nonce', seq, seq, 0);
    insert('attempt', seq, seq, blob(seq + 50), blob(1), '1', '1', '1', 0);
  }
  db.close();
}

test('what was final before its time was kept is pruned by the time of its block, and not at once', () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  oldStore(folder.path, BEFORE_SENDERS, [NOW_S - 40 * DAY_S, NOW_S - 5 * DAY_S, NOW_S]);
  const { stores, close } = leadingStores(folder.path);
  cleanup.add(close);
  const keptS = 30 * DAY_S;
  expect(stores.retention.nextPlace({ windowSeq: 0, windowIndex: 0 }, keptS)).toEqual({
    windowSeq: 0,
    windowIndex: 0,
  });
  expect(stores.retention.nextPlace({ windowSeq: 1, windowIndex: 0 }, keptS)).toBeUndefined();
  expect(stores.transactions.newestSettlementS()).toBe(NOW_S);
});

test('so is a store that was brought further before there was that step', () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  oldStore(folder.path, BEFORE_SENDERS, [NOW_S - 40 * DAY_S, NOW_S - 5 * DAY_S]);
  const db = new Database(join(folder.path, 'anchor-service.sqlite'));
  for (const name of ['statement_first_chunk', 'statement_end_chunk']) {
    db.function(name, (_bytes: unknown) => null);
  }
  for (const step of SCHEMA_STEPS.slice(BEFORE_SENDERS, BEFORE_SETTLED)) db.exec(step);
  db.pragma(`user_version = ${BEFORE_SETTLED}`);
  db.close();
  const { stores, close } = leadingStores(folder.path);
  cleanup.add(close);
  expect(stores.transactions.newestSettlementS()).toBe(NOW_S - 5 * DAY_S);
});
