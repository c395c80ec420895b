/**
 * Roots sealed to the owner's recovery key, beside the rows that the unit itself can open.
 * Implements spec/keys.md, "Sealed to the owner".
 */
import { JOURNAL_ORDINAL, rootsInfo, type SealedRoots } from '../../core/sealed-roots.ts';
import { encodeStreams, rootOf } from '../../core/stream-keys.ts';
import type { LogIdentity, SealToOwner, StoredStream } from '../ports.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer } from './rows.ts';

/** In the transaction that makes the roots durable, or at a later start while the unit still has them. */
export function insertSealedRoots(
  sql: PreparedStatements,
  sealToOwner: SealToOwner,
  { tag, epoch, log }: Pick<LogIdentity, 'tag' | 'epoch' | 'log'>,
  firstOrdinal: number,
  streams: readonly StoredStream[],
): void {
  // Of what the unit has forgotten a part of, nobody can be given the whole any more.
  if (streams.some((stream) => rootOf(stream) === undefined)) return;
  const plain = encodeStreams(streams);
  const sealed = sealToOwner(rootsInfo({ tag, epoch, log, firstOrdinal }), plain);
  plain.fill(0);
  sql.run('INSERT INTO sealed_roots VALUES (?, ?)', placeOf(log, firstOrdinal), sealed);
}

/** Places that have a row. */
export function sealedPlaces(sql: PreparedStatements): ReadonlySet<number> {
  const rows = sql.all('SELECT place FROM sealed_roots', []);
  return new Set(rows.map((row) => integer(row, 'place')));
}

/** Where the root of a log's journal is sealed. */
export function journalPlace(log: number): number {
  return placeOf(log, JOURNAL_ORDINAL);
}

/** All of them, by place. */
export function sealedRootsIn(sql: PreparedStatements): readonly SealedRoots[] {
  return sql
    .all(
      `SELECT sealed_roots.place, sealed, tag, epoch FROM sealed_roots
       JOIN log ON log.number = sealed_roots.place / ${JOURNAL_ORDINAL + 1} ORDER BY sealed_roots.place`,
      [],
    )
    .map((row) => {
      const place = integer(row, 'place');
      return {
        tag: blob(row, 'tag'),
        epoch: integer(row, 'epoch'),
        log: logOf(place),
        firstOrdinal: numberOf(place),
        sealed: blob(row, 'sealed'),
      };
    });
}
