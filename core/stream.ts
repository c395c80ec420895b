/**
 * Names of streams, the unit of disclosure.
 * Implements spec/streams.md. `raw/BUS/ID`, `raw/BUS/error`, `raw/BUS/set/NAME`, `signal/…`, `gnss/…`, `records/…`.
 */
import { isBusName } from './candump-bus.ts';
import { FormatError } from './errors.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG } from './frame.ts';

/** Room for a decoded signal: names in a DBC file reach 128 characters for a message and for a signal. */
export const MAX_STREAM_ID_LENGTH = 300;

/** Records streams: what the agent says about its own work. */
export const RECORDS = {
  /** Departures from (time, stream) order, see arrival-order.ts. */
  order: 'records/order',
  /** Counts of frames, of error frames and of what a replay skipped. */
  state: 'records/state',
  /** Streams first seen in the chunk. */
  streams: 'records/streams',
  events: 'records/events',
  journal: 'records/journal',
  /** One custody stream for the owner, and one for each grant: `records/custody/<grant id>`. */
  custody: 'records/custody',
} as const;

const STANDARD_ID = 0x7ff;
const EXTENDED_ID = 0x9fffffff;

/** The default stream of a frame: its bus and CAN id; all error frames of a bus are one stream. */
export function rawStreamId(bus: string, canId: number): string {
  if ((canId & CAN_ERR_FLAG) !== 0) return `raw/${bus}/error`;
  const extended = (canId & CAN_EFF_FLAG) !== 0;
  const id = canId & (extended ? 0x1fffffff : STANDARD_ID);
  return `raw/${bus}/${id
    .toString(16)
    .toUpperCase()
    .padStart(extended ? 8 : 3, '0')}`;
}

/**
 * Frames of one stream, so of one key of grouping: equal exactly when `rawStreamId` is. RTR and data
 * frames of an id belong together; bits above an id that a virtual bus lets through do not count.
 */
export function streamKey(canId: number): number {
  if ((canId & CAN_ERR_FLAG) !== 0) return CAN_ERR_FLAG;
  return (canId & CAN_EFF_FLAG) !== 0 ? (canId & EXTENDED_ID) >>> 0 : canId & STANDARD_ID;
}

export type StreamName =
  | { readonly kind: 'raw'; readonly bus: string; readonly canId: number | undefined }
  | { readonly kind: 'signal' | 'gnss' | 'records' };

// No name is a step in a path, whatever a file is named after.
const RAW =
  /^raw\/([^/]+)\/(?:([0-9A-F]{3})|([0-9A-F]{8})|error|set\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,63})$/;
const OTHER = /^(signal|gnss|records)(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

/**
 * `canId` (with the EFF flag when extended) is there when the name implies it.
 * @throws FormatError STREAM_ID
 */
export function parseStreamId(id: string): StreamName {
  const raw = id.length <= MAX_STREAM_ID_LENGTH ? RAW.exec(id) : null;
  const [, bus = '', standard, extended] = raw ?? [];
  if (isBusName(bus)) {
    if (standard !== undefined) {
      const canId = Number.parseInt(standard, 16);
      if (canId <= 0x7ff) return { kind: 'raw', bus, canId };
    } else if (extended !== undefined) {
      const canId = Number.parseInt(extended, 16);
      if (canId <= 0x1fffffff) return { kind: 'raw', bus, canId: (canId | CAN_EFF_FLAG) >>> 0 };
    } else {
      return { kind: 'raw', bus, canId: undefined };
    }
  }
  const other = id.length <= MAX_STREAM_ID_LENGTH ? OTHER.exec(id) : null;
  const kind = other?.[1];
  if (kind === 'signal' || kind === 'gnss' || kind === 'records') return { kind };
  throw new FormatError('STREAM_ID', `expected the name of a stream, got "${id.slice(0, 40)}"`);
}
