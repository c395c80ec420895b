/**
 * State record: what the agent counted during a chunk, kept out of the header because it is private.
 * Implements spec/records.md, "records/state".
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { MAX_BUSES } from './session-record.ts';
import { assertBusesOnce, readBusName } from './vehicle-log.ts';

const MAX_CLOCK_STEPS = 256;
const MAX_STATE_BYTES = 16 * 1024;

export type BusFrames = {
  readonly bus: string;
  /** Data and remote frames in the chunk. */
  readonly frames: number;
  readonly errorFrames: number;
};

/** Lines of a log that a replay could not read. */
export type SkippedLines = {
  readonly count: number;
  /** 1-based. */
  readonly firstLine: number;
};

export type ClockStep = {
  /** Monotonic time at which the wall clock was found changed. */
  readonly monoNs: bigint;
  /** By how much the wall clock went forward; negative when it was set back. */
  readonly stepNs: bigint;
};

export type StateRecord = {
  readonly buses: readonly BusFrames[];
  /** None when nothing was skipped, and in a live capture. */
  readonly skipped: SkippedLines | undefined;
  /** The first steps of the chunk, as many as the header counts, at most 256. */
  readonly clockSteps: readonly ClockStep[];
};

export function encodeStateRecord(record: StateRecord): Uint8Array {
  const { skipped } = record;
  return encodeCbor([
    RECORD.stateRecord,
    FORMAT_VERSION,
    record.buses.map((bus) => [bus.bus, bus.frames, bus.errorFrames]),
    skipped === undefined ? [] : [skipped.count, skipped.firstLine],
    record.clockSteps.map((step) => [step.monoNs, step.stepNs]),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, BUS_NAME, BUS_REPEATED, STATE_SKIPPED */
export function decodeStateRecord(bytes: Uint8Array): StateRecord {
  const record = decodeRecord(
    bytes,
    RECORD.stateRecord,
    (fields) => ({
      buses: fields.list('buses', MAX_BUSES, (bus) => ({
        bus: readBusName(bus),
        frames: bus.uint('frames'),
        errorFrames: bus.uint('error frames'),
      })),
      skipped: fields.optional('skipped lines', (part) => ({
        count: part.uint('count'),
        firstLine: part.uint('first line'),
      })),
      clockSteps: fields.list('clock steps', MAX_CLOCK_STEPS, (step) => ({
        monoNs: step.int64('monotonic time'),
        stepNs: step.int64('step'),
      })),
    }),
    MAX_STATE_BYTES,
  );
  assertBusesOnce(record.buses);
  const { skipped } = record;
  if (skipped !== undefined && (skipped.count === 0 || skipped.firstLine === 0)) {
    throw new FormatError('STATE_SKIPPED', 'expected a count and a line number above 0');
  }
  return record;
}
