/** What a crash takes of a capture that is not in the journal: the evidence says from when on. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LiveUnit } from './support/live-unit.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('the gap of a crash begins at the newest frame that is there, whatever waited behind it', async () => {
  using folder = temporaryFolder();
  const source = new MemoryCapture(['can0']);
  source.maxFrames = 1;
  await using unit = new LiveUnit(folder.path, source);
  const images: string[] = [];
  await unit.start(
    { chunkMs: 60_000, journal: { blockMs: 20 } },
    {
      atCommitPoint: (point) => {
        if (point !== 'block-synced') return;
        const image = join(folder.path, `image ${images.length}`);
        cpSync(unit.dataDir, join(image, 'unit'), { recursive: true });
        images.push(image);
      },
    },
  );
  const stamps: bigint[] = [];
  for (let i = 0; i < 3; i++) {
    stamps.push(source.now().wallNs);
    source.add(0, 0x100, Uint8Array.of(i));
    standStill(100);
  }
  await until(() => images.length === 3);
  await unit.stop();

  for (const [i, image] of images.entries()) {
    await using restarted = new LiveUnit(image, new MemoryCapture(['can0']));
    await restarted.start();
    await restarted.stop();
    expect(restarted.frames()).toHaveLength(i + 1);
    const gaps = restarted.headers().flatMap((header) => header.gaps);
    const [{ fromNs, cause } = { fromNs: 0n, cause: '' }] = gaps.filter(({ bus }) => bus === '');
    expect(cause).toBe('agent_crashed');
    // Behind the frame that is there, and not when it was taken, which was 100 ms later at least.
    const newestNs = stamps[i] ?? 0n;
    expect(fromNs).toBeGreaterThanOrEqual(newestNs);
    expect(fromNs).toBeLessThan(newestNs + 50_000_000n);
  }
});

test('a session that died before its first block leaves a gap from its start', async () => {
  using folder = temporaryFolder();
  const image = join(folder.path, 'image');
  await using unit = new LiveUnit(folder.path, new MemoryCapture(['can0']));
  const startedNs = unit.source.now().wallNs;
  await unit.start(
    {},
    {
      atCommitPoint: (point) => {
        if (point !== 'session-committed') return;
        cpSync(unit.dataDir, join(image, 'unit'), { recursive: true });
      },
    },
  );
  const endedNs = unit.source.now().wallNs;
  await unit.stop();

  await using restarted = new LiveUnit(image, new MemoryCapture(['can0']));
  await restarted.start();
  await restarted.stop();
  const gaps = restarted.headers()[0]?.gaps ?? [];
  expect(gaps).toMatchObject([{ bus: '', cause: 'agent_crashed' }]);
  expect(gaps[0]?.fromNs).toBeGreaterThan(startedNs);
  expect(gaps[0]?.fromNs).toBeLessThan(endedNs);
});
