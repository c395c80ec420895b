/** Any value of each record, within its limits. */
import fc from 'fast-check';
import type { Acceptance } from '../../core/acceptance.ts';
import {
  type BusCounters,
  CHUNK_STATES,
  type ChunkHeader,
  CLOCK_SOURCES,
  GAP_CAUSES,
  type Gap,
  RECOVERED_ENDINGS,
} from '../../core/chunk-header.ts';
import type { JournalBlock } from '../../core/journal-block.ts';
import {
  BUS_ACCESSES,
  CAPTURE_SOURCES,
  LOSS_ACCOUNTINGS,
  ROOT_HOLDERS,
  type SessionRecord,
  STAMP_SOURCES,
} from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import type { Statement } from '../../core/statement.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import type { WindowRecord } from '../../core/window.ts';

export const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
export const hash = bytesOf(32);
export const address = bytesOf(20);
export const tag = bytesOf(16);
export const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
export const seq = fc.nat({ max: 0xffff_ffff });
export const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
export const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
export const word = <const T extends string>(words: readonly T[]) => fc.constantFrom(...words);
export const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
export const line = (maxLength: number) => fc.string({ maxLength, unit: 'grapheme-ascii' });
export const blob = fc.uint8Array({ maxLength: 60 });

const busName = fc
  .string({ minLength: 1, maxLength: 15, unit: fc.constantFrom(...'abcXYZ019._-<>&') })
  .filter((name) => name !== '.' && name !== '..');

/** Each bus once. */
export const perBus = <T>(rest: fc.Arbitrary<T>) =>
  fc
    .uniqueArray(busName, { maxLength: 4 })
    .chain((names) =>
      fc.tuple(
        ...names.map((bus) => rest.map((value) => ({ bus, ...value }) as T & { bus: string })),
      ),
    );

export const publicKey: fc.Arbitrary<PublicKey> = fc.record({
  algorithm: word(['ES256K', 'ES256'] as const),
  bytes: bytesOf(33),
});

export const beacon: fc.Arbitrary<BeaconBlock> = fc.record({
  chainId: uint64,
  number: uint64,
  hash,
});

/** A chain's first member names none before it, every other one does. */
const place = fc.oneof(
  fc.constant({ at: 0, previousId: undefined }),
  fc.record({ at: fc.integer({ min: 1, max: 0xffff_ffff }), previousId: hash }),
);

export const sessionRecord: fc.Arbitrary<SessionRecord> = fc
  .record({
    tag,
    epoch: count,
    deviceKeyId: hash,
    log: count,
    number: count,
    sessionKey: publicKey,
    bootId: bytesOf(16),
    bootCount: count,
    lastHeaderId: optional(hash),
    startedWallNs: int64,
    enrolmentId: optional(hash),
    rootHolder: word(ROOT_HOLDERS),
    softwareHash: hash,
    configurationHash: hash,
    streamTableHash: hash,
    filterHash: hash,
    decoderHash: optional(hash),
    buses: perBus(
      fc.record({
        source: word(CAPTURE_SOURCES),
        lossAccounting: word(LOSS_ACCOUNTINGS),
        stampSource: word(STAMP_SOURCES),
        access: word(BUS_ACCESSES),
      }),
    ),
    predecessor: fc.record({ log: count, statementSeq: seq, statementId: hash }),
  })
  .map((record) => {
    const lastHeaderId = record.number === 0 ? undefined : record.lastHeaderId;
    if (record.log === 0) return { ...record, lastHeaderId, predecessor: undefined };
    const predecessor = { ...record.predecessor, log: record.predecessor.log % record.log };
    return { ...record, lastHeaderId, predecessor };
  });

const busCounters: fc.Arbitrary<readonly BusCounters[]> = perBus(
  fc.record({ kernelDrops: count, controllerOverruns: count, busOffs: count }),
);

const gaps: fc.Arbitrary<readonly Gap[]> = fc.array(
  fc.record({
    bus: fc.oneof(fc.constant(''), busName),
    fromNs: int64,
    toNs: int64,
    cause: word(GAP_CAUSES),
  }),
  { maxLength: 6 },
);

/** Monotonic times, the end not before the start. */
const span = fc
  .tuple(int64, int64)
  .map(([a, b]) => (a < b ? { monoStartNs: a, monoEndNs: b } : { monoStartNs: b, monoEndNs: a }));

export const chunkHeader: fc.Arbitrary<ChunkHeader> = fc
  .tuple(
    place,
    span,
    fc.record({
      tag,
      epoch: count,
      log: count,
      sessionId: hash,
      nonce: bytesOf(16),
      entryCount: fc.nat({ max: 1 << 20 }),
      root: hash,
      wallStartNs: int64,
      wallEndNs: int64,
      clock: fc.record({
        source: word(CLOCK_SOURCES),
        steps: count,
        quality: optional(fc.record({ offsetNs: int64, uncertaintyNs: uint64 })),
      }),
      buses: busCounters,
      beacon: optional(beacon),
      gaps,
      state: word(CHUNK_STATES),
      recovered: optional(
        fc.oneof(
          fc.record({
            blockCount: fc.integer({ min: 1, max: 4096 }),
            blocksRoot: hash,
            ending: word(RECOVERED_ENDINGS),
          }),
          fc.record({
            blockCount: fc.constant(0),
            blocksRoot: hash,
            ending: fc.constant('damaged' as const),
          }),
        ),
      ),
    }),
  )
  .map(([{ at, previousId }, times, rest]) => ({ ...rest, ...times, seq: at, previousId }));

export const journalBlock: fc.Arbitrary<JournalBlock> = fc
  .tuple(
    place,
    span,
    fc.record({
      sessionId: hash,
      seq,
      place: count,
      durable: fc.nat(),
      nonce: bytesOf(16),
      wallStartNs: int64,
      wallEndNs: int64,
      buses: busCounters,
      gaps,
      entryCount: fc.nat({ max: 1 << 20 }),
      root: hash,
      bodyHash: hash,
    }),
  )
  .map(([{ at, previousId }, times, rest]) => ({
    ...{ ...rest, ...times, index: at, previousId },
    durable: rest.durable % (at + 1),
  }));

export const statement: fc.Arbitrary<Statement> = fc
  .tuple(
    place,
    fc.record({
      tag,
      epoch: count,
      log: count,
      deviceKeyId: hash,
      sessionId: hash,
      spans: fc.array(
        fc.record({ gap: fc.nat({ max: 9 }), length: fc.integer({ min: 1, max: 600 }) }),
        { minLength: 1, maxLength: 5 },
      ),
      root: hash,
      beacon: optional(beacon),
    }),
  )
  .map(([{ at, previousId }, rest]) => {
    let next = 0;
    const spans = rest.spans.map(({ gap, length }) => {
      const firstSeq = next + gap;
      next = firstSeq + length + 1;
      return { log: rest.log, firstSeq, count: length };
    });
    return { ...rest, seq: at, previousId, spans };
  });

export const windowRecord: fc.Arbitrary<WindowRecord> = fc.record({
  chainId: uint64,
  contract: address,
  publisher: address,
  windowSeq: uint64,
  treeSize: fc.integer({ min: 1, max: 2 ** 30 }),
  root: hash,
  previousHash: hash,
});

export const acceptance: fc.Arbitrary<Acceptance> = fc
  .record({
    root: hash,
    treeSize: fc.integer({ min: 1, max: 1 << 20 }),
    acceptedAtMs: fc.nat({ max: 2 ** 50 }),
    anchorByMs: fc.nat({ max: 2 ** 50 }),
    chainId: uint64,
    contract: address,
  })
  .map((record) => ({ ...record, anchorByMs: record.acceptedAtMs + record.anchorByMs }));
