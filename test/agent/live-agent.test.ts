import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { LiveUnit } from './support/live-unit.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let source: MemoryCapture;
let unit: LiveUnit;

beforeEach(() => {
  folder = temporaryFolder();
  source = new MemoryCapture();
  unit = new LiveUnit(folder.path, source);
});
afterEach(async () => {
  await unit.stop();
  folder[Symbol.dispose]();
});

test('what is captured comes back from the evidence, frame by frame', async () => {
  await unit.start();
  for (let i = 0; i < 100; i++) {
    source.add(i % 2, 0x100 + (i % 7), Uint8Array.of(i, 1, 2));
    if (i % 10 === 0) await sleep(15);
  }
  await unit.stop();
  const frames = unit.frames();
  expect(frames).toHaveLength(100);
  expect(frames[17]).toBe('can1 103#110102');
  expect(unit.headers().at(-1)?.state).toBe('shutdown');
  expect(source.isClosed).toBe(true);
});

test('every frame is durable in the journal before its chunk is over', async () => {
  await unit.start({ chunkMs: 60_000 });
  source.add(0, 0x123, Uint8Array.of(1));
  source.add(1, 0x124, Uint8Array.of(2));
  await until(() => unit.durable.at(-1)?.join() === '1,1');
  expect(unit.headers()).toHaveLength(0);
  expect(existsSync(join(folder.path, 'unit/spool/journal'))).toBe(true);
});

test('losses and outages stand in the header of their chunk', async () => {
  await unit.start({ chunkMs: 60_000 });
  source.add(0, 0x123, Uint8Array.of(1));
  source.lose(0, 12);
  source.add(0, 0x123, Uint8Array.of(2));
  source.link(1, 'down');
  await until(() => (unit.durable.at(-1)?.[0] ?? 0) === 2);
  source.link(1, 'up');
  await sleep(50);
  await unit.stop();
  const [header] = unit.headers();
  expect(header?.buses).toMatchObject([{ bus: 'can0', kernelDrops: 12 }, { kernelDrops: 0 }]);
  expect(header?.gaps.map(({ bus, cause }) => [bus, cause])).toEqual([
    ['can0', 'overflow'],
    ['can1', 'interface_down'],
  ]);
});

test('a start after a stop names it in its first chunk', async () => {
  await unit.start();
  await unit.stop();
  const before = unit.headers().length;
  await unit.start();
  await unit.stop();
  const headers = unit.headers();
  const causes = headers.map(({ gaps }) => gaps.map(({ bus, cause }) => `${bus} ${cause}`));
  expect(causes.flat()).toEqual([' agent_stopped']);
  expect(causes[before]).toEqual([' agent_stopped']);
  expect([headers[before - 1]?.state, headers.at(-1)?.state]).toEqual(['shutdown', 'shutdown']);
});

describe('a wall clock that is set', () => {
  const HOUR_NS = 3_600_000_000_000n;

  test.each([
    ['an hour forward', HOUR_NS],
    ['an hour back', -HOUR_NS],
    ['20 years forward', 20n * 8766n * HOUR_NS],
    ['20 years back', -20n * 8766n * HOUR_NS],
  ])('%s while frames come loses none, and the step is told', async (_, stepNs) => {
    await unit.start();
    for (let i = 0; i < 40; i++) {
      if (i === 20) source.stepNs = stepNs;
      source.add(0, 0x200, Uint8Array.of(i));
      await sleep(5);
    }
    await unit.stop();
    const numbers = unit.frames().map((line) => Number.parseInt(line.slice(-2), 16));
    expect(numbers).toEqual([...numbers.keys()]);
    expect(numbers).toHaveLength(40);
    const headers = unit.headers();
    expect(headers.reduce((sum, { clock }) => sum + clock.steps, 0)).toBe(1);
    const monoEnds = headers.map(({ monoEndNs }) => monoEndNs);
    expect(headers.slice(1).map(({ monoStartNs }) => monoStartNs)).toEqual(monoEnds.slice(0, -1));
  });

  test('from 1970 to today, as on a unit without a battery, loses none', async () => {
    source.stepNs = -1_790_000_000_000_000_000n;
    await unit.start();
    source.add(0, 0x200, Uint8Array.of(0));
    await until(() => unit.durable.at(-1)?.[0] === 1);
    source.stepNs = 0n;
    source.add(0, 0x200, Uint8Array.of(1));
    await until(() => unit.durable.at(-1)?.[0] === 2);
    await unit.stop();
    expect(unit.frames()).toEqual(['can0 200#00', 'can0 200#01']);
    expect(unit.headers()[0]?.wallStartNs).toBeLessThan(10_000_000_000_000_000n);
  });
});

test('a suspended machine leaves a gap of its length', async () => {
  await unit.start();
  await sleep(50);
  source.suspendedNs += 7_000_000_000n;
  await sleep(60);
  await unit.stop();
  const gap = unit.headers().flatMap(({ gaps }) => gaps)[0];
  expect(gap).toMatchObject({ bus: '', cause: 'suspended' });
  expect(Number((gap?.toNs ?? 0n) - (gap?.fromNs ?? 0n)) / 1e9).toBeCloseTo(7, 1);
});

test('a bus that sleeps has its gap, and the chunk of sleep grows', async () => {
  await unit.start({ idleAfterMs: 1000, chunkMs: 100, batchMs: 60_000 });
  source.add(0, 0x200, Uint8Array.of(0));
  source.add(1, 0x200, Uint8Array.of(0));
  await sleep(2000);
  await unit.stop();
  const headers = unit.headers();
  const gaps = headers.flatMap(({ gaps }) => gaps);
  expect(new Set(gaps.map(({ bus, cause }) => `${bus} ${cause}`))).toEqual(
    new Set(['can0 bus_idle', 'can1 bus_idle']),
  );
  // 2 s of chunks of 100 ms would be 20.
  expect(headers.length).toBeLessThan(8);
});

test('a slow disk, 500 ms for each block, delays blocks and loses nothing', async () => {
  const openJournal = (path: string): JournalFile => {
    const file = JournalFile.open(path);
    const append = file.append.bind(file);
    file.append = (head, body) => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      return append(head, body);
    };
    return file;
  };
  await unit.start({ chunkMs: 1000 }, { openJournal });
  for (let i = 0; i < 12; i++) {
    source.add(0, 0x200, Uint8Array.of(i));
    await sleep(20);
  }
  await unit.stop();
  expect(unit.frames()).toHaveLength(12);
});
