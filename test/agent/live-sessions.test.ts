/** What begins when: a disk that lets sessions begin and takes nothing of them gets no heap of them. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LiveSessions, type SessionEnd } from '../../agent/live-sessions.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { codeOf, codeOfAsync } from './support/coded-error.ts';

/** Longer than any test waits. */
const LONG_MS = 3_600_000;

const failed = new OperationalError('STORAGE_FAILED', 'the spool cannot be written (EIO)', {
  retryable: false,
});

function sessions(parts: {
  readonly retryMs?: number;
  readonly canWait?: boolean;
  readonly ends?: readonly (SessionEnd | Error)[];
  readonly refusals?: readonly Error[];
}) {
  const told: string[] = [];
  const refusals = [...(parts.refusals ?? [])];
  const ends = [...(parts.ends ?? [])];
  const make = (): LiveSessions =>
    new LiveSessions({
      begin: () => {
        const refusal = refusals.shift();
        told.push(refusal === undefined ? 'begun' : 'refused');
        if (refusal !== undefined) throw refusal;
        const end = ends.shift();
        const stopped = Promise.withResolvers<SessionEnd>();
        if (end instanceof Error) stopped.reject(end);
        else if (end !== undefined) stopped.resolve(end);
        return {
          run: async () => await stopped.promise,
          stop: () => stopped.resolve('stopped'),
          close: () => Promise.resolve(),
        };
      },
      canWait: () => parts.canWait ?? true,
      onStorageFailed: () => told.push('failed'),
      onStorageBack: () => told.push('back'),
      retryMs: parts.retryMs ?? LONG_MS,
    });
  return { told, make };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn();
}

test('after a session that failed at once, the next one is not begun at once', async () => {
  const { told, make } = sessions({ ends: [failed] });
  const run = make();
  const ended = codeOfAsync(async () => await run.run());
  await turns();
  expect(told).toEqual(['begun', 'failed']);
  run.stop();
  expect(await ended).toBe('STORAGE_FAILED');
});

test('after a pause it is, and the disk is told to be back', async () => {
  const { told, make } = sessions({ ends: [failed], retryMs: 1 });
  const run = make();
  const ended = run.run();
  while (!told.includes('back')) await turn();
  run.stop();
  await ended;
  expect(told).toEqual(['begun', 'failed', 'begun', 'back']);
});

test('a log that ends is no failure: the next session begins at once', async () => {
  const { told, make } = sessions({ ends: ['rolled_back'] });
  const run = make();
  const ended = run.run();
  await turns();
  run.stop();
  await ended;
  expect(told).toEqual(['begun', 'begun']);
});

test('a unit whose disk cannot be written from the start waits, when it has its keys', async () => {
  const { told, make } = sessions({ refusals: [failed, failed], retryMs: 1 });
  const run = make();
  expect(told).toEqual(['refused', 'failed']);
  const ended = run.run();
  while (!told.includes('back')) await turn();
  run.stop();
  await ended;
  expect(told).toEqual(['refused', 'failed', 'refused', 'failed', 'begun', 'back']);
});

test('without keys it does not, and neither with what is no failure of the disk', () => {
  const { make } = sessions({ refusals: [failed], canWait: false });
  expect(codeOf(make)).toBe('STORAGE_FAILED');
  const foreign = new UserError(
    'DEVICE_KEY_FOREIGN',
    'the device key is not the one of this spool',
  );
  expect(codeOf(sessions({ refusals: [foreign] }).make)).toBe('DEVICE_KEY_FOREIGN');
});

test('told to stop while it waits, it says that the disk could not be written', async () => {
  const { make } = sessions({ refusals: [failed] });
  const run = make();
  const ended = codeOfAsync(async () => await run.run());
  run.stop();
  expect(await ended).toBe('STORAGE_FAILED');
});
