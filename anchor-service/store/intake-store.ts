/** Sessions, statements, acceptances and forks. */
import type Database from 'better-sqlite3';
import { unverifiedPayload } from '../../core/cose.ts';
import type { Algorithm } from '../../core/signature.ts';
import { decodeStatement } from '../../core/statement.ts';
import type { GivenAcceptance, IntakeStore, StoredSession } from '../ports.ts';
import { whenThereIsRoom } from './disk-full.ts';
import type { GroupSync } from './group-sync.ts';
import { missingStore } from './missing-store.ts';
import { prunedPlaces } from './pruned-places.ts';

type SessionRow = {
  readonly id: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly device_key_id: Uint8Array;
  readonly algorithm: Algorithm;
  readonly public_key: Uint8Array;
  readonly record: Uint8Array;
};

type StandingRow = {
  readonly id: Uint8Array;
  readonly session_id: Uint8Array;
  readonly bytes: Uint8Array;
};

type GivenRow = {
  readonly n: number;
  readonly signed: Uint8Array;
  readonly leaf_index: number;
};

const ID_BYTES = 32;

export function intakeStore(db: Database.Database, group: GroupSync): IntakeStore {
  const session = db.prepare<[Uint8Array], SessionRow>('SELECT * FROM session WHERE id = ?');
  const insertSession = db.prepare(
    `INSERT INTO session (id, tag, epoch, log, device_key_id, algorithm, public_key, record)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
  );
  const byLabel = db.prepare<[Uint8Array], StandingRow>(
    'SELECT id, session_id, bytes FROM statement WHERE label = ?',
  );
  const forks = db.prepare<[], { readonly count: number }>('SELECT count(*) AS count FROM fork');
  const insertAcceptance = db.prepare('INSERT INTO acceptance (signed) VALUES (?)');
  const insertStatement = db.prepare(
    `INSERT INTO statement (id, session_id, label, hash, tag, bytes, beacon_number, acceptance, leaf_index,
       first_chunk, end_chunk)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertNewest = db.prepare(
    `INSERT INTO newest_statement (tag, device_key_id, epoch, log, seq, statement_n, statement_id, end_chunk)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tag, device_key_id, epoch)
     DO UPDATE SET log = excluded.log, seq = excluded.seq, statement_n = excluded.statement_n,
       statement_id = excluded.statement_id, end_chunk = excluded.end_chunk
     WHERE (excluded.log, excluded.seq) > (log, seq)`,
  );
  const newestPlace = db.prepare<
    [Uint8Array, Uint8Array, number],
    {
      readonly log: number;
      readonly seq: number;
      readonly statement_id: Uint8Array | null;
      readonly end_chunk: number | null;
    }
  >(
    // Asked for every statement that comes, so of one small row: from the table of statements the id alone cost 30 us.
    `SELECT log, seq, statement_id, end_chunk FROM newest_statement
     WHERE tag = ? AND device_key_id = ? AND epoch = ?`,
  );
  const neighbour = db.prepare<
    [Uint8Array],
    {
      readonly id: Uint8Array;
      readonly bytes: Uint8Array;
      readonly first_chunk: number | null;
      readonly end_chunk: number | null;
    }
  >('SELECT id, bytes, first_chunk, end_chunk FROM statement WHERE label = ?');
  const newest = db.prepare<
    [Uint8Array, Uint8Array, number],
    { readonly id: Uint8Array; readonly session: Uint8Array; readonly statement: Uint8Array }
  >(
    `SELECT statement.id, session.record AS session, statement.bytes AS statement
     FROM newest_statement JOIN statement ON statement.n = newest_statement.statement_n
     JOIN session ON session.id = statement.session_id
     WHERE newest_statement.tag = ? AND newest_statement.device_key_id = ?
       AND newest_statement.epoch = ?`,
  );
  const insertFork = db.prepare(
    `INSERT INTO fork (second_id, first_id, proof) SELECT $second, $first, $proof
     WHERE NOT EXISTS (SELECT 1 FROM fork WHERE first_id = $first)`,
  );
  const given = db.prepare<[Uint8Array, Uint8Array], GivenRow>(
    `SELECT acceptance.n, acceptance.signed, statement.leaf_index
     FROM statement JOIN acceptance ON acceptance.n = statement.acceptance
     WHERE statement.id = ? AND statement.tag = ?`,
  );
  const groupIds = db.prepare<[number], { readonly id: Uint8Array }>(
    'SELECT id FROM statement WHERE acceptance = ? ORDER BY leaf_index',
  );
  const keptIds = db.prepare<[number], { readonly ids: Uint8Array | null }>(
    'SELECT ids FROM acceptance WHERE n = ?',
  );
  const wantReceipt = db.prepare(
    `INSERT INTO receipt_outbox (statement_n, window_seq)
     SELECT statement.n, statement.window_seq
     FROM statement JOIN window ON window.seq = statement.window_seq
     WHERE statement.id = ? AND window.state IN ('FINAL', 'PUBLISHED')
     ON CONFLICT (statement_n) DO UPDATE SET asked = asked + 1`,
  );

  return {
    findSession: (id) => storedSession(session.get(id)),
    inGroup: async (work) => await whenThereIsRoom(async () => await group.commit(work)),
    insertSession: (s) => {
      insertSession.run(
        s.id,
        s.tag,
        s.epoch,
        s.log,
        s.deviceKeyId,
        s.key.algorithm,
        s.key.bytes,
        s.record,
      );
    },
    statementByLabel: (label) => {
      const row = byLabel.get(label);
      return row && { id: row.id, sessionId: row.session_id, bytes: row.bytes };
    },
    newestPlace: ({ tag, deviceKeyId, epoch }) => {
      const row = newestPlace.get(tag, deviceKeyId, epoch);
      if (row === undefined) return undefined;
      const { log, seq } = row;
      return { log, seq, id: row.statement_id ?? undefined, end: row.end_chunk ?? undefined };
    },
    neighbour: (label) => {
      const row = neighbour.get(label);
      if (row === undefined) return undefined;
      const { first_chunk: first, end_chunk: end } = row;
      return {
        id: row.id,
        previousId: decodeStatement(unverifiedPayload(row.bytes)).previousId,
        chunks: first === null || end === null ? undefined : { first, end },
      };
    },
    isPruned: prunedPlaces(db).has,
    ...missingStore(db),
    insertAcceptance: (signed) => Number(insertAcceptance.run(signed).lastInsertRowid),
    insertStatement: (s, acceptance, leafIndex) => {
      const { lastInsertRowid } = insertStatement.run(
        s.id,
        s.sessionId,
        s.label,
        s.hash,
        s.tag,
        s.bytes,
        s.beaconNumber ?? null,
        acceptance,
        leafIndex,
        s.chunks?.first ?? null,
        s.chunks?.end ?? null,
      );
      const end = s.chunks?.end ?? null;
      insertNewest.run(s.tag, s.deviceKeyId, s.epoch, s.log, s.seq, lastInsertRowid, s.id, end);
    },
    newestStatement: (tag, deviceKeyId, epoch) => newest.get(tag, deviceKeyId, epoch),
    insertFork: (firstId, secondId, proof) => {
      insertFork.run({ second: secondId, first: firstId, proof });
    },
    countForks: () => forks.get()?.count ?? 0,
    acceptanceOf: (statementId, tag): GivenAcceptance | undefined => {
      const row = given.get(statementId, tag);
      if (row === undefined) return undefined;
      return { group: row.n, acceptance: row.signed, leafIndex: row.leaf_index };
    },
    groupIds: (n) => {
      const ids = keptIds.get(n)?.ids ?? undefined;
      return ids === undefined ? groupIds.all(n).map(({ id }) => id) : chunksOf(ids, ID_BYTES);
    },
    wantReceipt: (statementId) => wantReceipt.run(statementId).changes > 0,
  };
}

function chunksOf(bytes: Uint8Array, length: number): readonly Uint8Array[] {
  return Array.from({ length: bytes.length / length }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
}

function storedSession(row: SessionRow | undefined): StoredSession | undefined {
  return row === undefined
    ? undefined
    : {
        id: row.id,
        tag: row.tag,
        epoch: row.epoch,
        log: row.log,
        deviceKeyId: row.device_key_id,
        key: { algorithm: row.algorithm, bytes: Uint8Array.from(row.public_key) },
        record: row.record,
      };
}
