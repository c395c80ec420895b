/** A unit with a real spool whose chunks and statements are made one by one. */
import { Batcher, type SignedStatement } from '../../../agent/batch/batcher.ts';
import { ChunkSealer } from '../../../agent/chunk/chunk-sealer.ts';
import { Chunker } from '../../../agent/chunk/chunker.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import { CustodyQueue } from '../../../agent/custody/custody-queue.ts';
import { newSession } from '../../../agent/new-session.ts';
import type { StoredChunk, StoredLog, StoredSession } from '../../../agent/ports.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { decodeChunkHeader } from '../../../core/chunk-header.ts';
import { encodeSigned, recordId, unverifiedPayload } from '../../../core/cose.ts';
import { decodeSessionRecord, type LogPredecessor } from '../../../core/session-record.ts';
import { keyId, type PublicKey } from '../../../core/signature.ts';
import type { BeaconBlock } from '../../../core/vehicle-log.ts';
import { type DigestSigner, ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { blocksOf, frameAtMs, NONE } from './blocks.ts';
import { PRIMITIVES } from './primitives.ts';
import { openSpool } from './spool-rows.ts';

type Running = {
  readonly session: StoredSession;
  readonly signer: DigestSigner;
  readonly sealer: ChunkSealer;
  readonly batcher: Batcher;
};

export class TestUnit {
  readonly device: DigestSigner;
  readonly spool: Spool;
  readonly #folder: string;
  identity: StoredLog;
  /** Of the chunks and statements to come. */
  beacon: BeaconBlock | undefined;
  #running: Running;
  #seconds: number;

  /**
   * @param device another than a new one for a folder that has a spool
   * @param startS when the first chunk begins, s since 1970
   */
  constructor(
    folder: string,
    device: DigestSigner = ephemeralSigner(),
    openOwn: (folder: string) => Spool = openSpool,
    startS = 0,
  ) {
    this.device = device;
    this.#folder = folder;
    this.spool = openOwn(folder);
    this.identity = this.spool.identity() ?? {
      ...{ tag: PRIMITIVES.random(16), epoch: 0, log: 0, deviceKeyId: keyId(device.key) },
      predecessor: undefined,
    };
    this.#seconds = startS + this.spool.committedFrames() * 10;
    this.#running = this.#start();
  }

  startSession(): void {
    this.#running = this.#start();
  }

  beginLog(predecessor: LogPredecessor): void {
    this.identity = this.spool.beginLog(predecessor);
    this.startSession();
  }

  /**
   * Of one frame, and with the custody records that wait in the inbox; it waits for the next statement.
   * @param ends whether the agent was stopped behind it; else it had begun the next chunk, and never sealed it
   */
  addChunk(ends = true): void {
    const { session, signer, sealer, batcher } = this.#running;
    const chunker = new Chunker(1000, ['can0'], (slice) => {
      const custody = this.#custody();
      const seq = (this.spool.lastChunk(this.identity.log)?.seq ?? -1) + 1;
      const chunk = sealer.seal(slice, ['can0'], custody.take(seq));
      this.spool.commitChunks(session.number, [chunk]);
      custody.committed();
      const statement = batcher.add({ ...chunk, sessionKey: signer.key });
      if (statement !== undefined) this.#commit(statement);
    });
    this.#seconds += 10;
    const frames = [this.#seconds, ...(ends ? [] : [this.#seconds + 5])];
    for (const block of blocksOf(
      frames.map((s) => frameAtMs(s * 1000, 1)),
      1,
    )) {
      chunker.push(block);
    }
    if (ends) chunker.end(NONE);
  }

  /** A chunk, and the statement over it and those that waited. @returns its seq */
  addStatement(ends = true): number {
    this.addChunk(ends);
    const statement = this.#running.batcher.close();
    if (statement === undefined) throw new Error('no statement');
    this.#commit(statement);
    return statement.seq;
  }

  #custody(): CustodyQueue {
    const nothing = (): void => undefined;
    return new CustodyQueue({
      dataDir: this.#folder,
      log: this.identity.log,
      ledger: this.spool,
      sha256: PRIMITIVES.sha256,
      atCommitPoint: nothing,
      events: { onSealed: nothing, onRefused: nothing, onTrouble: nothing },
    });
  }

  #commit(statement: SignedStatement): void {
    const { session, signer } = this.#running;
    const bytes = encodeSigned('statement', signer.key, statement);
    this.spool.commitStatement(session.number, { ...statement, bytes });
  }

  #start(): Running {
    const { spool, identity } = this;
    const { log } = identity;
    const signer = ephemeralSigner();
    const last = spool.lastChunk(log);
    const end = last && {
      seq: last.seq,
      id: recordId('chunk-header', this.#keyOf(last), last.header),
    };
    const session = newSession({
      rootHolder: 'unit',
      enrolmentId: undefined,
      identity,
      deviceSigner: this.device,
      sessionSigner: signer,
      previous: spool.sessions(log).at(-1),
      lastHeaderId: end?.id,
      bootId: new Uint8Array(16),
      startedWallNs: 0n,
      softwareHash: new Uint8Array(32),
      configurationHash: new Uint8Array(32),
      filterHash: new Uint8Array(32),
      buses: [
        {
          ...{ bus: 'can0', source: 'synthetic', lossAccounting: 'not_applicable' },
          ...{ stampSource: 'log', access: 'not_applicable' },
        },
      ],
      sha256: PRIMITIVES.sha256,
    });
    spool.commitSession(identity, session);
    const place = { ...identity, sessionId: session.id, signer };
    const sealing = new PortableSealing(PRIMITIVES);
    const streams = new StreamTable(spool.streams(log), sealing, PRIMITIVES.random);
    const sealer = new ChunkSealer(
      place,
      { streams, sealing, random: PRIMITIVES.random, sha256: PRIMITIVES.sha256 },
      () => this.beacon,
      { last: end, announced: spool.announcedStreams(log) },
    );
    const batcher = new Batcher(
      place,
      { durationMs: 1e9, sha256: PRIMITIVES.sha256 },
      () => this.beacon,
      spool.unbatchedChunks().map((chunk) => ({
        ...{ log: chunk.log, seq: chunk.seq, header: chunk.header },
        sessionKey: this.#keyOf(chunk),
        wallStartNs: decodeChunkHeader(chunk.header).wallStartNs,
      })),
      spool.lastStatement(log),
    );
    return { session, signer, sealer, batcher };
  }

  #keyOf({ log, session }: StoredChunk): PublicKey {
    const { record } = this.spool.session(log, session) ?? { record: new Uint8Array() };
    return decodeSessionRecord(unverifiedPayload(record)).sessionKey;
  }
}
