/** A unit with a real spool whose chunks and statements are made one by one. */
import { Batcher } from '../../../agent/batch/batcher.ts';
import { ChunkSealer } from '../../../agent/chunk/chunk-sealer.ts';
import { Chunker } from '../../../agent/chunk/chunker.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { StoredSession } from '../../../agent/ports.ts';
import { newSession } from '../../../agent/session.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { encodeSigned } from '../../../core/cose.ts';
import { keyId } from '../../../core/signature.ts';
import { type DigestSigner, ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { blocksOf, frameAtMs, NONE } from './blocks.ts';
import { PRIMITIVES } from './primitives.ts';
import { openSpool } from './spool-rows.ts';

export class TestUnit {
  readonly device: DigestSigner = ephemeralSigner();
  readonly identity = {
    tag: PRIMITIVES.random(16),
    epoch: 0,
    log: 0,
    deviceKeyId: keyId(this.device.key),
  };
  readonly spool: Spool;
  #session: StoredSession | undefined;
  #signer: DigestSigner = ephemeralSigner();
  #sealer: ChunkSealer | undefined;
  #batcher: Batcher | undefined;
  #seconds = 0;

  constructor(folder: string) {
    this.spool = openSpool(folder);
    this.startSession();
  }

  startSession(): void {
    this.#signer = ephemeralSigner();
    const session = newSession({
      identity: this.identity,
      deviceSigner: this.device,
      sessionSigner: this.#signer,
      previous: this.#session,
      lastHeaderId: undefined,
      bootId: new Uint8Array(16),
      startedWallNs: 0n,
      softwareHash: new Uint8Array(32),
      configurationHash: new Uint8Array(32),
      filterHash: new Uint8Array(32),
      buses: [],
      sha256: PRIMITIVES.sha256,
    });
    this.spool.commitSession(this.identity, session);
    this.#session = session;
    const place = { ...this.identity, sessionId: session.id, signer: this.#signer };
    const known = this.spool.streams(0);
    const sealing = new PortableSealing(PRIMITIVES);
    const streams = new StreamTable(known, sealing, PRIMITIVES.random);
    const last = this.spool.lastChunk(0);
    this.#sealer = new ChunkSealer(
      place,
      { streams, sealing, random: PRIMITIVES.random },
      () => undefined,
      {
        last: last && { seq: last.seq, id: new Uint8Array(32) },
        announced: this.spool.announcedStreams(0),
      },
    );
    this.#batcher = new Batcher(
      place,
      { durationMs: 1000, sha256: PRIMITIVES.sha256 },
      () => undefined,
      [],
      this.spool.lastStatement(0),
    );
  }

  /** Of one frame; it waits for the next statement. */
  addChunk(): void {
    const { session, sealer, batcher } = this.#running();
    const chunker = new Chunker(1000, ['can0'], (slice) => {
      const chunk = sealer.seal(slice, ['can0']);
      this.spool.commitChunks(session.number, [chunk]);
      batcher.add({ ...chunk, sessionKey: this.#signer.key });
    });
    this.#seconds += 10;
    for (const block of blocksOf([frameAtMs(this.#seconds * 1000, 1)], 1)) chunker.push(block);
    chunker.end(NONE);
  }

  /** A chunk, and the statement over it and those that waited. @returns its seq */
  addStatement(): number {
    this.addChunk();
    const { session, batcher } = this.#running();
    const statement = batcher.close();
    if (statement === undefined) throw new Error('no statement');
    const bytes = encodeSigned('statement', this.#signer.key, statement);
    this.spool.commitStatement(session.number, { ...statement, bytes });
    return statement.seq;
  }

  #running(): {
    readonly session: StoredSession;
    readonly sealer: ChunkSealer;
    readonly batcher: Batcher;
  } {
    const [session, sealer, batcher] = [this.#session, this.#sealer, this.#batcher];
    if (session === undefined || sealer === undefined || batcher === undefined) {
      throw new Error('no session');
    }
    return { session, sealer, batcher };
  }
}
