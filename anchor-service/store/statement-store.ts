/** Statements as they are given back to their vehicles. */
import type Database from 'better-sqlite3';
import type { IntakeStore, ReceiptStore, StatementStore } from '../ports.ts';
import type { GroupSync } from './group-sync.ts';

type KeptRow = {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly session_id: Uint8Array;
  readonly acceptance: number;
  readonly signed: Uint8Array;
  readonly leaf_index: number;
  readonly window_seq: number | null;
  readonly window_index: number | null;
};

export function statementStore(
  db: Database.Database,
  { findSession, groupIds }: Pick<IntakeStore, 'findSession' | 'groupIds'>,
  { finalWindow, entries }: Pick<ReceiptStore, 'finalWindow' | 'entries'>,
  { durable }: Pick<GroupSync, 'durable'>,
): StatementStore {
  const kept = db.prepare<[Uint8Array], KeptRow>(
    `SELECT statement.id, bytes, session_id, acceptance, signed, leaf_index, window_seq, window_index
     FROM statement JOIN acceptance ON acceptance.n = statement.acceptance WHERE statement.id = ?`,
  );
  return {
    keptStatement: (id) => {
      const row = kept.get(id);
      const session = row && findSession(row.session_id);
      if (row === undefined || session === undefined) return undefined;
      const { window_seq: windowSeq, window_index: windowIndex } = row;
      return {
        id: row.id,
        bytes: row.bytes,
        session,
        given: { group: row.acceptance, acceptance: row.signed, leafIndex: row.leaf_index },
        place: windowSeq === null || windowIndex === null ? undefined : { windowSeq, windowIndex },
      };
    },
    groupIds,
    finalWindow,
    entries,
    durable,
  };
}
