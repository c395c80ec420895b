import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentStatus } from '../../agent/status.ts';
import { statusSnapshot, writeStatusFile } from '../../agent/status-file.ts';
import { run } from '../../cli/commands/health.ts';
import { writeConfig } from '../agent/support/command.ts';
import type { Answer, ReadOnlyDisk } from '../agent/support/read-only-disk.ts';
import { inOwnMounts } from '../agent/support/small-disk.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { TestUnit } from '../agent/support/unit.ts';

let folder: TemporaryFolder;
const unit = () => join(folder.path, 'unit');

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

async function health(...args: readonly string[]) {
  let out = '';
  const output = { write: (text: string | Uint8Array) => (out += String(text)) };
  const status = await run(args, { stdout: output, stderr: output });
  return { status, out };
}

async function codeOf(...args: readonly string[]): Promise<unknown> {
  return await health(...args).then(
    () => 'none',
    (error: unknown) => (error as { code?: unknown }).code,
  );
}

/** A unit that has recorded one chunk, and an agent that wrote its status just now. */
function makeUnit(clock: 'ntp' | 'unsynchronised'): void {
  const made = new TestUnit(unit());
  made.addChunk();
  made.spool.close();
  const status = new AgentStatus(Date.now());
  status.phase = 'recording';
  // The chunk's times are those of a replay, long ago.
  status.capture.driver = 'replay';
  status.clock.source = clock;
  writeStatusFile(unit(), statusSnapshot(status, Date.now(), process.pid));
}

test('a healthy unit ends with 0 and one screen', async () => {
  makeUnit('ntp');
  const { status, out } = await health('--data', unit());
  expect(out).toMatch(/^The evidence of this car is healthy\.\n\n {2}agent +The agent is running/);
  expect(out.split('\n').length).toBeLessThan(24);
  expect(status).toBe(0);
});

test('the folder may come from the configuration, and the answer may be for a program', async () => {
  makeUnit('unsynchronised');
  const config = writeConfig(folder.path, 'drive.log');
  const { status, out } = await health('--config', config, '--json');
  expect(status).toBe(1);
  const answer = JSON.parse(out) as { isHealthy: boolean; items: { code?: string }[] };
  expect(answer.isHealthy).toBe(false);
  expect(answer.items.flatMap(({ code }) => code ?? [])).toEqual(['CLOCK_UNSYNCHRONISED']);
});

test('what needs attention is marked and named', async () => {
  mkdirSync(unit());
  const { status, out } = await health('--data', unit());
  expect(status).toBe(1);
  expect(out).toMatch(/^2 things need attention\.\n/);
  expect(out).toMatch(/^! agent {4}The agent has never run.+\(AGENT_NEVER_RAN\)$/m);
});

test('what cannot be judged is no verdict', async () => {
  expect(await codeOf('--data', unit())).toBe('HEALTH_UNKNOWN');
  makeUnit('ntp');
  writeFileSync(join(unit(), 'status.json'), '{}');
  expect(await codeOf('--data', unit())).toBe('HEALTH_UNKNOWN');
  makeUnitAnew();
  writeFileSync(join(unit(), 'spool', 'index.db'), 'no database at all');
  expect(await codeOf('--data', unit())).toBe('HEALTH_UNKNOWN');
});

function makeUnitAnew(): void {
  writeStatusFile(unit(), statusSnapshot(new AgentStatus(0), 0, 0));
}

test('it wants one way to the folder', async () => {
  expect(await codeOf()).toBe('ARGUMENTS');
  expect(await codeOf('--data', unit(), '--config', 'x')).toBe('ARGUMENTS');
});

test('on a disk that takes no writes it says so, and what it can know of the rest', () => {
  const program = join(import.meta.dirname, '../agent/support/read-only-disk.ts');
  const told = inOwnMounts(program, folder.path) as ReadOnlyDisk;
  const attention = ({ items }: Answer) => items.flatMap(({ code }) => code ?? []);
  const on = ({ items }: Answer, topic: string) =>
    items.filter((item) => item.topic === topic).map(({ sentence }) => sentence);

  expect([told.writable.exit, attention(told.writable)]).toEqual([1, ['AGENT_NOT_RUNNING']]);
  expect([told.killed.exit, attention(told.killed)]).toEqual([1, ['STORAGE_READ_ONLY']]);
  expect(on(told.killed, 'anchor')).toEqual(on(told.writable, 'anchor'));

  for (const answer of [told.closed, told.withoutShared]) {
    expect([answer.exit, answer.thrown]).toEqual([1, undefined]);
    expect(attention(answer)).toEqual(['STORAGE_READ_ONLY', 'INDEX_UNREADABLE']);
    expect(on(answer, 'agent')).toEqual([expect.stringContaining('can only be read')]);
    expect(on(answer, 'record')).toEqual([
      expect.stringMatching(/5 min ago: chunk 0 ended 6 min ago, 1 statement waiting\.$/),
    ]);
    // Nothing is claimed of what only the index knows.
    expect(on(answer, 'anchor')).toEqual([]);
    expect(on(answer, 'storage')).toEqual([expect.stringMatching(/^[\d.]+ MB free on the disk/)]);
  }
  expect(attention(told.withoutStatus)).toEqual(['AGENT_NEVER_RAN', 'INDEX_UNREADABLE']);
  expect([told.damaged.exit, told.damaged.thrown]).toEqual([2, 'HEALTH_UNKNOWN']);
});
