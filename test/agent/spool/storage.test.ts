import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareUnit } from '../../../agent/main.ts';
import { codeOf } from '../support/coded-error.ts';
import { type Filled, fillSpool } from '../support/fill-spool.ts';
import type { FullDisk } from '../support/full-disk.ts';
import { IS_ROOT, inOwnMounts, makeReadOnly, mountSmallDisk } from '../support/small-disk.ts';
import { chunkRow, newSpool, openSpool } from '../support/spool-rows.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Every chunk whose commit returned is there, whole, and the next one is taken. */
function expectWhole(folder: string, { committed }: Filled): void {
  const spool = openSpool(folder);
  expect(committed).toBeGreaterThan(0);
  const chunks = spool.chunks(0, 0, 1e6);
  expect(chunks.length).toBeGreaterThanOrEqual(committed);
  expect(chunks.map(({ seq }) => seq)).toEqual([...chunks.keys()]);
  for (const { seq } of chunks) {
    expect(spool.body(0, seq).every((byte) => byte === (seq & 255))).toBe(true);
  }
  spool.commitChunks(0, [chunkRow(chunks.length)]);
  expect(spool.body(0, chunks.length).length).toBe(chunkRow(chunks.length).body.length);
  spool.close();
}

test('a full disk stops the commit, and what was committed stays', () => {
  using folder = temporaryFolder();
  if (!IS_ROOT) {
    // A limit on the size of a file is the full disk that anybody can have.
    const program = join(import.meta.dirname, '../support/fill-spool.ts');
    const limited = ['--fsize=1000000', process.execPath, program, folder.path];
    const filled = JSON.parse(execFileSync('prlimit', limited, { encoding: 'utf8' })) as Filled;
    expect(filled.code).toBe('STORAGE_FULL');
    expectWhole(folder.path, filled);
    return;
  }
  using disk = mountSmallDisk(folder.path, 2);
  const filled = fillSpool(disk.path);
  expect(filled.code).toBe('STORAGE_FULL');
  disk.grow(8);
  expectWhole(disk.path, filled);
});

test('a limit on the size of files stops the commit like a full disk', () => {
  using folder = temporaryFolder();
  const program = join(import.meta.dirname, '../support/fill-spool.ts');
  const limited = ['--fsize=1000000', process.execPath, program, folder.path];
  const filled = JSON.parse(execFileSync('prlimit', limited, { encoding: 'utf8' })) as Filled;
  expect(filled.code).toBe('STORAGE_FULL');
  expectWhole(folder.path, filled);
});

test('a full disk makes room by itself, loses nothing that is held, and can be started on', () => {
  using folder = temporaryFolder();
  const program = join(import.meta.dirname, '../support/full-disk.ts');
  const result = inOwnMounts(program, folder.path) as FullDisk;
  const { committed, seqs, ...codes } = result;
  const well = 'nothing was thrown';
  expect(codes).toEqual({
    ...{ oldest: 'SPOOL_BODY_EVICTED', newest: well, held: 'STORAGE_FULL', statement: well },
    ...{ afterRelease: `${well}, ${well}`, freeBefore: 0, reopened: well },
    afterStart: `${well}, ${well}`,
  });
  expect(committed).toBe(72);
  expect(seqs).toEqual([...seqs.keys()]);
});

test('a disk that is full from the start takes no spool and no keys', () => {
  using folder = temporaryFolder();
  if (!IS_ROOT) {
    const program = join(import.meta.dirname, '../support/fill-spool.ts');
    const limited = ['--fsize=0', process.execPath, program, folder.path];
    expect(() => execFileSync('prlimit', limited, { stdio: 'pipe' })).toThrow('STORAGE_F');
    return;
  }
  using disk = mountSmallDisk(folder.path, 1);
  execFileSync('sh', ['-c', `head -c 2M /dev/zero > ${disk.path}/filler || true`], {
    stdio: 'ignore',
  });
  expect(codeOf(() => prepareUnit(join(disk.path, 'unit')))).toMatch(
    /^(STORAGE_FULL|KEY_FILE_CREATE)$/,
  );
});

test('a folder that cannot be written is refused with its code, whether the spool is there or not', () => {
  using folder = temporaryFolder();
  const unit = join(folder.path, 'unit');
  mkdirSync(unit);
  newSpool(unit).close();
  using _readOnly = makeReadOnly(folder.path);
  expect(codeOf(() => openSpool(unit))).toBe('STORAGE_READ_ONLY');
  expect(codeOf(() => openSpool(join(folder.path, 'new')))).toBe('STORAGE_READ_ONLY');
  expect(codeOf(() => prepareUnit(join(folder.path, 'another')))).toBe('STORAGE_READ_ONLY');
  expect(readdirSync(folder.path)).toEqual(['unit']);
});
