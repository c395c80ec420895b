/**
 * What the leaves say that follow from the frames: raw payloads, and their order of arrival.
 * Implements spec/raw-payload.md, spec/arrival-order.md.
 */
import { encodeArrivalOrder } from '../../core/arrival-order.ts';
import type { FrameBlock } from '../../core/frame.ts';
import { RawPayloadEncoder } from '../../core/raw-payload-encode.ts';
import type { FrameRows } from '../ports.ts';
import type { Grouped } from './group.ts';

/** Count and payload of one leaf; `payload` is borrowed until the next leaf is asked for. */
export type LeafContent = { readonly count: number; readonly payload: Uint8Array };

export const SILENT: LeafContent = { count: 0, payload: new Uint8Array(0) };
const raw = new RawPayloadEncoder();

/** The frames with their stamps against the base of the leaves. */
export function shifted({ frames, shiftNs }: FrameRows): FrameBlock {
  if (shiftNs === 0) return frames;
  return { ...frames, offsetNs: frames.offsetNs.map((offset) => offset + shiftNs) };
}

export function rawContent(
  frames: FrameBlock,
  rows: Uint32Array,
  impliedId: number | undefined,
): LeafContent {
  if (rows.length === 0) return SILENT;
  return { count: rows.length, payload: raw.encode(frames, rows, impliedId) };
}

/** @param rawByName ordinals of the raw streams in the order of their names, which breaks ties of time */
export function orderContent(
  frames: FrameBlock,
  grouped: Grouped,
  rawByName: readonly number[],
): LeafContent {
  const { offsetNs } = frames;
  const places = new Map<number, number>();
  const times: Float64Array[] = [];
  for (const ordinal of rawByName) {
    const rows = grouped.rowsOf(ordinal);
    if (rows.length === 0) continue;
    places.set(ordinal, times.length);
    times.push(Float64Array.from(rows, (row) => offsetNs[row] ?? 0));
  }
  const arrived = Uint32Array.from(grouped.ordinals, (ordinal) => places.get(ordinal) ?? 0);
  return encodeArrivalOrder(times, arrived);
}
