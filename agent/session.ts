/**
 * What every run of the agent has, replay or live: a session of its own on the spool's log, the streams that the
 * log has, and the order of commits.
 */
import { equalBytes } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../core/cose.ts';
import { type KeyNode, nodesWithin } from '../core/key-tree.ts';
import {
  type BusCapture,
  decodeSessionRecord,
  type SessionRecord,
} from '../core/session-record.ts';
import type { PublicKey } from '../core/signature.ts';
import { type BeaconBlock, MAX_SEQ } from '../core/vehicle-log.ts';
import { Batcher } from './batch/batcher.ts';
import { ChunkSealer, type SealerSession } from './chunk/chunk-sealer.ts';
import { StreamTable } from './chunk/stream-table.ts';
import { Commits, type Progress } from './commits.ts';
import { newSession } from './new-session.ts';
import type {
  LeafSealing,
  Primitives,
  Signer,
  StoredChunk,
  StoredLog,
  StoredSession,
} from './ports.ts';
import type { Spool } from './spool/spool.ts';

export type SessionParts = {
  readonly spool: Spool;
  readonly log: StoredLog;
  readonly deviceSigner: Signer;
  /** None: every session says that it is not enrolled. */
  readonly enrolment: { readonly id: Uint8Array } | undefined;
  readonly rootHolder: SessionRecord['rootHolder'];
  /** Its secret is nowhere but in memory. */
  readonly sessionSigner: Signer;
  readonly bootId: Uint8Array;
  readonly startedWallNs: bigint;
  readonly softwareHash: Uint8Array;
  readonly configurationHash: Uint8Array;
  readonly filterHash: Uint8Array;
  readonly buses: readonly BusCapture[];
  readonly batchMs: number;
  readonly primitives: Primitives;
  readonly sealing: LeafSealing;
  readonly beacon: () => BeaconBlock | undefined;
  readonly onCommitted: (progress: Progress) => void;
};

export class Session {
  readonly #parts: SessionParts;
  readonly #sessions: readonly StoredSession[];
  /** As the log was found. */
  readonly previous: StoredSession | undefined;
  readonly lastChunk: StoredChunk | undefined;
  readonly record: StoredSession;
  readonly place: SealerSession;
  readonly streams: StreamTable;
  readonly commits: Commits;

  /** Nothing is durable before `commits.begin`. */
  constructor(parts: SessionParts) {
    const { spool, log, sessionSigner, primitives } = parts;
    this.#parts = parts;
    this.#sessions = spool.sessions(log.log);
    this.previous = this.#sessions.at(-1);
    this.lastChunk = spool.lastChunk(log.log);
    this.record = newSession({
      identity: log,
      deviceSigner: parts.deviceSigner,
      sessionSigner,
      previous: this.previous,
      lastHeaderId: this.last?.id,
      bootId: parts.bootId,
      startedWallNs: parts.startedWallNs,
      enrolmentId: parts.enrolment?.id,
      rootHolder: parts.rootHolder,
      softwareHash: parts.softwareHash,
      configurationHash: parts.configurationHash,
      filterHash: parts.filterHash,
      buses: parts.buses,
      sha256: primitives.sha256,
    });
    this.place = { ...log, sessionId: this.record.id, signer: sessionSigner };
    this.streams = this.#newStreamTable();
    this.commits = new Commits({
      spool,
      batcher: this.#newBatcher(),
      log,
      session: this.record,
      sessionKey: sessionSigner.key,
      primitives,
      encodeStatement: (statement) => encodeSigned('statement', sessionSigner.key, statement),
      // A chunk names every stream that its frames needed: behind it there is none without a durable root.
      onRootsDurable: () => this.streams.forgetRoots(),
      onCommitted: parts.onCommitted,
    });
  }

  /** The newest chunk that was found, with its id. */
  get last(): { readonly seq: number; readonly id: Uint8Array } | undefined {
    const chunk = this.lastChunk;
    if (chunk === undefined) return undefined;
    const key = this.#keyOf(chunk);
    return { seq: chunk.seq, id: recordId('chunk-header', key, chunk.header) };
  }

  /** An earlier session of this log. */
  sessionOf(id: Uint8Array): StoredSession | undefined {
    return this.#sessions.find((session) => equalBytes(session.id, id));
  }

  /** Those of this log that began after it; all when it is none. */
  sessionsAfter(number = -1): readonly StoredSession[] {
    return this.#sessions.filter((session) => session.number > number);
  }

  /** Of an earlier session of this log. */
  keyOfSession(id: Uint8Array): PublicKey | undefined {
    const found = this.sessionOf(id);
    return found && decodeSessionRecord(unverifiedPayload(found.record)).sessionKey;
  }

  /** @param last the newest chunk: the one that was found, or the one that was recovered */
  newSealer(last: { readonly seq: number; readonly id: Uint8Array } | undefined): ChunkSealer {
    const { sealing, primitives, beacon, spool, log } = this.#parts;
    const { random, sha256 } = primitives;
    const parts = { streams: this.streams, sealing, random, sha256 };
    const announced = spool.announcedStreams(log.log);
    return new ChunkSealer(this.place, parts, beacon, { last, announced });
  }

  /** What it is given covers what is to come, and is copied into what seals. */
  #newStreamTable(): StreamTable {
    const { spool, log, sealing, primitives } = this.#parts;
    const nextSeq = this.lastChunk === undefined ? 0 : this.lastChunk.seq + 1;
    // A log that is full ends with a code when its next chunk is to be sealed.
    const first = Math.min(nextSeq, MAX_SEQ);
    const toCome = (nodes: readonly KeyNode[]): readonly KeyNode[] =>
      nodesWithin(nodes, first, MAX_SEQ, primitives.sha512);
    const known = spool.streams(log.log);
    const journal = spool.journalKeys(log.log);
    const table = new StreamTable(
      known.map(({ name, nodes }) => ({ name, nodes: toCome(nodes) })),
      sealing,
      primitives.random,
      journal && toCome(journal),
    );
    for (const { node } of [...known.flatMap(({ nodes }) => nodes), ...(journal ?? [])]) {
      node.fill(0);
    }
    return table;
  }

  #newBatcher(): Batcher {
    const { spool, log, primitives, beacon, batchMs } = this.#parts;
    return new Batcher(
      { ...this.place, deviceKeyId: log.deviceKeyId },
      { durationMs: batchMs, sha256: primitives.sha256 },
      beacon,
      spool.unbatchedChunks().map((chunk) => ({
        log: chunk.log,
        seq: chunk.seq,
        header: chunk.header,
        sessionKey: this.#keyOf(chunk),
        wallStartNs: decodeChunkHeader(chunk.header).wallStartNs,
      })),
      spool.lastStatement(log.log),
    );
  }

  #keyOf(chunk: StoredChunk): PublicKey {
    const session = this.#parts.spool.session(chunk.log, chunk.session);
    if (session === undefined) throw new RangeError(`no session ${chunk.session}`);
    return decodeSessionRecord(unverifiedPayload(session.record)).sessionKey;
  }
}
