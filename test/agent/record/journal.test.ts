import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JOURNAL_PAGE, JournalFile } from '../../../agent/record/journal-file.ts';
import { findSurvivors, type Survivors } from '../../../agent/record/survivors.ts';
import { equalBytes } from '../../../core/bytes.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { WritingSession } from '../support/dead-session.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let session: WritingSession;

beforeEach(() => {
  folder = temporaryFolder();
  session = new WritingSession(folder.path);
});
afterEach(() => {
  session.file.close();
  folder[Symbol.dispose]();
});

/** Five blocks of chunk `seq`, each one page long. */
function fiveBlocks(seq = 3): void {
  for (let i = 0; i < 5; i++) {
    session.block(seq, [
      { ms: i * 80 + 10, id: 0x100 + i },
      { ms: i * 80 + 20, bus: 1 },
    ]);
  }
}

function survivors(
  seq = 3,
  change: (bytes: Buffer) => void = () => undefined,
): Survivors | undefined {
  const bytes = Buffer.from(session.file.read());
  change(bytes);
  return findSurvivors(
    bytes,
    { keyOf: (id) => (equalBytes(id, session.id) ? session.signer.key : undefined), seq },
    fastVerifyDigest,
    nativeSha256,
  );
}

const page = (bytes: Buffer, i: number) => bytes.subarray(i * JOURNAL_PAGE, (i + 1) * JOURNAL_PAGE);

function verdict(found: Survivors | undefined): readonly unknown[] {
  return [found?.blocks.length, found?.ending, found?.fault?.code];
}

test('all blocks survive, in order, and what follows them is nothing', () => {
  fiveBlocks();
  expect(verdict(survivors())).toEqual([5, 'open', undefined]);
  expect(survivors()?.blocks.map(({ block }) => [block.place, block.index, block.durable])).toEqual(
    [0, 1, 2, 3, 4].map((i) => [i, i, i]),
  );
});

test('an empty journal and one of a sealed chunk have no survivors', () => {
  expect(survivors()).toBeUndefined();
  fiveBlocks(2);
  expect(survivors(3)).toBeUndefined();
});

test('what is left of an older chunk behind the blocks is passed over', () => {
  fiveBlocks(2);
  session.free();
  session.block(3, [{ ms: 410 }]);
  session.block(3, [{ ms: 490 }]);
  expect(verdict(survivors(3))).toEqual([2, 'open', 'BLOCK_OLD']);
});

test('a block that takes more than a page is followed by the next', () => {
  const many = Array.from({ length: 900 }, (_, i) => ({ ms: 10, id: 0x100 + (i % 300) }));
  session.block(0, many);
  session.block(0, [{ ms: 90 }]);
  const found = survivors(0);
  expect(verdict(found)).toEqual([2, 'open', undefined]);
  expect(found?.blocks[1]?.page).toBeGreaterThan(1);
});

describe('torn by a power cut', () => {
  /** Four blocks, and one that takes several sectors. */
  function fiveOfWhichOneIsLong(): void {
    for (let i = 0; i < 4; i++) session.block(3, [{ ms: i * 80 + 10 }]);
    const many = Array.from({ length: 60 }, (_, i) => ({ ms: 330 + i, id: 0x200 + i }));
    session.block(3, many);
  }

  test.each([
    ['after its first sector', 512],
    ['in its body', 900],
  ])('the last block %s: those before it survive', (_, from) => {
    fiveOfWhichOneIsLong();
    const found = survivors(3, (bytes) => page(bytes, 4).fill(0, from));
    expect(found?.blocks).toHaveLength(4);
    expect(found?.ending).toBe('open');
    expect(found?.fault?.place).toBe(4);
  });

  test('before its first sector, with a later one written: those before it survive', () => {
    fiveOfWhichOneIsLong();
    const found = survivors(3, (bytes) => page(bytes, 4).fill(0, 0, 512));
    expect(verdict(found)).toEqual([4, 'open', 'BLOCK_TORN']);
  });

  test('its only block: nothing survives', () => {
    session.block(
      3,
      Array.from({ length: 60 }, (_, i) => ({ ms: 10 + i, id: 0x200 + i })),
    );
    expect(survivors(3, (bytes) => page(bytes, 0).fill(0, 600))?.blocks ?? []).toHaveLength(0);
  });
});

describe('altered between crash and start, it is damaged where a later block counts it as durable', () => {
  const swap = (bytes: Buffer, a: number, b: number) => {
    const kept = Buffer.from(page(bytes, a));
    page(bytes, b).copy(page(bytes, a));
    kept.copy(page(bytes, b));
  };

  test.each([
    ['a bit of a head is flipped', (b: Buffer) => flip(page(b, 2), 200), 2, 'SIGNATURE_INVALID'],
    ['a bit of a body is flipped', (b: Buffer) => flip(lastByteOf(page(b, 2)), 0), 2, 'BLOCK_BODY'],
    ['a length is flipped', (b: Buffer) => flip(page(b, 2), 1), 2, 'BLOCK_TORN'],
    ['two blocks change places', (b: Buffer) => swap(b, 1, 2), 1, 'BLOCK_PLACE'],
    ['a block is put in twice', (b: Buffer) => page(b, 1).copy(page(b, 2)), 2, 'BLOCK_PLACE'],
    ['a block is wiped', (b: Buffer) => page(b, 0).fill(0), 0, undefined],
  ])('when %s', (_, change, survive, code) => {
    fiveBlocks();
    expect(verdict(survivors(3, change))).toEqual([survive, 'damaged', code]);
  });

  test('when an older block of the same session stands in its place', () => {
    fiveBlocks(2);
    const old = Buffer.from(page(Buffer.from(session.file.read()), 2));
    session.free();
    fiveBlocks(3);
    const found = survivors(3, (bytes) => old.copy(page(bytes, 2)));
    expect(verdict(found)).toEqual([2, 'damaged', 'BLOCK_OLD']);
  });

  test('when a block of another session stands in its place', () => {
    using elsewhere = temporaryFolder();
    const other = new WritingSession(elsewhere.path, 1);
    for (let i = 0; i < 5; i++) other.block(3, [{ ms: 10 }]);
    const foreign = Buffer.from(page(Buffer.from(other.file.read()), 2));
    other.file.close();
    fiveBlocks(3);
    const found = survivors(3, (bytes) => foreign.copy(page(bytes, 2)));
    expect(verdict(found)).toEqual([2, 'damaged', 'BLOCK_FOREIGN']);
  });

  test('and not where the block that counts it is of another session of this unit', () => {
    using elsewhere = temporaryFolder();
    const other = new WritingSession(elsewhere.path, 1);
    for (let i = 0; i < 8; i++) other.block(3, [{ ms: 10 }]);
    const later = Buffer.from(page(Buffer.from(other.file.read()), 7));
    other.file.close();
    fiveBlocks(3);
    const bytes = Buffer.from(session.file.read());
    later.copy(page(bytes, 7));
    const keyOf = (id: Uint8Array) => (id[0] === 1 ? other : session).signer.key;
    const found = findSurvivors(bytes, { keyOf, seq: 3 }, fastVerifyDigest, nativeSha256);
    expect(verdict(found)).toEqual([5, 'open', undefined]);
  });

  test('and cut off at the end it looks like an earlier crash', () => {
    fiveBlocks();
    const found = survivors(3, (bytes) => bytes.fill(0, 3 * JOURNAL_PAGE));
    expect(verdict(found)).toEqual([3, 'open', undefined]);
  });
});

test('every bit of a journal can be flipped: no other block is ever taken for one', () => {
  session.block(3, [{ ms: 10 }]);
  session.block(3, [{ ms: 90 }]);
  const bytes = Buffer.from(session.file.read());
  const honest = survivors()?.blocks.map(({ id }) => id.join()) ?? [];
  for (let at = 0; at < 1200; at += 7) {
    const found = survivors(3, (copy) => flip(copy, at));
    for (const { id } of found?.blocks ?? []) expect(honest).toContain(id.join());
  }
  expect(bytes.length).toBe(4 << 20);
});

describe('the file', () => {
  test('has its full length before the first block, also after a start that was cut short', () => {
    const path = join(folder.path, 'journal');
    session.file.close();
    writeFileSync(path, readFileSync(path).subarray(0, 1000));
    session = new WritingSession(folder.path);
    expect(session.file.read()).toHaveLength(4 << 20);
  });

  test('keeps what an earlier run wrote until it is overwritten', () => {
    fiveBlocks();
    const again = JournalFile.open(folder.path);
    expect(Buffer.compare(again.read(), session.file.read())).toBe(0);
    again.close();
  });

  test('of a damaged journal keeps the oldest copy and the newest', () => {
    const before = readdirSync(folder.path);
    const copies = () => readdirSync(folder.path).filter((name) => !before.includes(name));
    // By number: as text, 10 stands before 2.
    for (const [log, seq] of [
      [0, 2],
      [0, 10],
      [0, 400],
      [1, 7],
    ] as const) {
      fiveBlocks();
      session.file.keepDamaged(log, seq);
      expect(readFileSync(join(folder.path, `journal-damaged-${log}-${seq}`))).toEqual(
        session.file.read(),
      );
    }
    expect(copies().sort()).toEqual(['journal-damaged-0-2', 'journal-damaged-1-7']);
  });

  test('has no copy that a kill left unfinished, and keeps those that are finished', () => {
    fiveBlocks();
    session.file.keepDamaged(0, 2);
    const before = readdirSync(folder.path).sort();
    writeFileSync(join(folder.path, 'journal-damaged.new'), session.file.read().subarray(0, 5000));
    const again = JournalFile.open(folder.path);
    expect(readdirSync(folder.path).sort()).toEqual(before);
    again.keepDamaged(0, 2);
    expect(readFileSync(join(folder.path, 'journal-damaged-0-2'))).toEqual(again.read());
    again.close();
  });
});

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

/** Blocks of these tests are shorter than a page, and padded with zeros. */
function lastByteOf(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(end - 1, end);
}
