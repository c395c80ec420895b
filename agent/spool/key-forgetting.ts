/**
 * Rounds in which the unit forgets what it could read so far: a new storage key, all rows of keys anew under it with the
 * nodes that stay, the old key destroyed. What is left of old rows in free pages, in SQLite's log and in the flash is
 * sealed under a key that is nowhere any more.
 * Implements spec/keys.md, "What the unit keeps"; spec/spool.md, "Forgetting keys".
 */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import type { KeyNode } from '../../core/key-tree.ts';
import { RECORDS } from '../../core/stream.ts';
import type { AtCommitPoint, StorageKeys, StoredStream } from '../ports.ts';
import type { IndexWriter } from './index-writer.ts';
import { AgeScan, keptNodes, keptSeqs, type SeqRange } from './kept-keys.ts';
import { journalPlace, sealedPlaces } from './owner-roots.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import type { Row } from './rows.ts';
import { blob, integer } from './rows.ts';
import type { SpoolReader } from './spool-reader.ts';
import { generationOf, type StorageVaults } from './storage-vaults.ts';
import type { SealedStreams } from './stream-vault.ts';

export type KeyKeeping = {
  /** For how long the unit can read what it recorded. */
  readonly hours: () => number;
  /** Wall clock, ns since 1970; undefined while it is not known to be right: then nothing is too old. */
  readonly nowNs: () => bigint | undefined;
  /** Of the machine, also while it sleeps: when a round is due. */
  readonly bootNs: () => bigint;
};

export type ForgettingParts = {
  readonly stored: SpoolReader;
  readonly index: IndexWriter;
  readonly vaults: StorageVaults;
  readonly keys: StorageKeys;
  readonly sha512: Hash;
  readonly atCommitPoint: AtCommitPoint;
};

const MINUTE_NS = 60_000_000_000n;
const HOUR_NS = 60n * MINUTE_NS;
/** Of headers, between two chunks: a tenth of a second. */
const LOOK_CHUNKS = 8192;

/** A row of keys as it lies in the index, and with what is left of it. */
type KeptRow = {
  readonly row: Row;
  readonly log: number;
  /** Undefined for the journal's. */
  readonly firstOrdinal: number | undefined;
  readonly streams: readonly StoredStream[];
  readonly isCut: boolean;
};

export class KeyForgetting {
  readonly #parts: ForgettingParts;
  readonly #keeping: KeyKeeping;
  readonly #scan: AgeScan;
  #dueNs: bigint | undefined;

  constructor(parts: ForgettingParts, keeping: KeyKeeping) {
    this.#parts = parts;
    this.#keeping = keeping;
    this.#scan = new AgeScan(readableFrom(parts));
  }

  /**
   * With every commit: a round, when one is due. A long past is looked through over many commits, and then it comes.
   * @throws OperationalError STORAGE_*, SPOOL_*
   */
  tick(): void {
    const bootNs = this.#keeping.bootNs();
    if (this.#dueNs !== undefined && bootNs < this.#dueNs) return;
    const everyNs = roundsEvery(this.#keeping.hours());
    if (!this.#look(everyNs)) return;
    this.#round();
    this.#dueNs = bootNs + everyNs;
  }

  /** @returns whether it has looked at all that there is */
  #look(everyNs: bigint): boolean {
    const nowNs = this.#keeping.nowNs();
    if (nowNs === undefined) return true;
    // What turns too old before the next round goes in this one.
    const keptNs = BigInt(this.#keeping.hours()) * HOUR_NS - everyNs;
    const sinceNs = keptNs > 0n ? nowNs - keptNs : nowNs + 1n;
    const rows = this.#parts.index.sql.all(
      'SELECT place, header FROM chunk WHERE place >= ? ORDER BY place LIMIT ?',
      [this.#scan.at, LOOK_CHUNKS],
    );
    const isEnd = rows.length < LOOK_CHUNKS;
    return (
      !rows.every((row) => this.#scan.pass(integer(row, 'place'), endOf(row), nowNs, sinceNs)) ||
      isEnd
    );
  }

  /**
   * First the new key, then all rows under it with its generation, in one transaction, then the old key goes. A kill
   * behind the first: the index names the old generation, and the next start destroys the new key, under which nothing
   * was sealed. A kill behind the second: it names the new one, and the next start destroys the old key.
   */
  #round(): void {
    const { index, vaults, keys, atCommitPoint } = this.#parts;
    const rows = this.#keptRows();
    if (!rows.some(({ isCut }) => isCut)) return;
    const generation = generationOf(index.sql) + 1;
    index.withRoom(0, () => keys.make(generation));
    atCommitPoint('storage-key-made');
    const vault = vaults.of(generation);
    index.commit(() => {
      for (const { row, log, firstOrdinal, streams } of rows) {
        if (firstOrdinal === undefined) {
          const sealed = vault.sealJournal(log, streams[0]?.nodes ?? []);
          this.#replace('UPDATE journal_root SET salt = ?, sealed = ? WHERE log = ?', sealed, log);
        } else {
          const sealed = vault.seal(log, firstOrdinal, streams);
          const sql = 'UPDATE stream_roots SET salt = ?, sealed = ? WHERE place = ?';
          this.#replace(sql, sealed, integer(row, 'place'));
        }
      }
      index.sql.run(
        'UPDATE forgetting SET generation = ?, readable_from = ?',
        generation,
        this.#scan.readableFrom,
      );
    });
    atCommitPoint('keys-forgotten');
    keys.keepOnly(generation);
    atCommitPoint('storage-key-destroyed');
  }

  #replace(sql: string, { salt, sealed }: SealedStreams, key: number): void {
    this.#parts.index.sql.run(sql, salt, sealed, key);
  }

  /** All of all logs, since all lie under the key that is to be destroyed. */
  #keptRows(): readonly KeptRow[] {
    const { index, vaults, stored } = this.#parts;
    const { sql } = index;
    const sealed = sealedPlaces(sql);
    const current = stored.identity()?.log;
    const holds = stored.holds().map(({ log, fromSeq, toSeq }) => ({
      first: placeOf(log, fromSeq),
      last: placeOf(log, toSeq),
    }));
    const ends = new Map<number, number>();
    const endOfLog = (log: number): number => {
      const end = ends.get(log) ?? (stored.lastChunk(log)?.seq ?? -1) + 1;
      ends.set(log, end);
      return end;
    };
    const seqsOf = (log: number): readonly SeqRange[] =>
      keptSeqs(
        { log, isClosed: log !== current, end: endOfLog(log) },
        this.#scan.readableFrom,
        holds,
      );
    const streams = vaults.open(
      sql,
      () => sql.all('SELECT * FROM stream_roots ORDER BY place', []),
      (vault, row): KeptRow => {
        const place = integer(row, 'place');
        const [log, firstOrdinal] = [logOf(place), numberOf(place)];
        const opened = vault.open(log, firstOrdinal, sealedIn(row));
        const kept = sealed.has(place) ? this.#cut(opened, seqsOf(log)) : opened;
        return { row, log, firstOrdinal, streams: kept, isCut: isShorter(opened, kept) };
      },
    );
    const journals = vaults.open(
      sql,
      () => sql.all('SELECT * FROM journal_root ORDER BY log', []),
      (vault, row): KeptRow => {
        const log = integer(row, 'log');
        const opened = [{ name: RECORDS.journal, nodes: vault.openJournal(log, sealedIn(row)) }];
        // Blocks of chunks that are sealed are nobody's business: their leaves are in the chunk.
        const toCome = log === current ? [{ first: endOfLog(log), last: 0xffff_ffff }] : [];
        const kept = sealed.has(journalPlace(log)) ? this.#cut(opened, toCome) : opened;
        return { row, log, firstOrdinal: undefined, streams: kept, isCut: isShorter(opened, kept) };
      },
    );
    return [...streams, ...journals];
  }

  #cut(streams: readonly StoredStream[], seqs: readonly SeqRange[]): readonly StoredStream[] {
    const { sha512 } = this.#parts;
    return streams.map(({ name, nodes }) => ({ name, nodes: keptNodes(nodes, seqs, sha512) }));
  }
}

/** So often that what is kept is never an hour, or a twenty-fourth of it, older than what may be read. */
function roundsEvery(hours: number): bigint {
  const partNs = (BigInt(hours) * HOUR_NS) / 24n;
  const leastNs = 10n * MINUTE_NS;
  if (partNs < leastNs) return leastNs;
  return partNs > HOUR_NS ? HOUR_NS : partNs;
}

function readableFrom({ index }: ForgettingParts): number {
  const [row] = index.sql.all('SELECT readable_from FROM forgetting', []);
  return integer(row ?? {}, 'readable_from');
}

/** 0 when it is not known: whoever reads the chunk is told that its header is damaged. */
function endOf(row: Row): bigint {
  try {
    return decodeChunkHeader(blob(row, 'header')).wallEndNs;
  } catch (error) {
    if (error instanceof FormatError) return 0n;
    throw error;
  }
}

function sealedIn(row: Row): SealedStreams {
  return { salt: blob(row, 'salt'), sealed: blob(row, 'sealed') };
}

function isShorter(before: readonly StoredStream[], after: readonly StoredStream[]): boolean {
  return before.some(({ nodes }, i) => !hasSamePlaces(nodes, after[i]?.nodes ?? []));
}

function hasSamePlaces(a: readonly KeyNode[], b: readonly KeyNode[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ depth, prefix }, i) => depth === b[i]?.depth && prefix === b[i].prefix)
  );
}
