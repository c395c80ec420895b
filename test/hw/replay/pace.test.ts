import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openReplay } from '../../../hw/replay/candump-replay.ts';
import { systemReplayClock } from '../../../hw/replay/replay-clock.ts';
import { fixturePath, KONA_LOG } from './fixture-logs.ts';
import { JumpingClock, readReplay } from './read-replay.ts';

const folder = mkdtempSync(join(tmpdir(), 'pace-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function logAt(name: string, ...milliseconds: readonly number[]): string {
  const path = join(folder, name);
  const line = (ms: number) =>
    `(${Math.floor(ms / 1000)}.${String((ms % 1000) * 1000).padStart(6, '0')}) can0 123#\n`;
  writeFileSync(path, milliseconds.map(line).join(''));
  return path;
}

const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0);

describe('a paced replay', () => {
  it('waits as long as the log is, divided by the speed', async () => {
    const path = logAt('even', 5000, 5100, 5200, 7000);
    for (const speed of [0.5, 1, 4]) {
      const clock = new JumpingClock();
      const { frames } = await readReplay(path, { speed, clock });
      expect(frames.length).toBe(4);
      expect(sum(clock.waitsMs)).toBeCloseTo(2000 / speed, 6);
    }
  });

  it('gives no frame before it is due and holds none back across a silence', async () => {
    const clock = new JumpingClock();
    const replay = await openReplay({
      path: logAt('silence', 1000, 1005, 1010, 9000, 9001),
      speed: 1,
      clock,
    });
    const given: number[][] = [];
    for (;;) {
      const block = await replay.read(100);
      if (block === undefined) break;
      given.push([clock.nowMs, block.count]);
    }
    await replay.close();
    expect(given).toEqual([
      [1010, 3],
      [9001, 2],
    ]);
  });

  it('does not wait for a log that steps back, nor until it has caught up', async () => {
    const clock = new JumpingClock();
    await readReplay(logAt('back', 8000, 8100, 3000, 3050, 8050, 8100, 8200), { speed: 1, clock });
    expect(clock.waitsMs).toEqual([100, 100]);
  });

  it('counts from the line where it resumes', async () => {
    const clock = new JumpingClock();
    const path = logAt('resume', 1000, 5000, 5100);
    await readReplay(path, { speed: 1, clock, startAfterLine: 1 });
    expect(sum(clock.waitsMs)).toBe(100);
  });

  it('cuts a recording of two buses into blocks of at most 20 ms', async () => {
    const clock = new JumpingClock();
    const { frames, blockCounts } = await readReplay(fixturePath(KONA_LOG), { speed: 1, clock });
    expect(frames.length).toBe(39_546);
    expect(sum(clock.waitsMs)).toBeCloseTo(10_800, -2);
    expect(Math.max(...blockCounts)).toBeLessThan(200);
  });

  it('at speed 0 looks at no clock', async () => {
    const clock = {
      monotonicMs: () => expect.unreachable(),
      waitMs: () => expect.unreachable(),
    };
    const { error, frames } = await readReplay(fixturePath(KONA_LOG), { clock });
    expect(error).toBeUndefined();
    expect(frames.length).toBe(39_546);
  });

  it('stops waiting when it is closed', async () => {
    const path = logAt('years', 0, 2_000_000_000_000);
    const replay = await openReplay({ path, speed: 1, clock: systemReplayClock });
    expect((await replay.read(10))?.count).toBe(1);
    const waiting = replay.read(10);
    await replay.close();
    expect(await waiting).toBeUndefined();
  });
});
