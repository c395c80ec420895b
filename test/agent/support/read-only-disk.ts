/**
 * `health` of a unit on a disk of its own that takes no writes, in a process with its own mounts:
 * `read-only-disk.ts FOLDER` prints what it said of each unit.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentStatus } from '../../../agent/status.ts';
import { statusSnapshot, writeStatusFile } from '../../../agent/status-file.ts';
import { run } from '../../../cli/commands/health.ts';
import { TestUnit } from './unit.ts';

export type Answer = {
  /** 2: it was thrown, as `thrown` says. */
  readonly exit: number;
  readonly thrown: string | undefined;
  readonly items: readonly {
    readonly topic: string;
    readonly code?: string;
    readonly sentence: string;
  }[];
};

export type ReadOnlyDisk = {
  readonly writable: Answer;
  /** The last program that had the index open closed it: no shared memory beside it. */
  readonly closed: Answer;
  /** The writer was killed: its log is there, and the shared memory. */
  readonly killed: Answer;
  /** The same without the shared memory, as a copy of the disk may be. */
  readonly withoutShared: Answer;
  readonly withoutStatus: Answer;
  readonly damaged: Answer;
};

const MINUTE_MS = 60_000;

async function health(unit: string): Promise<Answer> {
  let out = '';
  const output = { write: (text: string | Uint8Array) => (out += String(text)) };
  try {
    const exit = await run(['--data', unit, '--json'], { stdout: output, stderr: output });
    return { exit, thrown: undefined, items: (JSON.parse(out) as Answer).items };
  } catch (error) {
    return { exit: 2, thrown: String((error as { code?: unknown }).code), items: [] };
  }
}

async function main(folder: string): Promise<ReadOnlyDisk> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', disk]);
  // The mount and not its file system, whose options name the user outside, whom a namespace of users does not know.
  const mounted = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,bind,${how}`, disk]);
  const readOnly = async (prepare: () => void): Promise<Answer> => {
    mounted('rw');
    prepare();
    mounted('ro');
    return await health(unit);
  };
  const unit = join(disk, 'unit');
  const spool = join(unit, 'spool');
  const made = new TestUnit(unit);
  made.addStatement();
  const status = new AgentStatus(Date.now() - 10 * MINUTE_MS);
  status.phase = 'recording';
  status.capture.driver = 'replay';
  status.clock.source = 'ntp';
  Object.assign(status.chunks, { count: 1, lastSeq: 0, lastEndMs: Date.now() - 6 * MINUTE_MS });
  Object.assign(status.uplink, { unaccepted: 1 });
  writeStatusFile(unit, statusSnapshot(status, Date.now() - 5 * MINUTE_MS, process.pid));
  // What a killed writer leaves: copies of what lies there while it has the index open.
  const left = ['index.db', 'index.db-wal', 'index.db-shm'];
  const kept = join(folder, 'kept');
  mkdirSync(kept);
  for (const name of left) copyFileSync(join(spool, name), join(kept, name));
  made.spool.close();
  const restore = (names: readonly string[]): void => {
    for (const name of left) rmSync(join(spool, name), { force: true });
    for (const name of names) copyFileSync(join(kept, name), join(spool, name));
  };
  const writable = await health(unit);
  return {
    writable,
    closed: await readOnly(() => undefined),
    killed: await readOnly(() => restore(left)),
    withoutShared: await readOnly(() => restore(left.slice(0, 2))),
    withoutStatus: await readOnly(() => rmSync(join(unit, 'status.json'))),
    damaged: await readOnly(() => {
      restore([]);
      writeFileSync(join(spool, 'index.db'), 'no database at all');
    }),
  };
}

process.stdout.write(JSON.stringify(await main(process.argv[2] ?? '')));
