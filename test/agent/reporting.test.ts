import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Reporting, type ReportingOptions } from '../../agent/reporting.ts';
import type { AgentStatus } from '../../agent/status.ts';
import { readStatusFile } from '../../agent/status-file.ts';
import { busyStatus } from './support/statuses.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
let folder: TemporaryFolder;
let status: AgentStatus;
let told: string[];
let running: Reporting | undefined;

beforeEach(() => {
  folder = temporaryFolder();
  status = busyStatus();
  told = [];
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  folder[Symbol.dispose]();
});

async function start(change: Partial<ReportingOptions> = {}): Promise<Reporting> {
  running = await Reporting.start({
    status,
    dataDir: folder.path,
    metrics: undefined,
    manager: { watchdogMs: undefined, tell: (...lines) => told.push(...lines) },
    refresh: () => undefined,
    ...change,
  });
  return running;
}

const fed = (): number => told.filter((line) => line === 'WATCHDOG=1').length;
const codes = (): readonly string[] => status.problems().map(({ code }) => code);

test('from the start there is a status file, and a sentence for the service manager', async () => {
  await start();
  expect(readStatusFile(folder.path)?.phase).toBe('recording');
  expect(readdirSync(folder.path)).toEqual(['status.json']);
  expect(told).toEqual([
    'STATUS=recording, 2 frames, 17 lost, 1 chunks, paused by the driver, can1 missing, STORAGE_FULL',
  ]);
});

test('what is not counted as it changes is brought up to date before it is told', async () => {
  await start({
    metrics: ANY_PORT,
    refresh: () => {
      status.spool.bytes += 1;
    },
  });
  const before = readStatusFile(folder.path)?.spool.bytes ?? 0;
  const page = await (await fetch(running?.url ?? '')).text();
  const after = Number(/^witnessmark_spool_bytes (\d+)$/m.exec(page)?.[1]);
  expect(after).toBeGreaterThan(before);
  expect(page).toMatch(/^witnessmark_resident_memory_bytes \d{7,}$/m);
});

test('a watchdog is fed while the pipeline makes rounds, and starves when it makes none', async () => {
  await start({ manager: { watchdogMs: 40, tell: (...lines) => told.push(...lines) } });
  await until(() => fed() === 1);
  status.rounds += 1;
  await until(() => fed() === 2);
  // Sixteen chances, and nothing has moved.
  await sleep(160);
  expect(fed()).toBe(2);
});

test('a replay waits for its log’s pace, which is no reason to be killed', async () => {
  status.capture.driver = 'replay';
  await start({ manager: { watchdogMs: 40, tell: (...lines) => told.push(...lines) } });
  await until(() => fed() === 3);
});

test('stopping is told at once, and stays on the disk', async () => {
  const reporting = await start();
  reporting.stopping();
  expect(told).toContain('STOPPING=1');
  await reporting.stop();
  running = undefined;
  expect(readStatusFile(folder.path)?.phase).toBe('stopping');
});

test('metrics move to another address, or away', async () => {
  const reporting = await start({ metrics: ANY_PORT });
  const first = reporting.url ?? '';
  await reporting.moveMetrics(ANY_PORT);
  expect((await fetch(reporting.url ?? '')).status).toBe(200);
  await reporting.moveMetrics(undefined);
  expect(reporting.url).toBeUndefined();
  await expect(fetch(first)).rejects.toThrow();
});

test('a port that is taken is a problem, and no reason not to record', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const reporting = await start({ metrics: { host: '127.0.0.1', port } });
  expect(codes()).toContain('METRICS_UNAVAILABLE');
  expect(reporting.url).toBeUndefined();
  other.close();
  await once(other, 'close');
  await reporting.moveMetrics({ host: '127.0.0.1', port });
  expect(codes()).not.toContain('METRICS_UNAVAILABLE');
});

test('a folder that cannot be written is a problem, and no reason not to record', async () => {
  await start({ dataDir: join(folder.path, 'none') });
  expect(codes()).toContain('STATUS_FILE_UNWRITTEN');
  expect(existsSync(join(folder.path, 'none'))).toBe(false);
});
