/** Numbers for a plot, out of the opened frames of one stream: what was recorded, sample by sample, nothing in between. */
import { toHex } from '../../core/bytes.ts';
import { frameData, frameTimeNs } from '../../core/frame.ts';
import type { Hash } from '../../core/hash.ts';
import { rawStreamId } from '../../core/stream.ts';
import type { Evidence } from '../evidence.ts';
import { busesOf, framesOf } from '../frames.ts';

/** How whoever looks reads a number out of the bytes of a frame: `number × factor + offset`. */
export type FieldRule = {
  /** From 0. */
  readonly firstByte: number;
  /** 1 to 6, so that every value is a safe integer. */
  readonly bytes: number;
  readonly highFirst: boolean;
  readonly signed: boolean;
  readonly factor: number;
  readonly offset: number;
  readonly unit: string;
};

export type Samples = {
  /** Seconds since 1970 by the device's clock, ascending, as plots want them. */
  readonly seconds: Float64Array;
  readonly values: Float64Array;
  /** The first of them with all digits, for the table. */
  readonly table: readonly {
    readonly timeNs: string;
    readonly data: string;
    readonly value: number;
  }[];
  /** Frames of this stream; those too short for the rule have no value. */
  readonly frames: number;
};

const TABLE_ROWS = 500;

export function samplesOf(
  evidence: Evidence,
  stream: string,
  rule: FieldRule | undefined,
  hash: Hash,
): Samples {
  const buses = busesOf(evidence);
  const points: [number, number][] = [];
  const table: Samples['table'][number][] = [];
  let frames = 0;
  for (const { block } of framesOf(evidence, hash)) {
    for (let i = 0; i < block.count; i++) {
      if (rawStreamId(buses[block.bus[i] ?? 0] ?? '', block.id[i] ?? 0) !== stream) continue;
      frames += 1;
      const timeNs = frameTimeNs(block, i);
      const data = frameData(block, i);
      const value = rule === undefined ? 1 : numberIn(data, rule);
      if (table.length < TABLE_ROWS) table.push({ timeNs: `${timeNs}`, data: toHex(data), value });
      if (!Number.isNaN(value)) points.push([Number(timeNs / 1000n) / 1e6, value]);
    }
  }
  // Stamps may step back; a plot must not.
  points.sort((a, b) => a[0] - b[0]);
  const shown = rule === undefined ? inEachSecond(points) : points;
  return {
    seconds: Float64Array.from(shown, ([second]) => second),
    values: Float64Array.from(shown, ([, value]) => value),
    table,
    frames,
  };
}

/** Seconds from the first frame on; the last one, which is not whole, is left out where it is not the only one. */
function inEachSecond(points: readonly (readonly [number, number])[]): [number, number][] {
  const first = points[0]?.[0] ?? 0;
  const counts: [number, number][] = [];
  for (const [second] of points) {
    const at = Math.floor(second - first);
    while (counts.length <= at) counts.push([first + counts.length, 0]);
    const own = counts[at];
    if (own !== undefined) own[1] += 1;
  }
  return counts.length > 1 ? counts.slice(0, -1) : counts;
}

/** @returns NaN where the frame is too short */
export function numberIn(data: Uint8Array, rule: FieldRule): number {
  const { firstByte, bytes, highFirst, signed, factor, offset } = rule;
  if (data.length < firstByte + bytes) return Number.NaN;
  let number = 0;
  for (let i = 0; i < bytes; i++) {
    const place = highFirst ? firstByte + i : firstByte + bytes - 1 - i;
    number = number * 256 + (data[place] ?? 0);
  }
  const range = 256 ** bytes;
  if (signed && number >= range / 2) number -= range;
  return number * factor + offset;
}
