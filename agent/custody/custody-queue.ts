/**
 * Takes the files of the inbox into the chunks of one session: each record gets its place in the owner's chain and,
 * where it names a grant, in that grant's. Implements spec/custody.md, "Inbox".
 */
import { toHex } from '../../core/bytes.ts';
import {
  type CustodyRecord,
  custodyStreamOf,
  encodeCustodyRecord,
} from '../../core/custody-record.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { RECORDS } from '../../core/stream.ts';
import type {
  AtCommitPoint,
  CustodyBatch,
  CustodyEnd,
  CustodyFile,
  CustodySource,
} from '../ports.ts';
import { admitCustody } from './admission.ts';
import { readWaiting, refusedCount, refuseWaiting, removeWaiting, waitingFiles } from './inbox.ts';

/** A signature takes milliseconds; what is left is for the next chunk. */
const MOST_IN_A_CHUNK = 16;

/** What the spool knows of earlier chunks. */
export type CustodyLedger = {
  /** The newest record of each custody stream of the log. */
  custodyEnds(log: number): ReadonlyMap<string, CustodyEnd>;
  /** Under which name a record that a chunk of whichever log holds lay in the inbox. */
  custodyFile(identity: Uint8Array): string | undefined;
};

export type CustodyEvents = {
  onSealed(records: number): void;
  /** @param count of the files that were refused and lie there still */
  onRefused(count: number): void;
  /** The inbox cannot be read or written: recording goes on; undefined when it can again. */
  onTrouble(message: string | undefined): void;
};

export type CustodyQueueParts = {
  readonly dataDir: string;
  readonly log: number;
  readonly ledger: CustodyLedger;
  readonly sha256: Hash;
  readonly events: CustodyEvents;
  readonly atCommitPoint: AtCommitPoint;
};

export class CustodyQueue implements CustodySource {
  readonly #parts: CustodyQueueParts;
  /** Of this log: in another one the chains begin anew. */
  readonly #ends: Map<string, CustodyEnd>;
  /** In chunks that are not known to be durable yet. */
  #taken: CustodyFile[] = [];
  /** Files that this session leaves alone: durable in a chunk, or not to be moved, and the disk did not let go of them. */
  readonly #left = new Set<string>();
  /** Why a file is left alone. */
  #stuck: string | undefined;

  constructor(parts: CustodyQueueParts) {
    this.#parts = parts;
    this.#ends = new Map(parts.ledger.custodyEnds(parts.log));
    this.#guarded(() => parts.events.onRefused(refusedCount(parts.dataDir)));
  }

  isWaiting(): boolean {
    return this.#guarded(() => this.#waiting().length > 0) ?? false;
  }

  take(chunkSeq: number): CustodyBatch | undefined {
    return this.#guarded(() => this.#take(chunkSeq));
  }

  /**
   * Only now a file goes. A kill before it leaves files whose records stand in a durable chunk: the index knows them by
   * name and identity, in the transaction of that chunk, so that the next session removes them and seals nothing twice.
   */
  committed(): void {
    const { dataDir, events, atCommitPoint } = this.#parts;
    const names = this.#taken.map(({ name }) => name);
    if (names.length === 0) return;
    this.#taken = [];
    for (const name of names) this.#left.add(name);
    events.onSealed(names.length);
    this.#guarded(() => {
      removeWaiting(dataDir, names);
      atCommitPoint('custody-freed');
      // Not before: while the disk keeps a name, it must not be taken for a new record.
      for (const name of names) this.#left.delete(name);
    });
  }

  #take(chunkSeq: number): CustodyBatch | undefined {
    const records = new Map<string, Uint8Array[]>();
    const files: CustodyFile[] = [];
    for (const name of this.#waiting().slice(0, MOST_IN_A_CHUNK)) {
      const record = this.#admit(name, chunkSeq);
      if (record === undefined) continue;
      for (const stream of streamsOf(record.record)) {
        const encoded = this.#chain(stream, record.record);
        records.set(stream, [...(records.get(stream) ?? []), encoded]);
      }
      const file = { identity: record.identity, name };
      files.push(file);
      this.#taken.push(file);
    }
    if (files.length === 0) return undefined;
    const leaves = [...records].flatMap(([stream, encoded]) => {
      const end = this.#ends.get(stream);
      return end === undefined ? [] : { stream, records: encoded, end };
    });
    return { leaves, files };
  }

  #waiting(): readonly string[] {
    return waitingFiles(this.#parts.dataDir).filter((name) => !this.#isKnown(name));
  }

  #isKnown(name: string): boolean {
    return this.#left.has(name) || this.#taken.some((file) => file.name === name);
  }

  /** None: the file is gone, refused, or left alone. One that cannot be used holds up no other. */
  #admit(name: string, seq: number): ReturnType<typeof admitCustody> | undefined {
    const { dataDir, log, ledger, sha256 } = this.#parts;
    try {
      const admitted = admitCustody(readWaiting(dataDir, name), { log, seq }, sha256);
      const known = this.#nameOf(admitted.identity) ?? ledger.custodyFile(admitted.identity);
      if (known === undefined) return admitted;
      if (known !== name) {
        throw new VerificationError(
          'CUSTODY_REPEATED',
          `this record is sealed already, as ${known}`,
        );
      }
      // Sealed before a kill, which came before the file could go.
      removeWaiting(dataDir, [name]);
    } catch (error) {
      // It cannot be read or moved today: a later session tries again.
      if (error instanceof OperationalError) {
        this.#left.add(name);
        this.#stuck = `${name}: ${error.message}`;
        return undefined;
      }
      if (!(error instanceof FormatError || error instanceof VerificationError)) throw error;
      this.#refuse(name, error.code, error.message);
    }
    return undefined;
  }

  #refuse(name: string, code: string, message: string): void {
    const { dataDir, events } = this.#parts;
    try {
      refuseWaiting(dataDir, name, code, message);
      events.onRefused(refusedCount(dataDir));
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#left.add(name);
      this.#stuck = `${name}: ${error.message}`;
    }
  }

  #nameOf(identity: Uint8Array): string | undefined {
    const wanted = toHex(identity);
    return this.#taken.find((file) => toHex(file.identity) === wanted)?.name;
  }

  #chain(stream: string, content: CustodyRecord): Uint8Array {
    const before = this.#ends.get(stream);
    const seq = before === undefined ? 0 : before.seq + 1;
    const encoded = encodeCustodyRecord({ ...content, seq, previousHash: before?.hash });
    this.#ends.set(stream, { seq, hash: this.#parts.sha256(encoded) });
    return encoded;
  }

  /** An inbox that cannot be read or written must not end the recording: its files stay, and it is told. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      const result = work();
      this.#parts.events.onTrouble(this.#stuck);
      return result;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      this.#parts.events.onTrouble(error.message);
      return undefined;
    }
  }
}

/** The owner's, and that of the grant which the record names. */
function streamsOf({ grantHash }: CustodyRecord): readonly string[] {
  return grantHash === undefined
    ? [RECORDS.custody]
    : [RECORDS.custody, custodyStreamOf(grantHash)];
}
