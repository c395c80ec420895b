/**
 * What lies between the end of what is recorded and a live session that begins: a gap for each thing that kept the agent
 * from recording. Implements spec/configuration.md, "Between sessions, and batches".
 */
import type { Gap, GapCause } from '../core/chunk-header.ts';
import { unverifiedPayload } from '../core/cose.ts';
import { decodeSessionRecord } from '../core/session-record.ts';
import { crashCause } from './new-session.ts';
import type { StoredSession } from './ports.ts';

/** The end of the newest chunk, or of the newest block that survived. */
export type RecordedEnd = {
  readonly wallEndNs: bigint;
  /** Whose it is when it ends in a crash; else why nothing follows. */
  readonly how: StoredSession | Extract<GapCause, 'agent_stopped' | 'rolled_back'>;
};

export type Interruption = {
  /** Undefined when the log has nothing. */
  readonly end: RecordedEnd | undefined;
  /** Sessions that began after it and left nothing, in their order. */
  readonly silent: readonly StoredSession[];
  readonly bootId: Uint8Array;
  /** This process began it, so that it knows why it ended: its disk could not be written. */
  readonly isOwn: (sessionId: Uint8Array) => boolean;
  /** Wall clock: since when this process has tried to begin a session. */
  readonly waitingSinceNs: bigint | undefined;
  /** When the new session begins. */
  readonly untilNs: bigint;
};

/** In their order; each ends where the next begins. */
export function gapsBefore(interruption: Interruption): readonly Gap[] {
  const { end, silent, bootId, isOwn, waitingSinceNs, untilNs } = interruption;
  const boots = [...silent.map((session) => recordOf(session).bootId), bootId];
  // A session that is stopped in order leaves a last chunk, so one that left nothing died.
  const whyEnded = (session: StoredSession, next: number): GapCause =>
    isOwn(session.id) ? 'storage_full' : crashCause(session, boots[next] ?? bootId);
  const points: { readonly fromNs: bigint; readonly cause: GapCause }[] = [];
  const add = (fromNs: bigint, cause: GapCause): void => {
    if (points.at(-1)?.cause !== cause) points.push({ fromNs, cause });
  };
  if (end !== undefined) {
    const { wallEndNs, how } = end;
    add(wallEndNs, typeof how === 'string' ? how : whyEnded(how, 0));
  }
  silent.forEach((session, i) => {
    add(recordOf(session).startedWallNs, whyEnded(session, i + 1));
  });
  if (waitingSinceNs !== undefined) add(waitingSinceNs, 'storage_full');
  return points.map(({ fromNs, cause }, i) => {
    return { bus: '', fromNs, toNs: points[i + 1]?.fromNs ?? untilNs, cause };
  });
}

function recordOf(session: StoredSession) {
  return decodeSessionRecord(unverifiedPayload(session.record));
}
