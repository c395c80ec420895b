import { expect, test } from 'vitest';
import type { ClockQuality } from '../../agent/ports.ts';
import { keepWithin } from '../../agent/running-agent.ts';
import { AgentStatus } from '../../agent/status.ts';
import { chunkRow, headerRow, newSpool } from './support/spool-rows.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const MIB = 1 << 20;
const DAY_MS = 86_400_000;

test('the status tells what room the spool takes, by the bounds and the time that are known', () => {
  using folder = temporaryFolder();
  const status = new AgentStatus(0);
  const spool = newSpool(folder.path);
  let bounds = { maxBytes: 1e12, maxAgeDays: 1 };
  let clock: ReturnType<ClockQuality> = { source: 'unsynchronised', quality: undefined };
  keepWithin(
    spool,
    () => bounds,
    status,
    () => clock,
  );
  const endMs = Date.now() - 10 * DAY_MS;
  const commit = (seq: number): void => {
    const header = headerRow(seq, endMs + seq);
    spool.commitChunks(0, [chunkRow(seq, { body: new Uint8Array(8 * MIB), header })]);
  };
  for (let seq = 0; seq < 3; seq++) commit(seq);
  expect(status.spool).toMatchObject({ evictedChunks: 0, oldestMs: endMs, maxBytes: 1e12 });
  clock = { source: 'ntp', quality: undefined };
  spool.hold(0, 1, 1, 'an event');
  commit(3);
  expect(status.spool).toMatchObject({ evictedChunks: 2, oldestMs: endMs + 1 });
  expect(status.spool).toMatchObject({ heldBytes: 8 * MIB, isFullOfHolds: false });
  bounds = { maxBytes: 8 * MIB, maxAgeDays: 1000 };
  spool.keepSoon();
  commit(4);
  expect(status.spool).toMatchObject({ evictedChunks: 3, isFullOfHolds: true, maxBytes: 8 * MIB });
  spool.close();
});

test.each([
  ['20 years ahead', 20 * 365 * DAY_MS, 0],
  ['20 years behind', -20 * 365 * DAY_MS, 0],
  ['half a day ahead: by the time less that, nothing is', DAY_MS / 2, 0],
  ['an hour ahead', 3_600_000, 1],
])('a clock that a receiver tells to be %s makes so much too old', (_, offsetMs, evictedChunks) => {
  using folder = temporaryFolder();
  const status = new AgentStatus(0);
  const spool = newSpool(folder.path);
  const quality = { offsetNs: BigInt(offsetMs) * 1_000_000n, uncertaintyNs: 1_000_000n };
  keepWithin(
    spool,
    () => ({ maxBytes: 1e12, maxAgeDays: 1 }),
    status,
    () => ({ source: 'gnss', quality }),
  );
  const endMs = Date.now() - 1.25 * DAY_MS;
  for (let seq = 0; seq < 2; seq++) {
    const header = headerRow(seq, endMs + seq);
    spool.commitChunks(0, [chunkRow(seq, { body: new Uint8Array(8 * MIB), header })]);
  }
  expect(status.spool).toMatchObject({ evictedChunks });
  spool.close();
});
