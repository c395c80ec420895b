/** Reads a replay to its end, for tests. */
import type { SkippedLines } from '../../../agent/ports.ts';
import { frameAt } from '../../../core/frame.ts';
import { openReplay, type ReplayOptions } from '../../../hw/replay/candump-replay.ts';
import type { ReplayClock } from '../../../hw/replay/replay-clock.ts';

type NamedFrame = Omit<ReturnType<typeof frameAt>, 'bus'> & { readonly bus: string | undefined };

export type ReadReplay = {
  readonly frames: NamedFrame[];
  readonly blockCounts: number[];
  readonly skipped: SkippedLines[];
  readonly skippedAtEnd: SkippedLines;
  /** What reading threw, if it did. */
  readonly error: unknown;
};

export async function readReplay(
  path: string,
  options: Partial<ReplayOptions> = {},
  maxFrames = 4096,
): Promise<ReadReplay> {
  const replay = await openReplay({ path, speed: 0, ...options });
  const frames: NamedFrame[] = [];
  const blockCounts: number[] = [];
  const skipped: SkippedLines[] = [];
  let error: unknown;
  try {
    for (;;) {
      const block = await replay.read(maxFrames);
      if (block === undefined) break;
      blockCounts.push(block.count);
      skipped.push(block.skipped);
      for (let i = 0; i < block.count; i++) {
        const frame = frameAt(block, i);
        // Copied: the block is borrowed until the next read.
        frames.push({ ...frame, data: frame.data.slice(), bus: replay.buses[frame.bus] });
      }
    }
  } catch (cause) {
    error = cause;
  }
  const skippedAtEnd = replay.skippedAtEnd;
  await replay.close();
  return { frames, blockCounts, skipped, skippedAtEnd, error };
}

/** A clock that jumps to the end of every wait. */
export class JumpingClock implements ReplayClock {
  nowMs = 1000;
  readonly waitsMs: number[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  waitMs(ms: number): Promise<void> {
    this.waitsMs.push(ms);
    this.nowMs += ms;
    return Promise.resolve();
  }
}
