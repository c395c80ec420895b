/**
 * Chunk header: what a session signs about one chunk.
 * Implements spec/chunk-header.md.
 */
import { type CborValue, encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { NONCE_BYTES } from './key-tree.ts';
import { HASH_BYTES } from './merkle.ts';
import { RECORD } from './record-type.ts';
import { MAX_BUSES, readWord } from './session-record.ts';
import {
  assertBusesOnce,
  type BeaconBlock,
  beaconFields,
  ID_BYTES,
  MAX_SEQ,
  readBeacon,
  readBusName,
  readBusNameOrAll,
  TAG_BYTES,
} from './vehicle-log.ts';

export const GAP_CAUSES = [
  'power_off',
  'agent_stopped',
  'agent_crashed',
  'suspended',
  'bus_idle',
  'paused_by_owner',
  'bus_off',
  'interface_down',
  'interface_missing',
  'overflow',
  'storage_full',
  'rolled_back',
  'unknown',
] as const;
export const CLOCK_SOURCES = ['replay', 'unsynchronised', 'ntp', 'gnss', 'ptp'] as const;
export const CHUNK_STATES = ['recording', 'paused_by_owner', 'parked', 'shutdown'] as const;
/**
 * How the journal of a recovered chunk ended: `open` where nothing follows that was known to be durable, as
 * after every crash; `damaged` where a block that the session knew to be durable is not what it was.
 */
export const RECOVERED_ENDINGS = ['open', 'damaged'] as const;
export const MAX_GAPS = 64;
/** Streams of a chunk, and in a recovered chunk those of each of its blocks. */
export const MAX_ENTRIES = 1 << 20;
/** A minute of journal blocks is 600; the tree over them stays small. */
const MAX_BLOCKS = 1 << 12;
export const MAX_HEADER_BYTES = 16 * 1024;

export type GapCause = (typeof GAP_CAUSES)[number];

export type Gap = {
  /** A bus, or '' for all. */
  readonly bus: string;
  /** Wall clock, like the stamps: it may have been set in between, so a gap may end before it starts. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly cause: GapCause;
};

export type BusCounters = {
  readonly bus: string;
  /** Frames that the kernel reported dropped during the chunk. */
  readonly kernelDrops: number;
  readonly controllerOverruns: number;
  readonly busOffs: number;
};

export type Clock = {
  readonly source: (typeof CLOCK_SOURCES)[number];
  /** Wall clock steps during the chunk. */
  readonly steps: number;
  /** Where the source tells: estimated offset of the wall clock and its uncertainty. */
  readonly quality: { readonly offsetNs: bigint; readonly uncertaintyNs: bigint } | undefined;
};

export type ChunkHeader = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly seq: number;
  /** None at the start of the log. */
  readonly previousId: Uint8Array | undefined;
  /** Record id of the session that signs. */
  readonly sessionId: Uint8Array;
  /** Fresh at every attempt to seal, so that no key ever covers two contents. */
  readonly nonce: Uint8Array;
  readonly entryCount: number;
  /** Of the chunk tree. */
  readonly root: Uint8Array;
  readonly monoStartNs: bigint;
  readonly monoEndNs: bigint;
  /** Base of all stamps in the chunk. */
  readonly wallStartNs: bigint;
  readonly wallEndNs: bigint;
  readonly clock: Clock;
  readonly buses: readonly BusCounters[];
  readonly beacon: BeaconBlock | undefined;
  readonly gaps: readonly Gap[];
  readonly state: (typeof CHUNK_STATES)[number];
  /** In a chunk made from journal blocks. */
  readonly recovered: Recovered | undefined;
};

export type Recovered = {
  /** None only where the first block is damaged. */
  readonly blockCount: number;
  /** RFC 9162, over the Sig_structures of the blocks' heads in order. */
  readonly blocksRoot: Uint8Array;
  readonly ending: (typeof RECOVERED_ENDINGS)[number];
};

/** The payload that the session key signs. */
export function encodeChunkHeader(header: ChunkHeader): Uint8Array {
  const { clock, recovered } = header;
  const quality: readonly CborValue[] =
    clock.quality === undefined ? [] : [clock.quality.offsetNs, clock.quality.uncertaintyNs];
  return encodeCbor([
    RECORD.chunkHeader,
    FORMAT_VERSION,
    header.tag,
    header.epoch,
    header.log,
    header.seq,
    header.previousId ?? new Uint8Array(0),
    header.sessionId,
    header.nonce,
    header.entryCount,
    header.root,
    header.monoStartNs,
    header.monoEndNs,
    header.wallStartNs,
    header.wallEndNs,
    [clock.source, clock.steps, quality],
    header.buses.map(busCounterFields),
    beaconFields(header.beacon),
    header.gaps.map(gapFields),
    header.state,
    recovered === undefined ? [] : [recovered.blockCount, recovered.blocksRoot, recovered.ending],
  ]);
}

export function busCounterFields(bus: BusCounters): readonly CborValue[] {
  return [bus.bus, bus.kernelDrops, bus.controllerOverruns, bus.busOffs];
}

export function gapFields(gap: Gap): readonly CborValue[] {
  return [gap.bus, gap.fromNs, gap.toNs, gap.cause];
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, BUS_NAME, BUS_REPEATED, HEADER_PREVIOUS, HEADER_TIME, HEADER_RECOVERED */
export function decodeChunkHeader(payload: Uint8Array): ChunkHeader {
  const header = decodeRecord(payload, RECORD.chunkHeader, readHeader, MAX_HEADER_BYTES);
  assertBusesOnce(header.buses);
  if ((header.seq === 0) !== (header.previousId === undefined)) {
    throw new FormatError('HEADER_PREVIOUS', 'expected a previous header exactly above seq 0');
  }
  if (header.monoEndNs < header.monoStartNs) {
    throw new FormatError('HEADER_TIME', 'expected the monotonic end not before the start');
  }
  if (header.recovered?.blockCount === 0 && header.recovered.ending === 'open') {
    throw new FormatError(
      'HEADER_RECOVERED',
      'expected a block in a chunk recovered from a journal',
    );
  }
  return header;
}

function readHeader(fields: Fields): ChunkHeader {
  return {
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    log: fields.uint('log'),
    seq: fields.uint('seq', MAX_SEQ),
    previousId: fields.bytesOrNone('previous header id', ID_BYTES),
    sessionId: fields.bytes('session id', ID_BYTES),
    nonce: fields.bytes('chunk nonce', NONCE_BYTES),
    entryCount: fields.uint('entry count', MAX_ENTRIES),
    root: fields.bytes('root', HASH_BYTES),
    monoStartNs: fields.int64('monotonic start'),
    monoEndNs: fields.int64('monotonic end'),
    wallStartNs: fields.int64('wall start'),
    wallEndNs: fields.int64('wall end'),
    clock: fields.nested('clock', readClock),
    buses: fields.list('buses', MAX_BUSES, readBusCounters),
    beacon: fields.optional('beacon', readBeacon),
    gaps: fields.list('gaps', MAX_GAPS, readGap),
    state: readWord(fields, 'state', CHUNK_STATES),
    recovered: fields.optional('recovered', (part) => ({
      blockCount: part.uint('block count', MAX_BLOCKS),
      blocksRoot: part.bytes('root over block heads', HASH_BYTES),
      ending: readWord(part, 'ending of the journal', RECOVERED_ENDINGS),
    })),
  };
}

export function readBusCounters(fields: Fields): BusCounters {
  return {
    bus: readBusName(fields),
    kernelDrops: fields.uint('kernel drops'),
    controllerOverruns: fields.uint('controller overruns'),
    busOffs: fields.uint('bus-offs'),
  };
}

export function readGap(fields: Fields): Gap {
  return {
    bus: readBusNameOrAll(fields),
    fromNs: fields.int64('from'),
    toNs: fields.int64('to'),
    cause: readWord(fields, 'cause', GAP_CAUSES),
  };
}

function readClock(fields: Fields): Clock {
  return {
    source: readWord(fields, 'clock source', CLOCK_SOURCES),
    steps: fields.uint('clock steps'),
    quality: fields.optional('clock quality', (quality) => ({
      offsetNs: quality.int64('clock offset'),
      uncertaintyNs: quality.uint64('clock uncertainty'),
    })),
  };
}
