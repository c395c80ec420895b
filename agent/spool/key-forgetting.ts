/**
 * Rounds in which the unit forgets what it could read so far: a new storage key, all rows of keys anew under it with the
 * nodes that stay, the old key destroyed. What is left of old rows in free pages, in SQLite's log and in the flash is
 * sealed under a key that is nowhere any more.
 * Implements spec/keys.md, "What the unit keeps"; spec/spool.md, "Forgetting keys".
 */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError } from '../../core/errors.ts';
import type { StoredStream } from '../ports.ts';
import { AgeScan, keptNodes, keptSeqs, type SeqRange } from './kept-keys.ts';
import { type KeyRow, type KeyRowsParts, rewriteKeys } from './key-rows.ts';
import { sealedPlaces } from './owner-roots.ts';
import { placeOf } from './place.ts';
import type { Row } from './rows.ts';
import { blob, integer } from './rows.ts';

export type KeyKeeping = {
  /** For how long the unit can read what it recorded. */
  readonly hours: () => number;
  /** Wall clock, ns since 1970; undefined while it is not known to be right: then nothing is too old. */
  readonly nowNs: () => bigint | undefined;
  /** Of the machine, also while it sleeps: when a round is due. */
  readonly bootNs: () => bigint;
};

const MINUTE_NS = 60_000_000_000n;
const HOUR_NS = 60n * MINUTE_NS;
/** Of headers, between two chunks: a tenth of a second. */
const LOOK_CHUNKS = 8192;

export class KeyForgetting {
  readonly #parts: KeyRowsParts;
  readonly #keeping: KeyKeeping;
  readonly #scan: AgeScan;
  #dueNs: bigint | undefined;

  constructor(parts: KeyRowsParts, keeping: KeyKeeping) {
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

  #round(): void {
    const { index } = this.#parts;
    rewriteKeys(this.#parts, {
      keep: this.#kept(),
      alongside: () =>
        index.sql.run('UPDATE forgetting SET readable_from = ?', this.#scan.readableFrom),
      onlyIfCut: true,
    });
  }

  #kept(): (row: KeyRow) => readonly StoredStream[] {
    const { index, stored, sha512 } = this.#parts;
    const sealed = sealedPlaces(index.sql);
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
    const seqsOf = ({ log, isJournal }: KeyRow): readonly SeqRange[] => {
      const end = endOfLog(log);
      // Blocks of chunks that are sealed are nobody's business: their leaves are in the chunk.
      if (isJournal) return log === current ? [{ first: end, last: 0xffff_ffff }] : [];
      return keptSeqs({ log, isClosed: log !== current, end }, this.#scan.readableFrom, holds);
    };
    return (row) => {
      if (!sealed.has(row.place)) return row.streams;
      const seqs = seqsOf(row);
      return row.streams.map(({ name, nodes }) => ({
        name,
        nodes: keptNodes(nodes, seqs, sha512),
      }));
    };
  }
}

/** So often that what is kept is never an hour, or a twenty-fourth of it, older than what may be read. */
function roundsEvery(hours: number): bigint {
  const partNs = (BigInt(hours) * HOUR_NS) / 24n;
  const leastNs = 10n * MINUTE_NS;
  if (partNs < leastNs) return leastNs;
  return partNs > HOUR_NS ? HOUR_NS : partNs;
}

function readableFrom({ index }: KeyRowsParts): number {
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
