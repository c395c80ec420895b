/** The agent as a service on real sockets: what it says of itself, its filters, and its simple driver. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import type { ServiceExperiments } from './jobs/service.ts';
import { readRecorded } from './recorded.ts';
import { runJob } from './run-job.ts';

let shared: TemporaryFolder;
let found: Awaited<ReturnType<typeof runJob<ServiceExperiments>>>;

beforeAll(async () => {
  shared = temporaryFolder();
  found = await runJob<ServiceExperiments>('service.ts', {
    shared: shared.path,
    timeoutMs: 400_000,
  });
});
afterAll(() => shared[Symbol.dispose]());

const recorded = (name: string) => readRecorded(join(shared.path, `${name}.wmk`));
/** Without stamp and bus. */
const framesOf = ({ lines }: ReturnType<typeof recorded>): readonly string[] =>
  lines.map((line) => line.split(' ')[2] ?? '');

test('health names what is down and missing, then nothing, and then that the agent was stopped', () => {
  const { health } = found('outages');
  expect(health).toEqual([
    { status: 1, attention: ['vcan1 INTERFACE_DOWN', 'vcan9 INTERFACE_MISSING'] },
    // Of the clock nobody vouches for, which is all.
    { status: 1, attention: [] },
    { status: 1, attention: ['agent AGENT_NOT_RUNNING'] },
  ]);
});

test('under traffic it is durable all the time, small, and ends when it is told to', () => {
  const { durable, residentBytes = Number.NaN, status } = found('outages');
  expect(durable).toBeGreaterThan(50);
  expect(residentBytes / 1e6).toBeLessThan(200);
  expect(status).toBe(0);
  const causes = recorded('service').gaps.map(({ bus, cause }) => `${bus} ${cause}`);
  expect(causes).toContain('vcan1 interface_down');
  expect(causes).toContain('vcan9 interface_missing');
});

test('filters of standard and extended ids keep to their kind, and error frames pass', () => {
  found('filters');
  expect(framesOf(recorded('filters'))).toEqual([
    '105#01',
    '18DAF111#03',
    '20000004#0001000000000000',
  ]);
});

test('the socketcan package records what it can tell, through down, up and replug', () => {
  expect(found('socketcan')).toBe(0);
  const record = recorded('socketcan');
  expect(framesOf(record)).toEqual([
    '123#DEADBEEF',
    '12345678#R5',
    '1FFFFFFF#00',
    // Its FD frames have no flags of their own.
    `123##0${'5A'.repeat(64)}`,
    '20000004#0001000000000000',
    '124#01',
    '125#01',
  ]);
  const causes = record.gaps.map(({ cause }) => cause).filter((cause) => cause !== 'bus_idle');
  expect(causes).toEqual(['interface_down', 'interface_missing']);
});
