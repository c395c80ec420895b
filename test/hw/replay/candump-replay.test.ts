import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { openReplay } from '../../../hw/replay/candump-replay.ts';
import { FIXTURE_LOGS, fixturePath, SYNTHETIC_LOG } from './fixture-logs.ts';
import { readReplay } from './read-replay.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function logFile(content: string | Uint8Array): string {
  const path = join(folder, `log-${files++}`);
  writeFileSync(path, content);
  return path;
}

const synthetic = readFileSync(fixturePath(SYNTHETIC_LOG), 'utf8');
const NOTHING = { count: 0, firstLine: 0, firstReason: '' };

describe('a replay', () => {
  it.each(FIXTURE_LOGS)('gives every line of $path once, numbered', async ({ path, lines }) => {
    const { frames, skipped, skippedAtEnd, error } = await readReplay(fixturePath(path));
    expect(error).toBeUndefined();
    expect(frames.length).toBe(lines);
    expect(frames.every((frame, i) => frame.cursor === i + 1)).toBe(true);
    expect([...skipped, skippedAtEnd].every((one) => one.count === 0)).toBe(true);
  });

  it('gives the same frames from gzip, from several gzip members, with CRLF, and without a last line feed', async () => {
    const { frames } = await readReplay(logFile(synthetic));
    const half = Math.floor(synthetic.length / 2);
    const variants = [
      gzipSync(synthetic),
      Buffer.concat([gzipSync(synthetic.slice(0, half)), gzipSync(synthetic.slice(half))]),
      Buffer.concat([gzipSync(synthetic), new Uint8Array(512)]),
      synthetic.replaceAll('\n', '\r\n'),
      synthetic.trimEnd(),
      gzipSync(synthetic.trimEnd()),
    ];
    for (const variant of variants) {
      const read = await readReplay(logFile(variant));
      expect(read.error).toBeUndefined();
      expect(read.frames).toEqual(frames);
    }
  });

  it('gives the same frames in blocks of any size', async () => {
    const whole = await readReplay(fixturePath(SYNTHETIC_LOG));
    expect(whole.blockCounts).toEqual([89]);
    for (const maxFrames of [1, 2, 7, 88, 89, 90]) {
      const read = await readReplay(fixturePath(SYNTHETIC_LOG), {}, maxFrames);
      expect(read.frames).toEqual(whole.frames);
      expect(Math.max(...read.blockCounts)).toBeLessThanOrEqual(maxFrames);
    }
  });

  it('gives the rest of the frames after any line, and nothing after the last', async () => {
    const { frames } = await readReplay(fixturePath(SYNTHETIC_LOG));
    for (let line = 0; line <= frames.length; line++) {
      const read = await readReplay(fixturePath(SYNTHETIC_LOG), { startAfterLine: line });
      expect(read.error).toBeUndefined();
      expect(read.frames).toEqual(frames.slice(line));
    }
  });

  it('lists its buses in the order in which they come', async () => {
    const replay = await openReplay({ path: fixturePath(SYNTHETIC_LOG), speed: 0 });
    expect(replay.buses).toEqual([]);
    await replay.read(12);
    expect(replay.buses).toEqual(['can0', 'can1']);
    while ((await replay.read(100)) !== undefined);
    expect(replay.buses).toEqual(['can0', 'can1', 'canfd0', 'vcan-fifteen-ch', '0']);
    await replay.close();
  });

  it('starts a new block where a stamp lies too far from the first', async () => {
    const log =
      '(1.000000) a 1A0#\n(9007200.000000) a 1A1#\n(9200000000.000000) a 1A2#\n(0.000000) a 1A3#\n';
    const { frames, blockCounts } = await readReplay(logFile(log));
    expect(blockCounts).toEqual([2, 1, 1]);
    expect(frames.map((frame) => frame.timeNs / 1_000_000_000n)).toEqual([
      1n,
      9_007_200n,
      9_200_000_000n,
      0n,
    ]);
  });

  it('gives undefined once closed, and closes twice', async () => {
    const replay = await openReplay({ path: fixturePath(SYNTHETIC_LOG), speed: 0 });
    await replay.read(5);
    await replay.close();
    await replay.close();
    expect(await replay.read(5)).toBeUndefined();
  });
});

describe('skipped lines', () => {
  const frame = (n: number) => `(1.00000${n}) can0 10${n}#`;
  const log = [
    '# head',
    frame(1),
    '',
    'rubbish',
    `${'x'.repeat(200_000)}`,
    frame(2),
    frame(3),
    '(1.0) can0 123#',
    frame(4),
    "DROPCOUNT: dropped 1 CAN frame on 'can0' socket (total drops 1)",
    '',
    'end',
  ].join('\n');

  it('are counted with the block whose frames they precede, with line and reason of the first', async () => {
    const { frames, skipped, skippedAtEnd } = await readReplay(logFile(log), {}, 1);
    expect(frames.map((one) => one.cursor)).toEqual([2, 6, 7, 9]);
    expect(skipped).toEqual([
      { count: 1, firstLine: 1, firstReason: 'CANDUMP_COMMENT' },
      { count: 2, firstLine: 4, firstReason: 'CANDUMP_TIME' },
      NOTHING,
      { count: 1, firstLine: 8, firstReason: 'CANDUMP_TIME' },
    ]);
    expect(skippedAtEnd).toEqual({ count: 2, firstLine: 10, firstReason: 'CANDUMP_DROPCOUNT' });
  });

  it('end a block, so that they stand before its first frame whatever its size', async () => {
    const { blockCounts, skipped } = await readReplay(logFile(log));
    expect(blockCounts).toEqual([1, 2, 1]);
    expect(skipped).toEqual([
      { count: 1, firstLine: 1, firstReason: 'CANDUMP_COMMENT' },
      { count: 2, firstLine: 4, firstReason: 'CANDUMP_TIME' },
      { count: 1, firstLine: 8, firstReason: 'CANDUMP_TIME' },
    ]);
  });

  it('are counted neither twice nor never when a replay resumes after any frame', async () => {
    const path = logFile(log);
    for (const line of [2, 6, 7, 9]) {
      const replay = await openReplay({ path, speed: 0 });
      let total = 0;
      for (let cursor = 0; cursor < line; ) {
        const block = await replay.read(1);
        total += block?.skipped.count ?? 0;
        cursor = block?.cursor[0] ?? line;
      }
      await replay.close();
      const rest = await readReplay(path, { startAfterLine: line });
      for (const one of rest.skipped) total += one.count;
      expect(total + rest.skippedAtEnd.count).toBe(6);
    }
  });

  it('may be longer than a part of the file, also as the last line', async () => {
    const long = 'y'.repeat(300_000);
    const { frames, skippedAtEnd } = await readReplay(logFile(`${frame(1)}\n${long}`));
    expect(frames.length).toBe(1);
    expect(skippedAtEnd).toEqual({ count: 1, firstLine: 2, firstReason: 'CANDUMP_LINE_TOO_LONG' });
  });
});
