/** A file system that turns read-only takes nothing that was durable, and the agent goes on when it is mended. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { makeDisk } from './guest.ts';
import type { FailingDiskExperiments } from './jobs/failing-disk.ts';
import { counterOf, readRecorded, stampNs, verdictOn } from './recorded.ts';
import { runJob } from './run-job.ts';

test('what was durable is there, and the hole is named', async () => {
  using folder = temporaryFolder();
  const shared = join(folder.path, 'shared');
  mkdirSync(shared);
  const disk = makeDisk(join(folder.path, 'disk.img'), 128);
  const found = await runJob<FailingDiskExperiments>('failing-disk.ts', {
    ...{ shared, disk },
    timeoutMs: 400_000,
  });
  const { problems, durable, deviceKey, witnessed, dropped } = found('readOnly');
  expect(problems).toContain('STORAGE_READ_ONLY');
  const bundle = join(shared, 'read-only.wmk');
  const { lines, gaps } = readRecorded(bundle);
  const counters = lines.map(counterOf);
  expect(counters.slice(0, durable)).toEqual(Array.from({ length: durable }, (_, i) => i));
  // It recorded on: the last frame that was sent is there.
  expect(counters.at(-1)).toBe(4999);
  // What was read and not yet durable when the disk failed: candump has the stamps of all of it, in microseconds.
  expect([witnessed.length, dropped]).toEqual([5000, 0]);
  const missing = witnessed.filter((line) => !counters.includes(counterOf(line)));
  const isCovered = (line: string): boolean => {
    const stamp = stampNs(line);
    return gaps.some(
      ({ bus, cause, fromNs, toNs }) =>
        bus === '' && cause === 'storage_full' && fromNs <= stamp && stamp + 999n <= toNs,
    );
  };
  expect(missing.length).toBeGreaterThan(0);
  expect(missing.filter((line) => !isCovered(line))).toEqual([]);
  const verdict = verdictOn(bundle, deviceKey);
  for (const code of ['HEADER_CHAIN', 'COVERED', 'LEAVES', 'STREAMS', 'ORDER', 'GAPS']) {
    expect(verdict(code)).toMatchObject({ verdict: 'PASSED' });
  }
});
