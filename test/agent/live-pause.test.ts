/** The driver's pause: what is captured meanwhile is nowhere, and the evidence says that it was not recorded. */
import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pauseUnit, prepareUnit, resumeUnit } from '../../agent/main.ts';
import { pausePath } from '../../agent/record/pause-file.ts';
import type { Gap } from '../../core/chunk-header.ts';
import { reportOn, trustPolicy } from './support/evidence.ts';
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

const FOREVER = { sinceMs: 1, untilMs: undefined, reason: '' };
const isPaused = () => unit.agent.status.pausedSinceMs !== undefined;

const gapsOf = (of = unit): readonly Gap[] => of.headers().flatMap(({ gaps }) => gaps);
const pausesOf = (of = unit) => gapsOf(of).filter(({ cause }) => cause === 'paused_by_owner');

test('what comes during a pause is not recorded and not lost, and the gap is one, from chunk to chunk', async () => {
  await unit.start({ idleAfterMs: 100 });
  source.add(0, 0x100, Uint8Array.of(1));
  await until(() => unit.durable.at(-1)?.[0] === 1);
  pauseUnit(unit.dataDir, FOREVER);
  await until(isPaused);
  const pausedNs = source.now().wallNs;
  for (let i = 0; i < 40; i++) {
    source.add(i % 2, 0x200, Uint8Array.of(i));
    await sleep(20);
  }
  const resumedNs = source.now().wallNs;
  expect(resumeUnit(unit.dataDir)).toBe(true);
  await until(() => !isPaused());
  source.add(1, 0x300, Uint8Array.of(3));
  await until(() => unit.durable.at(-1)?.[1] === 1);
  await unit.stop();
  expect(unit.frames()).toEqual(['can0 100#01', 'can1 300#03']);
  const pauses = pausesOf();
  expect(pauses[0]?.fromNs).toBeLessThan(pausedNs);
  expect(pauses.at(-1)?.toNs).toBeGreaterThan(resumedNs);
  expect(pauses.every(({ bus }) => bus === '')).toBe(true);
  expect(pauses.slice(1).map(({ fromNs }) => fromNs)).toEqual(
    pauses.slice(0, -1).map(({ toNs }) => toNs),
  );
  // Nobody listened: whether a bus slept is not said.
  const idle = gapsOf().filter(({ cause }) => cause === 'bus_idle');
  const during = idle.filter(({ fromNs, toNs }) => fromNs < resumedNs && toNs > pausedNs);
  expect(during).toEqual([]);
  const { checks } = reportOn(unit.evidence(), trustPolicy(prepareUnit(unit.dataDir), undefined));
  const verdicts = Object.fromEntries(checks.map(({ code, verdict }) => [code, verdict]));
  expect(verdicts).toMatchObject({ GAPS: 'PASSED', LOSS: 'PASSED', HEADER_CHAIN: 'PASSED' });
  const gaps = checks.find(({ code }) => code === 'GAPS');
  expect(JSON.stringify(gaps?.values)).toContain('paused_by_owner');
});

test('a pause outlives the agent: the next session begins with it', async () => {
  await unit.start();
  pauseUnit(unit.dataDir, FOREVER);
  await until(isPaused);
  await unit.stop();
  await unit.start();
  source.add(0, 0x100, Uint8Array.of(1));
  await sleep(100);
  await unit.stop();
  expect(unit.frames()).toEqual([]);
  const causes = unit.headers().map(({ gaps }) => gaps.map(({ cause }) => cause));
  expect(causes.at(-1)).toEqual(['agent_stopped', 'paused_by_owner']);
  expect(unit.headers().at(-1)?.state).toBe('shutdown');
});

test('after a crash in a pause the recovered chunk says that it was paused, and no frame comes back', async () => {
  const image = join(folder.path, 'image');
  let blocks = 0;
  await unit.start(
    { chunkMs: 60_000 },
    {
      atCommitPoint: (point) => {
        if (point !== 'block-synced') return;
        blocks += 1;
        cpSync(unit.dataDir, join(image, 'unit'), { recursive: true });
      },
    },
  );
  source.add(0, 0x100, Uint8Array.of(1));
  await until(() => blocks > 0);
  const before = blocks;
  pauseUnit(unit.dataDir, FOREVER);
  // The block that says so is the last one.
  await until(() => blocks > before);
  source.add(0, 0x200, Uint8Array.of(2));
  await sleep(100);
  await unit.stop();
  const capture = new MemoryCapture();
  await using restarted = new LiveUnit(image, capture);
  await restarted.start();
  capture.add(0, 0x300, Uint8Array.of(3));
  await sleep(100);
  await restarted.stop();
  expect(restarted.frames()).toEqual(['can0 100#01']);
  const [recovered, ...later] = restarted.headers();
  expect(recovered?.recovered).toBeDefined();
  expect(recovered?.gaps.map(({ cause }) => cause)).toEqual(['paused_by_owner', 'agent_crashed']);
  expect(later.flatMap(({ gaps }) => gaps.map(({ cause }) => cause))).toContain('paused_by_owner');
});

test('a pause for a time ends by itself, and its file goes', async () => {
  await unit.start();
  const sinceMs = Date.now();
  pauseUnit(unit.dataDir, { sinceMs, untilMs: sinceMs + 700, reason: 'a short one' });
  await until(isPaused);
  await until(() => !isPaused());
  expect(existsSync(pausePath(unit.dataDir))).toBe(false);
  source.add(0, 0x100, Uint8Array.of(1));
  await until(() => unit.durable.at(-1)?.[0] === 1);
});

test('a file that says nothing pauses all the same, and a chunk of nothing else says so', async () => {
  await unit.start({ batchMs: 300 });
  writeFileSync(pausePath(unit.dataDir), 'no JSON');
  await until(isPaused);
  await until(() => unit.headers().some(({ state }) => state === 'paused_by_owner'));
});

test('where the driver must be asked, each boot begins with a pause, and a restart within it does not', async () => {
  const privacy = { profile: 'cn', recordAtBoot: false } as const;
  const boot = (number: number) => ({ readBootId: () => new Uint8Array(16).fill(number) });
  let runs = 0;
  const recorded = async (number: number, resume: boolean): Promise<boolean> => {
    await unit.start({ privacy }, boot(number));
    if (resume) {
      await until(isPaused);
      expect(resumeUnit(unit.dataDir)).toBe(true);
      await until(() => !isPaused());
    }
    runs += 1;
    source.add(0, 0x100, Uint8Array.of(runs));
    await sleep(100);
    await unit.stop();
    return unit.frames().includes(`can0 100#0${runs}`);
  };
  expect(await recorded(1, false)).toBe(false);
  expect(await recorded(1, true)).toBe(true);
  expect(await recorded(1, false)).toBe(true);
  expect(await recorded(2, false)).toBe(false);
  expect(await recorded(2, true)).toBe(true);
});
