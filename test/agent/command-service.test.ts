/** The agent as a service: signals, reloading, the service manager, metrics, health. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportFromUnit } from '../../agent/main.ts';
import { fixturePath, KONA_LOG } from '../hw/replay/fixture-logs.ts';
import { NotifySocket } from '../hw/support/notify-socket.ts';
import { command, type Running, writeConfig } from './support/command.ts';
import { framesText } from './support/evidence.ts';
import { logText } from './support/run-agent.ts';
import { slowSync } from './support/slow-sync.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

const LOG = fixturePath(KONA_LOG);
/** Minutes long at this pace: it is stopped, never awaited. */
const SLOW = { 'capture.speed': '2' };
let folder: TemporaryFolder;
let running: Running | undefined;
let out = '';
let err = '';
const unit = () => join(folder.path, 'unit');

beforeEach(() => {
  folder = temporaryFolder();
  out = '';
  err = '';
});
afterEach(async () => {
  running?.child.kill('SIGKILL');
  await running?.ended;
  running = undefined;
  folder[Symbol.dispose]();
});

function start(args: readonly string[], before: readonly string[] = []): Running {
  running = command(['agent', ...args], before);
  running.child.stdout?.on('data', (text: string) => {
    out += text;
  });
  running.child.stderr?.on('data', (text: string) => {
    err += text;
  });
  return running;
}

type Event = Readonly<Record<string, unknown>> & { readonly event: string };

function events(name?: string): readonly Event[] {
  const all = out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event);
  return all.filter(({ event }) => name === undefined || event === name);
}

async function health(): Promise<{ status: number | null; stdout: string }> {
  return await command(['health', '--data', unit()]).ended;
}

test('--json tells each event on a line of its own, and nothing else', async () => {
  const { child, ended } = start(['--config', writeConfig(folder.path, LOG, SLOW), '--json']);
  await until(() => events('committed').length > 0);
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
  expect(events()[0]).toMatchObject({ event: 'started', driver: 'replay', metrics: null });
  expect(events('committed').at(-1)).toMatchObject({ frames: expect.any(Number) as number });
  expect(err).toBe('');
});

test('SIGHUP puts in force what can be, names what cannot, and recording goes on', async () => {
  const path = writeConfig(folder.path, LOG, SLOW);
  const { child, ended } = start(['--config', path, '--json']);
  await until(() => events('started').length > 0);
  writeConfig(folder.path, LOG, { ...SLOW, chunk_ms: '500', 'metrics.listen': '"127.0.0.1:0"' });
  child.kill('SIGHUP');
  await until(() => events('reloaded').length === 1);
  expect(events('reloaded')[0]).toMatchObject({
    inForce: ['metrics.listen'],
    needsRestart: ['chunk_ms'],
  });
  writeConfig(folder.path, LOG, { ...SLOW, chunk_mss: '500' });
  child.kill('SIGHUP');
  await until(() => events('problem').length === 1);
  expect(events('problem')[0]).toMatchObject({ code: 'CONFIG_UNKNOWN_KEY' });
  const before = events('committed').length;
  await until(() => events('committed').length > before);
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
});

test('metrics whose port was taken are served by a reload that finds it free', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const listen = `127.0.0.1:${port}`;
  const path = writeConfig(folder.path, LOG, { ...SLOW, 'metrics.listen': `"${listen}"` });
  const { child, ended } = start(['--config', path, '--json']);
  await until(() => events('started').length > 0);
  expect(events('problem')[0]).toMatchObject({ code: 'METRICS_UNAVAILABLE' });
  other.close();
  await once(other, 'close');
  child.kill('SIGHUP');
  await until(() => events('reloaded').length > 0);
  expect((await fetch(`http://${listen}/metrics`)).status).toBe(200);
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
});

test('a person is told of a reload in a sentence with its code', async () => {
  const path = writeConfig(folder.path, LOG, SLOW);
  const { child, ended } = start(['--config', path]);
  await committed();
  writeConfig(folder.path, LOG, { ...SLOW, batch_ms: '2000' });
  child.kill('SIGHUP');
  await until(() => err.includes('\n'));
  expect(err).toBe('in force after a restart: batch_ms (CONFIG_NEEDS_RESTART)\n');
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
});

test('the service manager hears of start, life, reload and end', async () => {
  await using socket = await NotifySocket.open(join(folder.path, 'notify'));
  const environment = [`NOTIFY_SOCKET=${socket.path}`, 'WATCHDOG_USEC=1000000'];
  const path = writeConfig(folder.path, LOG, SLOW);
  const { child, ended } = start(['--config', path], ['env', ...environment]);
  await until(() => socket.told.includes('READY=1'));
  await until(() => socket.told.includes('WATCHDOG=1'));
  expect(socket.told[0]).toMatch(/^STATUS=recording, /);
  child.kill('SIGHUP');
  await until(() => socket.told.filter((line) => line === 'READY=1').length === 2);
  expect(socket.told.some((line) => /^RELOADING=1 MONOTONIC_USEC=\d+$/.test(line))).toBe(true);
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
  await until(() => socket.told.includes('STOPPING=1'));
});

test('metrics and health show a running agent, and health shows that it was stopped', async () => {
  const path = writeConfig(folder.path, LOG, { ...SLOW, 'metrics.listen': '"127.0.0.1:0"' });
  const { child, ended } = start(['--config', path, '--json']);
  await until(() => events('committed').length > 0);
  const page = await (await fetch(String(events('started')[0]?.['metrics']))).text();
  expect(Number(/^witnessmark_chunks_total (\d+)$/m.exec(page)?.[1])).toBeGreaterThan(0);
  expect(page).toMatch(/^witnessmark_frames_total\{bus="[a-z0-9]+"\} [1-9]\d*$/m);
  const alive = await health();
  expect(alive.stdout).toContain('The agent is running');
  expect(alive.status).toBe(0);
  child.kill('SIGTERM');
  await ended;
  const dead = await health();
  expect(dead.stdout).toContain('(AGENT_NOT_RUNNING)');
  expect(dead.status).toBe(1);
  // Not by the way: no key, no frame and no place is in the file.
  const text = readFileSync(join(unit(), 'status.json'), 'utf8');
  expect(text).not.toMatch(/[0-9a-f]{32}/);
});

test('on a disk of half a second for each sync it ends in time, with all that it read', async () => {
  const path = writeConfig(folder.path, LOG, SLOW);
  const { child, ended } = start(['--config', path, '--json'], slowSync(folder.path, 500));
  await until(() => events('committed').length > 0);
  child.kill('SIGTERM');
  // Late would be 1.
  expect((await ended).status).toBe(0);
  expect(events('problem')).toEqual([]);
  const recorded = framesText(exportFromUnit(unit(), {}, () => undefined));
  expect(logText(LOG).startsWith(recorded)).toBe(true);
  expect(recorded.split('\n').length - 1).toBe(events('committed').at(-1)?.['frames']);
}, 120_000);

test('a signal during the start is not lost', async () => {
  const { child, ended } = start(['--config', writeConfig(folder.path, LOG, SLOW)]);
  await until(() => {
    // Its handlers are there as soon as its folder is.
    try {
      return readFileSync(join(unit(), 'keys', 'storage.key')).length > 0;
    } catch {
      return false;
    }
  });
  // Neither does the one ask for a reload in vain nor the other for the end.
  child.kill('SIGHUP');
  child.kill('SIGTERM');
  expect((await ended).status).toBe(0);
});

/** Resolves when the unit has a committed chunk. */
async function committed(): Promise<void> {
  await until(() => {
    try {
      return exportFromUnit(unit(), {}, () => undefined).length > 0;
    } catch {
      return false; // not yet: no folder, no spool or no chunk
    }
  });
}
