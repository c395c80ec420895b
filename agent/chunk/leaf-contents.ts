/**
 * What each leaf of a chunk says: raw payloads, arrival order, and the agent's own records.
 * Implements spec/raw-payload.md, spec/arrival-order.md, spec/records.md.
 */
import { encodeArrivalOrder } from '../../core/arrival-order.ts';
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import { RawPayloadEncoder } from '../../core/raw-payload-encode.ts';
import { encodeRecordsPayload } from '../../core/records-payload.ts';
import { encodeStateRecord } from '../../core/state-record.ts';
import { RECORDS } from '../../core/stream.ts';
import { encodeStreamsRecord } from '../../core/streams-record.ts';
import type { Slice } from './chunker.ts';
import type { Grouped } from './group.ts';
import type { Stream, StreamRoot } from './stream-table.ts';

/** Count and payload of one leaf; `payload` is borrowed until the next leaf is asked for. */
export type LeafContent = { readonly count: number; readonly payload: Uint8Array };

const SILENT: LeafContent = { count: 0, payload: new Uint8Array(0) };
const raw = new RawPayloadEncoder();

export function rawContent(slice: Slice, grouped: Grouped, stream: Stream): LeafContent {
  const rows = grouped.rowsOf(stream.ordinal);
  if (rows.length === 0) return SILENT;
  return { count: rows.length, payload: raw.encode(slice.frames, rows, stream.impliedId) };
}

/** What records leaves need beside the frames. */
export type RecordsContext = {
  /** All raw streams in the order of their names. */
  readonly rawByName: readonly Stream[];
  readonly fresh: readonly StreamRoot[];
  /** What the bus column of the frames indexes. */
  readonly busNames: readonly string[];
  /** Those of the session: counted also while they are silent. */
  readonly sessionBuses: readonly string[];
};

export function recordsContents(
  slice: Slice,
  grouped: Grouped,
  context: RecordsContext,
): ReadonlyMap<string, LeafContent> {
  return new Map([
    [RECORDS.order, orderContent(slice, grouped, context.rawByName)],
    [RECORDS.state, stateContent(slice, context.busNames, context.sessionBuses)],
    [RECORDS.streams, streamsContent(context.fresh)],
  ]);
}

function orderContent(slice: Slice, grouped: Grouped, rawByName: readonly Stream[]): LeafContent {
  const { offsetNs, count } = slice.frames;
  const places = new Uint32Array(grouped.streamCount);
  const times: Float64Array[] = [];
  for (const stream of rawByName) {
    const rows = grouped.rowsOf(stream.ordinal);
    if (rows.length === 0) continue;
    places[stream.ordinal] = times.length;
    const stamps = new Float64Array(rows.length);
    for (let r = 0; r < rows.length; r++) stamps[r] = offsetNs[rows[r] ?? 0] ?? 0;
    times.push(stamps);
  }
  const arrived = new Uint32Array(count);
  for (let i = 0; i < count; i++) arrived[i] = places[grouped.ordinals[i] ?? 0] ?? 0;
  return encodeArrivalOrder(times, arrived);
}

function stateContent(
  slice: Slice,
  busNames: readonly string[],
  sessionBuses: readonly string[],
): LeafContent {
  const { frames, skipped } = slice;
  const all = new Uint32Array(busNames.length);
  const errors = new Uint32Array(busNames.length);
  for (let i = 0; i < frames.count; i++) {
    const bus = frames.bus[i] ?? 0;
    all[bus] = (all[bus] ?? 0) + 1;
    if (((frames.id[i] ?? 0) & CAN_ERR_FLAG) !== 0) errors[bus] = (errors[bus] ?? 0) + 1;
  }
  // Not the buses that the source has met: it reads ahead, and a chunk says nothing about later ones.
  const met = busNames.filter((bus, i) => (all[i] ?? 0) > 0 && !sessionBuses.includes(bus));
  const record = encodeStateRecord({
    buses: [...sessionBuses, ...met].map((bus) => {
      const at = busNames.indexOf(bus);
      const errorFrames = errors[at] ?? 0;
      return { bus, frames: (all[at] ?? 0) - errorFrames, errorFrames };
    }),
    skipped: skipped.count === 0 ? undefined : skipped,
    clockSteps: slice.clockSteps,
  });
  return { count: 1, payload: encodeRecordsPayload([record]) };
}

function streamsContent(fresh: readonly StreamRoot[]): LeafContent {
  if (fresh.length === 0) return SILENT;
  const record = encodeStreamsRecord(fresh.map((stream) => stream.name).sort());
  return { count: 1, payload: encodeRecordsPayload([record]) };
}
