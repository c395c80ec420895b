/**
 * What the agent says about its own work in a chunk, beside the frames.
 * Implements spec/records.md, "records/state", "records/streams" and "Payload".
 */
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import { encodeRecordsPayload } from '../../core/records-payload.ts';
import { encodeStateRecord } from '../../core/state-record.ts';
import { encodeStreamsRecord } from '../../core/streams-record.ts';
import type { CustodyBatch, StoredStream } from '../ports.ts';
import type { Slice } from './chunker.ts';

type Records = { readonly count: number; readonly payload: Uint8Array };

/** @param busNames what the bus column of the frames indexes */
export function stateRecords(slice: Slice, busNames: readonly string[]): Records {
  const { frames, skipped } = slice;
  const sessionBuses = slice.buses.map(({ bus }) => bus);
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

/** @param fresh at least one */
export function streamsRecords(fresh: readonly StoredStream[]): Records {
  const record = encodeStreamsRecord(fresh.map((stream) => stream.name));
  return { count: 1, payload: encodeRecordsPayload([record]) };
}

export function custodyRecords({ records }: CustodyBatch['leaves'][number]): Records {
  return { count: records.length, payload: encodeRecordsPayload(records) };
}
