/**
 * A spool on a disk of its own that is full, in a process with its own mounts: `full-disk.ts FOLDER` prints what
 * happened.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Spool } from '../../../agent/spool/spool.ts';
import { codeOf } from './coded-error.ts';
import { chunkRow, headerRow, idOf, newSpool, openSpool } from './spool-rows.ts';

const MIB = 1 << 20;
const DISK_MIB = 48;
const START_MS = 1_795_000_000_000;

export type FullDisk = {
  /** Chunks that a spool took which nobody bounded, three times the disk. */
  readonly committed: number;
  readonly oldest: string;
  readonly newest: string;
  /** With everything held. */
  readonly held: string;
  readonly statement: string;
  readonly afterRelease: string;
  /** A second start, with not a byte left. */
  readonly freeBefore: number;
  readonly reopened: string;
  readonly afterStart: string;
  readonly seqs: readonly number[];
};

function chunk(seq: number) {
  const body = new Uint8Array(2 * MIB).fill(seq);
  return chunkRow(seq, { body, header: headerRow(seq, START_MS + seq * 1000) });
}

/** Until nothing more goes in. */
function fillUp(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [MIB, 4096, 1]) {
    try {
      for (;;) writeSync(file, new Uint8Array(size));
    } catch {
      // full for this size
    }
  }
  closeSync(file);
}

function run(folder: string): FullDisk {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk]);
  let spool: Spool = newSpool(disk);
  let seq = 0;
  const commit = (): string =>
    codeOf(() => {
      spool.commitChunks(0, [chunk(seq)]);
      seq += 1;
    });
  const body = (of: number): string =>
    codeOf(() => {
      if (spool.body(0, of).some((byte) => byte !== (of & 255))) throw new Error('other bytes');
    });
  for (let i = 0; i < (3 * DISK_MIB) / 2; i++) commit();
  const [committed, oldest, newest] = [seq, body(0), body(seq - 1)];
  const hold = spool.hold(0, 0, 0xffff_ffff, 'everything');
  let held = commit();
  while (held === 'nothing was thrown') held = commit();
  // Less than a body is left, which is enough for the index: the uplink goes on.
  const statement = codeOf(() =>
    spool.commitStatement(0, {
      ...{ seq: 0, id: idOf('statement 0'), bytes: new Uint8Array(500) },
      spans: [{ log: 0, firstSeq: 0, count: seq }],
    }),
  );
  spool.release(hold);
  const afterRelease = `${commit()}, ${body(seq - 1)}`;
  spool.close();
  fillUp(join(disk, 'filler'));
  const freeBefore = statfsSync(disk).bavail;
  const reopened = codeOf(() => {
    spool = openSpool(disk);
  });
  const afterStart = `${commit()}, ${body(seq - 1)}`;
  rmSync(join(disk, 'filler'));
  spool.close();
  spool = openSpool(disk);
  const seqs = spool.chunks(0, 0, 0xffff_ffff).map((row) => row.seq);
  spool.close();
  return {
    ...{ committed, oldest, newest, held, statement, afterRelease },
    ...{ freeBefore, reopened, afterStart, seqs },
  };
}

process.stdout.write(JSON.stringify(run(process.argv[2] ?? '')));
