/**
 * One session of a live capture: what an earlier one left in the journal is recovered, then the capture goes on.
 */
import { type Clock, decodeChunkHeader, type GapCause } from '../core/chunk-header.ts';
import { OperationalError } from '../core/errors.ts';
import type { VerifyDigest } from '../core/signature.ts';
import type { SealedChunk } from './chunk/chunk-sealer.ts';
import { LivePipeline, type Watermark } from './live-pipeline.ts';
import { crashCause, logBefore, sessionBefore, unsealedBefore } from './new-session.ts';
import type {
  AtCommitPoint,
  CaptureBlock,
  CaptureSource,
  ClockQuality,
  LeafSealing,
  Primitives,
} from './ports.ts';
import { Journal } from './record/journal.ts';
import type { JournalFile } from './record/journal-file.ts';
import { findSurvivors, type Survivors } from './record/survivors.ts';
import { recoverChunk } from './recovery.ts';
import type { Session } from './session.ts';
import type { Spool } from './spool/spool.ts';
import type { AgentStatus } from './status.ts';

export type LiveSessionParts = {
  readonly spool: Spool;
  readonly log: number;
  readonly session: Session;
  readonly source: CaptureSource;
  readonly first: CaptureBlock;
  readonly file: JournalFile;
  readonly sealing: LeafSealing;
  readonly primitives: Primitives;
  readonly verify: VerifyDigest;
  readonly bootId: Uint8Array;
  /** Why this process stopped recording, where it knows better than what the spool tells. */
  readonly cause: GapCause | undefined;
  readonly times: {
    readonly chunkMs: number;
    readonly batchMs: number;
    readonly blockMs: number;
    readonly idleAfterMs: number;
  };
  readonly clockQuality: ClockQuality;
  readonly status: AgentStatus;
  readonly atCommitPoint: AtCommitPoint;
  readonly onDurable: (watermark: Watermark) => void;
  readonly onJournalDamaged: (fault: NonNullable<Survivors['fault']> | undefined) => void;
};

/**
 * Recovers, in this order, each step durable before the next: the new session's record, the recovered chunk.
 * Only then is the journal written again. A kill in between leaves the journal as it was, and the next start
 * recovers the same blocks into a chunk of the same seq.
 * @throws OperationalError STORAGE_*, SPOOL_DAMAGED
 */
export function newLivePipeline(parts: LiveSessionParts): LivePipeline {
  const { session, spool, log, file, sealing, primitives, source, first } = parts;
  const recovered = recover(parts);
  if (recovered !== undefined) session.commits.commit([recovered]);
  const journalStream = session.streams.journal();
  if (spool.journalRoot(log) === undefined) spool.commitJournalRoot(journalStream.root);
  return new LivePipeline({
    source,
    first,
    sealer: session.newSealer(recovered ?? session.last),
    streams: session.streams,
    announced: spool.announcedStreams(log),
    stored: spool.streams(log).length,
    journal: new Journal({
      file,
      session: session.place,
      block: (place, rows, records) => sealing.block(place, rows, records),
      random: primitives.random,
      sha256: primitives.sha256,
      atCommitPoint: parts.atCommitPoint,
    }),
    commitStreams: (streams) => spool.commitStreams(streams),
    commits: session.commits,
    ...parts.times,
    before: recovered === undefined ? gapBefore(parts) : undefined,
    clockQuality: parts.clockQuality,
    status: parts.status,
    nowMs: () => performance.now(),
    onDurable: parts.onDurable,
  });
}

function gapBefore({ session, bootId, cause, spool, log }: LiveSessionParts) {
  const before = sessionBefore(session.lastChunk, session.previous, bootId, true);
  if (before !== undefined) return { ...before, cause: cause ?? before.cause };
  const unsealed = unsealedBefore(session.oldest, session.previous, bootId);
  return (
    logBefore(spool.newestChunk(), log) ??
    (unsealed && { ...unsealed, cause: cause ?? unsealed.cause })
  );
}

/** Undefined when the journal holds nothing of a chunk that is not sealed. */
function recover(parts: LiveSessionParts): SealedChunk | undefined {
  const { session, spool, log, file, primitives, verify, first, bootId } = parts;
  const { last, lastChunk } = session;
  const seq = last === undefined ? 0 : last.seq + 1;
  const keyOf = (id: Uint8Array) => session.keyOfSession(id);
  const survivors = findSurvivors(file.read(), { keyOf, seq }, verify, primitives.sha256);
  if (survivors === undefined) return undefined;
  const block = survivors.blocks[0]?.block;
  const dead = block === undefined ? session.previous : session.sessionOf(block.sessionId);
  const deadKey = dead && session.keyOfSession(dead.id);
  if (dead === undefined || deadKey === undefined) return undefined;
  // A torn first block is nothing: nobody was told that it is durable.
  if (survivors.blocks.length === 0 && survivors.ending === 'open') return undefined;
  const chunk = recoverChunk({
    survivors,
    deadKey,
    session: session.place,
    last: last && {
      ...last,
      wallEndNs: lastChunk === undefined ? 0n : decodeChunkHeader(lastChunk.header).wallEndNs,
    },
    streams: spool.streams(log),
    announced: spool.announcedStreams(log),
    journalRoot: spool.journalRoot(log),
    start: first.clock,
    clock: { ...parts.clockQuality(), steps: 0 } satisfies Clock,
    cause: parts.cause ?? crashCause(dead, bootId),
    primitives,
  });
  if (decodeChunkHeader(chunk.header).recovered?.ending === 'damaged') {
    keepDamaged(file, `journal-damaged-${log}-${seq}`);
    parts.onJournalDamaged(survivors.fault);
  }
  return chunk;
}

/**
 * For those who look closer: the recording writes over the journal from here on. A disk without room for the copy
 * must not keep the unit from recording; that the journal is damaged stands in the chunk.
 */
function keepDamaged(file: JournalFile, name: string): void {
  try {
    file.keepAs(name);
  } catch (error) {
    if (!(error instanceof OperationalError && error.code === 'STORAGE_FULL')) throw error;
  }
}
