/**
 * One session of a live capture: what an earlier one left in the journal is recovered, then the capture goes on.
 */
import { type Clock, decodeChunkHeader, type Gap } from '../core/chunk-header.ts';
import type { VerifyDigest } from '../core/signature.ts';
import type { SealedChunk } from './chunk/chunk-sealer.ts';
import { gapsBefore, type RecordedEnd } from './gaps-before.ts';
import { LivePipeline, type Watermark } from './live-pipeline.ts';
import { logBefore } from './new-session.ts';
import type {
  AtCommitPoint,
  CaptureBlock,
  CaptureSource,
  ClockQuality,
  CustodySource,
  LeafSealing,
  PauseState,
  Primitives,
  StoredSession,
} from './ports.ts';
import { Journal } from './record/journal.ts';
import type { JournalFile } from './record/journal-file.ts';
import { findSurvivors, type Survivors } from './record/survivors.ts';
import { recoverChunk } from './recovery.ts';
import type { Session } from './session.ts';
import type { Spool } from './spool/spool.ts';
import type { AgentStatus } from './status.ts';
import { isStorageFull } from './storage-error.ts';

/** What the spool does not tell of the time before this session. */
type GapParts = {
  readonly bootId: Uint8Array;
  /** This process began it. */
  readonly isOwnSession: (id: Uint8Array) => boolean;
  /** By the wall clock: since when a session was tried to begin and could not. */
  readonly waitingSinceNs: bigint | undefined;
  /** By the wall clock: when this one does, not before what was taken first. */
  readonly beginsNs: bigint;
};

export type LiveSessionParts = GapParts & {
  readonly spool: Spool;
  readonly log: number;
  readonly session: Session;
  readonly source: CaptureSource;
  readonly first: CaptureBlock;
  readonly file: JournalFile;
  readonly sealing: LeafSealing;
  readonly primitives: Primitives;
  readonly verify: VerifyDigest;
  readonly times: {
    readonly chunkMs: number;
    readonly batchMs: number;
    readonly blockMs: number;
    readonly idleAfterMs: number;
  };
  readonly custody: CustodySource;
  readonly pause: PauseState;
  readonly clockQuality: ClockQuality;
  readonly status: AgentStatus;
  readonly atCommitPoint: AtCommitPoint;
  readonly onDurable: (watermark: Watermark) => void;
  readonly onJournalDamaged: (fault: NonNullable<Survivors['fault']> | undefined) => void;
};

/**
 * Recovers: the new session's record and the recovered chunk, durable together.
 * Only then is the journal written again. A kill in between leaves the journal as it was, and the next start
 * recovers the same blocks into a chunk of the same seq.
 * @throws OperationalError STORAGE_*, SPOOL_DAMAGED
 */
export function newLivePipeline(parts: LiveSessionParts): LivePipeline {
  const { session, spool, log, file, sealing, primitives, source, first } = parts;
  const recovered = recover(parts);
  // What a disk refuses here leaves no session behind, so that trying again for a night leaves no thousands of them.
  if (recovered === undefined) file.probe();
  session.commits.begin(recovered);
  const journalStream = session.streams.journal();
  if (spool.journalKeys(log) === undefined) spool.commitJournal(journalStream);
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
    custody: parts.custody,
    ...parts.times,
    before: recovered === undefined ? gapsBehindChunks(parts) : [],
    clockQuality: parts.clockQuality,
    pause: parts.pause,
    status: parts.status,
    nowMs: () => performance.now(),
    onDurable: parts.onDurable,
  });
}

/** Behind the newest chunk, where no blocks of a later session survived. */
function gapsBehindChunks({ session, spool, log, ...parts }: LiveSessionParts): readonly Gap[] {
  const { lastChunk } = session;
  const silent = session.sessionsAfter(lastChunk?.session);
  if (lastChunk === undefined) {
    const older = logBefore(spool.newestChunk(), log);
    const end = older && { wallEndNs: older.wallEndNs, how: 'rolled_back' as const };
    return gapsUpTo(parts, end, silent);
  }
  const { wallEndNs, state, sessionId } = decodeChunkHeader(lastChunk.header);
  const how = state === 'shutdown' ? 'agent_stopped' : session.sessionOf(sessionId);
  return gapsUpTo(parts, how === undefined ? undefined : { wallEndNs, how }, silent);
}

function gapsUpTo(
  { bootId, isOwnSession: isOwn, waitingSinceNs, beginsNs }: GapParts,
  end: RecordedEnd | undefined,
  silent: readonly StoredSession[],
): readonly Gap[] {
  return gapsBefore({ end, silent, bootId, isOwn, waitingSinceNs, untilNs: beginsNs });
}

/** Undefined when the journal holds nothing of a chunk that is not sealed. */
function recover(parts: LiveSessionParts): SealedChunk | undefined {
  const { session, spool, log, file, primitives, verify, first } = parts;
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
    journal: spool.journalKeys(log),
    startNs: first.clock.wallNs,
    clock: { ...parts.clockQuality(), steps: 0 } satisfies Clock,
    gapsFrom: (wallEndNs) => {
      return gapsUpTo(parts, { wallEndNs, how: dead }, session.sessionsAfter(dead.number));
    },
    primitives,
  });
  if (decodeChunkHeader(chunk.header).recovered?.ending === 'damaged') {
    keepDamaged(file, log, seq);
    parts.onJournalDamaged(survivors.fault);
  }
  return chunk;
}

/**
 * For those who look closer: the recording writes over the journal from here on. A disk without room for the copy
 * must not keep the unit from recording; that the journal is damaged stands in the chunk.
 */
function keepDamaged(file: JournalFile, log: number, seq: number): void {
  try {
    file.keepDamaged(log, seq);
  } catch (error) {
    if (!isStorageFull(error)) throw error;
  }
}
