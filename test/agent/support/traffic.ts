/** Frames with a number in them, and the numbers of those that were recorded. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { MemoryCapture } from './memory-capture.ts';

/** One frame every few ms, until told to end. */
export function traffic(source: MemoryCapture): { end(): Promise<number> } {
  const stopping = new AbortController();
  let sent = 0;
  const sending = (async () => {
    while (!stopping.signal.aborted) {
      source.add(0, 0x200, Uint8Array.of(sent & 255, sent >> 8, 1, 2, 3, 4, 5, 6));
      sent += 1;
      await sleep(3);
    }
  })();
  return {
    end: async () => {
      stopping.abort();
      await sending;
      return sent;
    },
  };
}

/** @param frames as candump lines without their stamps */
export function numbersIn(frames: readonly string[]): readonly number[] {
  return frames.map((line) => {
    const [low = '', high = ''] = line.slice('can0 200#'.length).match(/../g) ?? [];
    return Number.parseInt(low, 16) + 256 * Number.parseInt(high, 16);
  });
}
