/** What a crash takes of a capture that is not in the journal: the evidence says from when on. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

test('of several buses, it begins where the driver says that all of them were read', async () => {
  using folder = temporaryFolder();
  const image = join(folder.path, 'image');
  const source = new MemoryCapture(['can0', 'can1']);
  // A frame of can1, 20 ms older than the newest of can0, may wait in the kernel for as long.
  const said: bigint[] = [];
  source.readTo = (monoNs) => {
    said.push(monoNs - 20_000_000n);
    return monoNs - 20_000_000n;
  };
  await using unit = new LiveUnit(folder.path, source);
  await unit.start(
    { chunkMs: 60_000, journal: { blockMs: 20 } },
    {
      atCommitPoint: (point) => {
        if (point === 'block-synced')
          cpSync(unit.dataDir, join(image, 'unit'), { recursive: true });
      },
    },
  );
  await sleep(60);
  source.add(0, 0x100, Uint8Array.of(1));
  await until(() => unit.durable.at(-1)?.[0] === 1);
  await unit.stop();

  await using restarted = new LiveUnit(image, new MemoryCapture(['can0', 'can1']));
  await restarted.start();
  await restarted.stop();
  expect(restarted.frames()).toEqual(['can0 100#01']);
  const gaps = restarted.headers().flatMap((header) => header.gaps);
  const [gap] = gaps.filter(({ bus }) => bus === '');
  expect(gap?.cause).toBe('agent_crashed');
  const [recovered] = restarted.headers();
  expect(gap?.fromNs).toBe(recovered?.wallEndNs);
  expect(said).toContain(recovered?.monoEndNs);
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
