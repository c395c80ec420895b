import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { OperationalError } from '../../core/errors.ts';
import type { FullDiskUnit } from './support/full-disk-unit.ts';
import { LiveUnit } from './support/live-unit.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { inOwnMounts } from './support/small-disk.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { numbersIn, traffic } from './support/traffic.ts';
import { until } from './support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let source: MemoryCapture;

beforeEach(() => {
  folder = temporaryFolder();
  source = new MemoryCapture();
});
afterEach(() => folder[Symbol.dispose]());

type Left = Pick<FullDiskUnit, 'frames' | 'gaps' | 'lastState'>;

function leftBy(unit: LiveUnit): Left {
  const headers = unit.headers();
  const gaps = headers.flatMap((header) => header.gaps);
  return { frames: unit.frames(), gaps, lastState: headers.at(-1)?.state };
}

/** Nothing that was called durable is missing, nothing is there twice, and the hole has its cause. */
function expectWhole({ frames, gaps, lastState }: Left, durableAtFailure: number): void {
  const got = numbersIn(frames);
  expect(got).toEqual([...new Set(got)].sort((a, b) => a - b));
  expect(got.slice(0, durableAtFailure)).toEqual([...Array(durableAtFailure).keys()]);
  const causes = gaps.map(({ cause }) => cause);
  expect(causes).toContain('storage_full');
  expect(causes).not.toContain('unknown');
  expect(lastState).toBe('shutdown');
}

test('a disk that fills up ends nothing that was durable, is told, and recording goes on when there is room', () => {
  const program = join(import.meta.dirname, 'support/full-disk-unit.ts');
  const found = inOwnMounts(program, folder.path, 'fills up') as FullDiskUnit;
  expect(found.whileFull[0]).toBe('STORAGE_FULL');
  expect(found.durable).toBeGreaterThan(50);
  expectWhole(found, found.durable);
});

test('a journal that fails to sync ends the session: what is not known to be durable is never called so', async () => {
  await using unit = new LiveUnit(folder.path, source);
  let left = 20;
  const openJournal = (path: string): JournalFile => {
    const file = JournalFile.open(path);
    const append = file.append.bind(file);
    file.append = (head, body) => {
      left -= 1;
      if (left === 0) {
        throw new OperationalError('STORAGE_FAILED', 'the spool cannot be written or read (EIO)', {
          retryable: false,
        });
      }
      return append(head, body);
    };
    return file;
  };
  await unit.start({ chunkMs: 300 }, { openJournal });
  const sending = traffic(source);
  await until(() => left <= 0);
  const durable = unit.durable.at(-1)?.[0] ?? 0;
  await until(() => left < -5);
  await sending.end();
  await unit.stop();
  expectWhole(leftBy(unit), durable);
});

test('told to stop while the disk cannot be written, it does not call that an orderly end', async () => {
  await using unit = new LiveUnit(folder.path, source);
  let opened = 0;
  const failed = () =>
    new OperationalError('STORAGE_FULL', 'the disk of the spool is full', { retryable: false });
  const openJournal = (path: string): JournalFile => {
    opened += 1;
    if (opened > 1) throw failed();
    const file = JournalFile.open(path);
    file.append = () => {
      throw failed();
    };
    return file;
  };
  await unit.start({}, { openJournal });
  const end = unit.agent.recorded.then(
    () => 'in order',
    (error: unknown) => (error instanceof OperationalError ? error.code : error),
  );
  source.add(0, 0x200, Uint8Array.of(1));
  await until(() => opened > 1);
  await unit.stop();
  expect(await end).toBe('STORAGE_FULL');
});
