/** A disk that cannot be written when a session should begin: the capture goes on, and what is left is no litter. */
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepareUnit } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { JournalFile } from '../../agent/record/journal-file.ts';
import { openSpoolForReading } from '../../agent/spool/spool.ts';
import { OperationalError } from '../../core/errors.ts';
import { codeOfAsync } from './support/coded-error.ts';
import { reportOn, trustPolicy } from './support/evidence.ts';
import type { FullDiskUnit } from './support/full-disk-unit.ts';
import { LiveUnit } from './support/live-unit.ts';
import { MemoryCapture } from './support/memory-capture.ts';
import { PRIMITIVES } from './support/primitives.ts';
import { inOwnMounts, makeReadOnly } from './support/small-disk.ts';
import { keysOf } from './support/storage-keys.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { until } from './support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function full(): OperationalError {
  return new OperationalError('STORAGE_FULL', 'the disk of the spool is full', {
    retryable: false,
  });
}

function sessionsOf(unit: LiveUnit): number {
  using spool = openSpoolForReading(join(unit.dataDir, 'spool'), keysOf(unit.dataDir), PRIMITIVES);
  return spool.sessions(0).length;
}

/** Of gaps on all buses; what the verifier makes of them is GAPS. */
function gapsOf(unit: LiveUnit): readonly string[] {
  const { checks } = reportOn(unit.evidence(), trustPolicy(prepareUnit(unit.dataDir), undefined));
  expect(checks.find(({ code }) => code === 'GAPS')).toMatchObject({ verdict: 'PASSED' });
  const gaps = unit.headers().flatMap((header) => header.gaps);
  gaps.forEach(({ toNs }, i) => {
    const next = gaps[i + 1];
    if (next !== undefined && next.bus === '') expect(next.fromNs).toBeLessThanOrEqual(toNs);
  });
  return gaps.flatMap(({ bus, cause }) => (bus === '' ? [cause] : []));
}

/** What a kill at this commit point leaves. */
async function imageAt(point: CommitPoint, unit: LiveUnit): Promise<LiveUnit> {
  const image = join(folder.path, `image at ${point}`);
  const copy = (reached: CommitPoint): void => {
    if (reached !== point || existsSync(image)) return;
    cpSync(unit.dataDir, join(image, 'unit'), { recursive: true });
  };
  await unit.start({ chunkMs: 60_000 }, { atCommitPoint: copy });
  unit.source.add(0, 0x100, Uint8Array.of(1));
  await until(() => existsSync(image));
  await unit.stop();
  return new LiveUnit(image, new MemoryCapture());
}

test('a disk that refuses what is recovered leaves no session for each attempt', async () => {
  await using dead = new LiveUnit(folder.path, new MemoryCapture());
  await using unit = await imageAt('block-synced', dead);
  let refused = 0;
  await unit.start(
    {},
    {
      atCommitPoint: (point) => {
        if (point !== 'bodies-synced' || refused === 3) return;
        refused += 1;
        throw full();
      },
    },
  );
  expect(unit.agent.status.problems().map(({ code }) => code)).toEqual(['STORAGE_FULL']);
  await until(() => unit.agent.status.problems().length === 0);
  expect(refused).toBe(3);
  await unit.stop();
  expect(sessionsOf(unit)).toBe(2);
  expect(unit.frames()).toEqual(['can0 100#01']);
  expect(gapsOf(unit)).toEqual(['agent_crashed', 'storage_full']);
});

test('a journal that takes nothing leaves no session for each attempt', async () => {
  await using unit = new LiveUnit(folder.path, new MemoryCapture());
  await unit.start();
  await unit.stop();
  let refused = 0;
  const openJournal = (path: string): JournalFile => {
    const file = JournalFile.open(path);
    if (refused === 2) return file;
    return Object.assign(file, {
      probe: () => {
        refused += 1;
        throw full();
      },
    });
  };
  await unit.start({}, { openJournal });
  await until(() => unit.agent.status.problems().length === 0);
  await unit.stop();
  expect(refused).toBe(2);
  expect(sessionsOf(unit)).toBe(2);
  expect(gapsOf(unit)).toEqual(['agent_stopped', 'storage_full']);
});

test('a night after an orderly stop is no crash, though a session after it died', async () => {
  await using unit = new LiveUnit(folder.path, new MemoryCapture());
  await unit.start();
  await unit.stop();
  await using restarted = await imageAt('session-committed', unit);
  await restarted.start();
  await restarted.stop();
  expect(gapsOf(restarted)).toEqual(['agent_stopped', 'agent_crashed']);
});

test('a unit that starts on a read-only disk waits for it, and says so in its evidence', async () => {
  const source = new MemoryCapture();
  await using unit = new LiveUnit(folder.path, source);
  await unit.start();
  await unit.stop();
  {
    using _ = makeReadOnly(unit.dataDir);
    await unit.start();
    const { status } = unit.agent;
    expect(status.problems().map(({ code }) => code)).toEqual(['STORAGE_READ_ONLY']);
    expect(status.phase).toBe('starting');
    source.add(0, 0x200, Uint8Array.of(7));
    const { rounds } = status;
    await until(() => status.rounds > rounds); // alive for whoever watches it
  }
  await until(() => unit.agent.status.problems().length === 0);
  expect(unit.agent.status.phase).toBe('recording');
  source.add(0, 0x200, Uint8Array.of(8));
  await unit.stop();
  expect(unit.frames()).toEqual(['can0 200#07', 'can0 200#08']);
  expect(gapsOf(unit)).toEqual(['agent_stopped', 'storage_full']);
});

test('a unit that starts on a full disk waits for room', () => {
  const program = join(import.meta.dirname, 'support/full-disk-unit.ts');
  const found = inOwnMounts(program, folder.path, 'is full at the start') as FullDiskUnit;
  expect(found.whileFull).toEqual(['STORAGE_FULL']);
  expect(found.frames).toEqual(['can0 200#07']);
  expect(found.gapsVerdict).toBe('PASSED');
  const causes = found.gaps.flatMap(({ bus, cause }) => (bus === '' ? [cause] : []));
  expect(causes).toEqual(['agent_stopped', 'storage_full']);
});

test('told to stop while it waits for its disk from the start, it says that nothing was recorded', async () => {
  await using unit = new LiveUnit(folder.path, new MemoryCapture());
  await unit.start();
  await unit.stop();
  using _ = makeReadOnly(unit.dataDir);
  await unit.start();
  const end = unit.agent.recorded.then(() => 'in order', codeOfError);
  await unit.stop();
  expect(await end).toBe('STORAGE_READ_ONLY');
});

test('a unit without keys cannot wait: it ends by code, and leaves nothing that a later start minds', async () => {
  const source = new MemoryCapture();
  await using unit = new LiveUnit(folder.path, source);
  {
    using _ = makeReadOnly(folder.path);
    expect(await codeOfAsync(() => unit.start())).toBe('STORAGE_READ_ONLY');
    expect(source.isClosed).toBe(true);
  }
  source.isClosed = false;
  await unit.start();
  await unit.stop();
  expect(unit.headers()).toHaveLength(1);
});

function codeOfError(error: unknown): unknown {
  return error instanceof OperationalError ? error.code : error;
}
