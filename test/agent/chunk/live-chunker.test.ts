import { describe, expect, test } from 'vitest';
import type { Slice } from '../../../agent/chunk/chunker.ts';
import { LiveChunker } from '../../../agent/chunk/live-chunker.ts';
import type { Gap } from '../../../core/chunk-header.ts';
import { frameTimeNs } from '../../../core/frame.ts';
import { MAX_LEAF_COUNT } from '../../../core/leaf.ts';
import { at, captureBlock, type FrameAt, MS, START } from '../support/capture-blocks.ts';

type Chunk = Omit<Slice, 'frames'> & {
  readonly stampsMs: readonly number[];
  readonly count: number;
};

function chunker(gaps: () => readonly Gap[] = () => [], isQuiet = () => true) {
  const chunks: Chunk[] = [];
  const restarts: bigint[] = [];
  const made = new LiveChunker(
    { chunkMs: 1000, batchMs: 60_000, start: START },
    {
      takeGaps: gaps,
      takeCounters: () => [],
      restartGaps: (wallNs) => restarts.push(wallNs),
      clock: () => ({ source: 'unsynchronised', quality: undefined }),
      isPaused: () => false,
      isQuiet,
    },
    ({ frames, ...slice }) => {
      const rows = Array.from({ length: Math.min(frames.count, 10) }, (_, i) => i);
      const stampsMs = rows.map((i) => Number((frameTimeNs(frames, i) - START.wallNs) / MS));
      chunks.push({ ...slice, stampsMs, count: frames.count });
    },
  );
  const push = (
    clock: Parameters<typeof captureBlock>[0],
    frames: readonly FrameAt[] = [],
    stepNs = 0n,
    isFull = false,
  ) => {
    made.wake(frames.length);
    made.push(captureBlock(clock, frames, { isFull }), stepNs);
  };
  return { made, push, chunks, restarts };
}

/** From and to, in ms of the monotonic clock after the start. */
function spans(chunks: readonly Chunk[]): readonly (readonly [number, number])[] {
  return chunks.map(({ monoStartNs, monoEndNs }) => [
    Number((monoStartNs - START.monoNs) / MS),
    Number((monoEndNs - START.monoNs) / MS),
  ]);
}

test('a chunk ends at the first look after its time, and the next starts there', () => {
  const { push, chunks } = chunker();
  push(at(0));
  for (let ms = 80; ms <= 2400; ms += 80) push(at(ms), [{ ms: ms - 10 }]);
  expect(spans(chunks)).toEqual([
    [0, 1040],
    [1040, 2080],
  ]);
  expect(chunks.map(({ count }) => count)).toEqual([13, 13]);
  expect(chunks[1]?.wallStartNs).toBe(chunks[0]?.wallEndNs);
});

test('a stamp may lie before the start of its chunk: frames are where they were taken', () => {
  const { push, chunks } = chunker();
  push(at(1000), [{ ms: 10 }]);
  push(at(2000), [{ ms: 995 }]);
  expect(chunks.map(({ stampsMs }) => stampsMs)).toEqual([[10], [995]]);
});

describe('while the buses sleep', () => {
  test('a chunk grows to the length of a batch', () => {
    const { push, chunks } = chunker();
    for (let ms = 0; ms <= 61_000; ms += 500) push(at(ms));
    expect(spans(chunks)).toEqual([[0, 60_000]]);
    expect(chunks[0]?.state).toBe('parked');
  });

  test('a frame ends the chunk of sleep at the last silent look, and is in the next', () => {
    const { push, chunks } = chunker();
    for (let ms = 0; ms <= 30_000; ms += 500) push(at(ms));
    push(at(30_500), [{ ms: 30_400 }]);
    push(at(31_000), [{ ms: 30_900 }]);
    expect(spans(chunks)).toEqual([
      [0, 30_000],
      [30_000, 31_000],
    ]);
    expect(chunks.map(({ count, state }) => [count, state])).toEqual([
      [0, 'parked'],
      [2, 'recording'],
    ]);
  });

  test('something to tell ends it', () => {
    let isQuiet = true;
    const { push, chunks } = chunker(undefined, () => isQuiet);
    for (let ms = 0; ms <= 5000; ms += 500) push(at(ms));
    isQuiet = false;
    push(at(5500));
    expect(spans(chunks)).toEqual([[0, 5500]]);
  });
});

describe('a wall clock that is set', () => {
  const HOUR = 3_600_000n * MS;

  test.each([
    ['forward', HOUR],
    ['back', -HOUR],
  ])('an hour %s ends the chunk by the old time and starts the next by the new', (_, stepNs) => {
    const { push, chunks, restarts } = chunker();
    push(at(80), [{ ms: 70 }]);
    push({ ...at(160), wallNs: at(160).wallNs + stepNs }, [{ ms: 150 }], stepNs);
    expect(spans(chunks)).toEqual([[0, 160]]);
    expect(chunks[0]).toMatchObject({ wallEndNs: at(160).wallNs, clockSteps: [], count: 2 });
    expect(restarts).toEqual([at(160).wallNs + stepNs]);
    push({ ...at(1200), wallNs: at(1200).wallNs + stepNs }, [{ ms: 1100 }]);
    expect(chunks[1]).toMatchObject({
      wallStartNs: at(160).wallNs + stepNs,
      clockSteps: [{ monoNs: at(160).monoNs, stepNs }],
    });
    expect(chunks[1]?.clock.steps).toBe(1);
  });

  test.each([
    ['from 1970 to today', 1_795_000_000_000n * MS],
    ['back by 20 years', -20n * 8766n * HOUR],
  ])('%s cuts between the frames of the old time and those of the new', (_, stepNs) => {
    const { push, chunks } = chunker();
    push(at(80), [{ ms: 70 }]);
    const wallNs = at(160).wallNs + stepNs;
    // A block ends where stamps are too far apart for one base.
    push({ ...at(160), wallNs }, [{ ms: 90 }, { ms: 100 }], stepNs, true);
    push({ ...at(160), wallNs }, [
      { ms: 0, timeNs: wallNs - 20n * MS },
      { ms: 0, timeNs: wallNs },
    ]);
    expect(chunks.map(({ count }) => count)).toEqual([3]);
    push({ ...at(1200), wallNs: at(1200).wallNs + stepNs }, []);
    expect(chunks.map(({ count }) => count)).toEqual([3, 2]);
    expect(chunks[1]).toMatchObject({ wallStartNs: wallNs });
    expect(chunks[1]?.clock.steps).toBe(1);
    expect(spans(chunks)).toEqual([
      [0, 160],
      [160, 1200],
    ]);
  });

  test('frames of the old time that come late are in a chunk of their own', () => {
    const { push, chunks, made } = chunker();
    const stepNs = 20n * 8766n * HOUR;
    push({ ...at(80), wallNs: at(80).wallNs + stepNs }, [{ ms: 70 }], stepNs);
    const wallNs = at(160).wallNs + stepNs;
    push({ ...at(160), wallNs }, [{ ms: 75 }], 0n, true);
    push({ ...at(160), wallNs }, [{ ms: 0, timeNs: wallNs }]);
    made.end();
    expect(chunks.map(({ count }) => count)).toEqual([1, 0, 1, 1]);
    expect(chunks.map(({ clock }) => clock.steps)).toEqual([0, 1, 0, 0]);
  });
});

test('more frames than a leaf holds end the chunk', () => {
  const { push, chunks, made } = chunker();
  const many = Array.from({ length: MAX_LEAF_COUNT + 5 }, () => ({ ms: 10 }));
  push(at(80), many);
  made.end();
  expect(chunks.map(({ count }) => count)).toEqual([MAX_LEAF_COUNT, 5]);
  expect(spans(chunks)).toEqual([
    [0, 80],
    [80, 80],
  ]);
});

test('the last chunk of a session says that it was shut down, with frames or without', () => {
  const { push, chunks, made } = chunker();
  push(at(80));
  made.end();
  expect(chunks).toHaveLength(1);
  expect(chunks[0]).toMatchObject({ state: 'shutdown', count: 0 });
});
