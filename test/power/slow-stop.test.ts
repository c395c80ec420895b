/**
 * Told to stop on a slow disk under traffic, the agent seals and commits in the time that it gives itself, or says that
 * it could not. That time is its own; nothing here is measured.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportFromUnit } from '../../agent/main.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { writeConfig } from '../agent/support/command.ts';
import { framesText } from '../agent/support/evidence.ts';
import { slowSync } from '../agent/support/slow-sync.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { RunRecord, SAID_FD } from './run-record.ts';
import type { ServiceOrders } from './service-process.ts';

const PROCESS = join(import.meta.dirname, 'service-process.ts');
const BUSES = ['can0', 'can1'];
const LIVE = {
  'capture.driver': '"native"',
  'capture.interfaces': '["can0", "can1"]',
  'capture.log': undefined,
  'capture.speed': undefined,
};

type Event = Readonly<Record<string, unknown>> & { readonly event: string };

let folder: TemporaryFolder;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  child?.kill('SIGKILL');
  folder[Symbol.dispose]();
});

/** Runs until so many watermarks were told; then it is told to stop. */
async function stopAfter(watermarks: number, before: readonly string[] = [], stallMs = 0) {
  const args = ['--config', writeConfig(folder.path, '', LIVE), '--json'];
  const orders: ServiceOrders = { args, buses: BUSES, framesPerSecond: 9000, stallMs };
  const [program = '', ...rest] = [...before, process.execPath, PROCESS, JSON.stringify(orders)];
  const running = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
  child = running;
  const events: Event[] = [];
  let isTold = false;
  const sender = new RunRecord(0, false);
  const told = createInterface({ input: running.stdout as Readable });
  told.on('line', (line) => {
    events.push(JSON.parse(line) as Event);
    if (!isTold && named('durable').length === watermarks) isTold = running.kill('SIGTERM');
  });
  const sent = createInterface({ input: running.stdio[SAID_FD] as Readable });
  sent.on('line', (line) => sender.hear(line));
  const named = (name: string): readonly Event[] => events.filter(({ event }) => event === name);
  await Promise.all([once(running, 'close'), once(told, 'close'), once(sent, 'close')]);
  const durable = (named('durable').at(-1)?.['frames'] ?? []) as readonly number[];
  const problems = named('problem').map(({ code }) => code);
  return { status: running.exitCode, problems, durable, committed: named('committed').at(-1) };
}

function recorded(): { readonly lines: readonly string[]; readonly states: readonly string[] } {
  const bundle = exportFromUnit(join(folder.path, 'unit'), {}, () => undefined);
  const { headers } = readEvidence(bundle, nativeSha256);
  return {
    lines: framesText(bundle).trimEnd().split('\n'),
    states: headers.map(({ header }) => header.state),
  };
}

/** In words, so that a failure says it. */
function missing(durable: readonly number[], lines: readonly string[]): readonly string[] {
  return durable.flatMap((count, bus) => {
    const there = lines.filter((line) => line.includes(` can${bus} `)).length;
    return there < count ? [`${count} frames of can${bus} were durable, ${there} are there`] : [];
  });
}

test('with half a second for each sync it is done in time, and everything is sealed', async () => {
  const { status, problems, durable, committed } = await stopAfter(6, slowSync(folder.path, 500));
  expect({ status, problems }).toEqual({ status: 0, problems: [] });
  const { lines, states } = recorded();
  expect(lines).toHaveLength(Number(committed?.['frames']));
  expect(missing(durable, lines)).toEqual([]);
  expect(states.at(-1)).toBe('shutdown');
}, 120_000);

test('on a disk that is slower than its patience it says STOP_LATE and ends with 1', async () => {
  const { status, problems, durable } = await stopAfter(6, [], 6000);
  expect({ status, problems }).toEqual({ status: 1, problems: ['STOP_LATE'] });
  // The next start makes of it what is there: nothing that was durable is missing.
  const again = await stopAfter(6);
  expect({ status: again.status, problems: again.problems }).toEqual({ status: 0, problems: [] });
  const { lines } = recorded();
  expect(missing(durable, lines)).toEqual([]);
});
