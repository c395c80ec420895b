/** A new session: its record, certified by the device key, and what it found of the one before (spec/session-record.md). */
import { asciiBytes, equalBytes } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../core/cose.ts';
import type { Hash } from '../core/hash.ts';
import {
  type BusCapture,
  decodeSessionRecord,
  encodeSessionRecord,
  type SessionRecord,
} from '../core/session-record.ts';
import { keyId } from '../core/signature.ts';
import type { SessionBefore } from './chunk/chunker.ts';
import { STREAM_RULE } from './chunk/stream-table.ts';
import type { LogIdentity, Signer, StoredChunk, StoredLog, StoredSession } from './ports.ts';

export type SessionInputs = {
  readonly identity: LogIdentity & Partial<Pick<StoredLog, 'predecessor'>>;
  readonly deviceSigner: Signer;
  readonly sessionSigner: Signer;
  readonly previous: StoredSession | undefined;
  readonly lastHeaderId: Uint8Array | undefined;
  readonly bootId: Uint8Array;
  readonly startedWallNs: bigint;
  readonly enrolmentId: Uint8Array | undefined;
  readonly rootHolder: SessionRecord['rootHolder'];
  readonly softwareHash: Uint8Array;
  readonly configurationHash: Uint8Array;
  readonly filterHash: Uint8Array;
  readonly buses: readonly BusCapture[];
  readonly sha256: Hash;
};

export function newSession(inputs: SessionInputs): StoredSession {
  const { identity, deviceSigner, previous, sha256 } = inputs;
  const before = previous && decodeSessionRecord(unverifiedPayload(previous.record));
  const payload = encodeSessionRecord({
    tag: identity.tag,
    epoch: identity.epoch,
    deviceKeyId: keyId(deviceSigner.key),
    log: identity.log,
    number: before === undefined ? 0 : before.number + 1,
    sessionKey: inputs.sessionSigner.key,
    bootId: inputs.bootId,
    bootCount: bootCount(before, inputs.bootId),
    lastHeaderId: inputs.lastHeaderId,
    startedWallNs: inputs.startedWallNs,
    enrolmentId: inputs.enrolmentId,
    rootHolder: inputs.rootHolder,
    softwareHash: inputs.softwareHash,
    configurationHash: inputs.configurationHash,
    streamTableHash: sha256(asciiBytes(STREAM_RULE)),
    filterHash: inputs.filterHash,
    decoderHash: undefined,
    buses: inputs.buses,
    predecessor: identity.predecessor,
  });
  const id = recordId('session-record', deviceSigner.key, payload);
  const signature = deviceSigner.sign(id);
  return {
    number: before === undefined ? 0 : before.number + 1,
    id,
    record: encodeSigned('session-record', deviceSigner.key, { payload, signature }),
  };
}

function bootCount(before: SessionRecord | undefined, bootId: Uint8Array): number {
  if (before === undefined) return 0;
  return equalBytes(before.bootId, bootId) ? before.bootCount : before.bootCount + 1;
}

/**
 * How the log stands when a replay starts, for the gap that its first chunk must name. Of a live session see
 * gaps-before.ts.
 * @param lastChunk of the log; undefined when it has none
 * @param newest the newest session before this one
 */
export function sessionBefore(
  lastChunk: StoredChunk | undefined,
  newest: StoredSession | undefined,
  bootId: Uint8Array,
): SessionBefore | undefined {
  if (lastChunk === undefined || newest === undefined) return undefined;
  const { wallEndNs, state } = decodeChunkHeader(lastChunk.header);
  // A replay that sealed nothing may have been stopped or have crashed: nothing is left that tells.
  if (lastChunk.session !== newest.number) return { wallEndNs, cause: 'unknown' };
  if (state === 'shutdown') return { wallEndNs, cause: 'agent_stopped' };
  return { wallEndNs, cause: crashCause(newest, bootId) };
}

/**
 * For the first chunk of a log that follows another: the disk was set back in between.
 * @param newest chunk of whichever log
 */
export function logBefore(newest: StoredChunk | undefined, log: number): SessionBefore | undefined {
  if (newest === undefined || newest.log === log) return undefined;
  return { wallEndNs: decodeChunkHeader(newest.header).wallEndNs, cause: 'rolled_back' };
}

/** Under the same boot id the machine ran on and the agent died. */
export function crashCause(
  session: StoredSession,
  bootId: Uint8Array,
): 'agent_crashed' | 'power_off' {
  const { bootId: before } = decodeSessionRecord(unverifiedPayload(session.record));
  return equalBytes(before, bootId) ? 'agent_crashed' : 'power_off';
}
