/**
 * Which service a statement is with, and the words of services that did not keep theirs.
 * Implements spec/spool.md, "Promises". A statement starts with the first service and only ever goes on to the next.
 */
import type { LinkShelf, Outbox, ServiceOutbox, StoredPromise, StoredStatement } from '../ports.ts';
import { behind, NOT_ASIDE } from './aside.ts';
import { placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer, type Row } from './rows.ts';
import { toStatement } from './to-statement.ts';

/** Added to the index of version 2. A trigger, since statements are forgotten in several places. */
export const PROMISES_SCHEMA = `
  -- Statements that the first service does not answer for any more. service: position in the configuration.
  CREATE TABLE moved_statement (
    place INTEGER PRIMARY KEY,
    service INTEGER NOT NULL
  );
  -- acceptance: the message in which the service gave its word, as it came.
  CREATE TABLE missed_promise (
    place INTEGER NOT NULL,
    service INTEGER NOT NULL,
    acceptance BLOB NOT NULL,
    PRIMARY KEY (place, service)
  ) WITHOUT ROWID;
  CREATE TRIGGER statement_forgotten AFTER DELETE ON statement BEGIN
    DELETE FROM moved_statement WHERE place = old.place;
    DELETE FROM missed_promise WHERE place = old.place;
  END;
`;

const WITH_SERVICE = `FROM statement LEFT JOIN moved_statement USING (place)
  WHERE inclusion IS NULL AND coalesce(service, 0) = ?`;

/** What the uplink to one service sees of the outbox: statements that are with another one are not waiting here. */
export function outboxOf(
  service: number,
  spool: Outbox & LinkShelf,
  sql: PreparedStatements,
  commit: (work: () => void) => void,
): ServiceOutbox {
  const rows = (text: string, ...parameters: readonly (number | Uint8Array)[]): readonly Row[] =>
    sql.all(text, parameters);
  return {
    identity: () => spool.identity(),
    session: (log, number) => spool.session(log, number),
    hasAcceptedBehind: (log, seq) => spool.hasAcceptedBehind(log, seq),
    storeReceipt: (id, receipt) => spool.storeReceipt(id, receipt),
    // The way between blocks is the vehicle's, whichever service shows a part of it: every part proves itself.
    newestAnchor: (chainId) => spool.newestAnchor(chainId),
    windowLinks: (chainId, fromBlock, limit) => spool.windowLinks(chainId, fromBlock, limit),
    lastBeacon: (chainId) => spool.lastBeacon(chainId),
    beaconsOf: (statement) => spool.beaconsOf(statement),
    unlinkedBlocks: (chainId, limit) => spool.unlinkedBlocks(chainId, limit),
    countAsked: (blocks) => spool.countAsked(blocks),
    countHops: () => spool.countHops(),
    storeHops: (hops, linked) => spool.storeHops(hops, linked),
    unstampedWindows: (limit) => spool.unstampedWindows(limit),
    unstampedCount: () => spool.unstampedCount(),
    storeStamp: (stamp, windowHashes) => spool.storeStamp(stamp, windowHashes),
    unacceptedStatements: (limit) =>
      rows(
        `SELECT statement.* ${WITH_SERVICE} AND acceptance IS NULL AND ${NOT_ASIDE}
         ORDER BY place LIMIT ?`,
        service,
        limit,
      ).map(toStatement),
    asideStatements: (place, limit) =>
      rows(
        `SELECT statement.* ${WITH_SERVICE} AND NOT ${NOT_ASIDE} AND place > ? ORDER BY place LIMIT ?`,
        service,
        behind(place),
        limit,
      ).map(toStatement),
    putAside: (id, code) => spool.putAside(id, code),
    unreceiptedStatements: (limit, skip) =>
      rows(
        `SELECT id ${WITH_SERVICE} AND acceptance IS NOT NULL ORDER BY place LIMIT ? OFFSET ?`,
        service,
        limit,
        skip,
      ).map((row) => blob(row, 'id')),
    statementById: (id) => {
      const statement = spool.statementById(id);
      const missed = statement && missedBy(service, statement, rows);
      // Its word is kept: given once more, it is not the word of the service that the statement is with now.
      return statement && missed ? { ...statement, acceptance: missed } : statement;
    },
    // Of another service's statements this one is not told, although it may miss them below its own.
    statements: (log, fromSeq, toSeq) =>
      rows(
        `SELECT statement.* ${WITH_SERVICE} AND place BETWEEN ? AND ? ORDER BY place`,
        service,
        placeOf(log, fromSeq),
        placeOf(log, toSeq),
      ).map(toStatement),
    storeAcceptance: (id, message) => spool.storeAcceptance(id, message),
    acceptedStatements: (limit) =>
      rows(
        `SELECT id, acceptance ${WITH_SERVICE} AND acceptance IS NOT NULL ORDER BY place LIMIT ?`,
        service,
        limit,
      ).map((row) => ({ id: blob(row, 'id'), acceptance: blob(row, 'acceptance') })),
    // The word is kept and the statement goes on, in one transaction: a kill leaves it with exactly one service.
    missPromise: (id) => {
      commit(() => {
        sql.run(
          `INSERT OR IGNORE INTO missed_promise SELECT place, ?, acceptance FROM statement
           WHERE id = ? AND acceptance IS NOT NULL`,
          service,
          id,
        );
        sql.run('UPDATE statement SET acceptance = NULL WHERE id = ?', id);
        sql.run(
          `INSERT INTO moved_statement SELECT place, ? FROM statement WHERE id = ?
           ON CONFLICT (place) DO UPDATE SET service = excluded.service`,
          service + 1,
          id,
        );
      });
    },
    isAwaited: () => rows(`SELECT 1 ${WITH_SERVICE} LIMIT 1`, service).length > 0,
  };
}

function missedBy(
  service: number,
  { log, seq }: StoredStatement,
  rows: (text: string, ...parameters: readonly (number | Uint8Array)[]) => readonly Row[],
): Uint8Array | undefined {
  const text = 'SELECT acceptance FROM missed_promise WHERE place = ? AND service = ?';
  return rows(text, placeOf(log, seq), service).map((row) => blob(row, 'acceptance'))[0];
}

/** Those that were not kept, and those of statements that still wait. Ascending by statement. */
export function promisesIn(sql: PreparedStatements): readonly StoredPromise[] {
  return sql
    .all(
      `SELECT statement.*, missed_promise.acceptance AS word, 1 AS missed, missed_promise.service AS nth
         FROM missed_promise JOIN statement USING (place)
       UNION ALL
       SELECT statement.*, acceptance AS word, 0 AS missed, 1 << 30 AS nth
         FROM statement WHERE acceptance IS NOT NULL AND inclusion IS NULL
       ORDER BY place, nth`,
      [],
    )
    .map((row) => ({
      statement: toStatement(row),
      acceptance: blob(row, 'word'),
      isMissed: integer(row, 'missed') === 1,
    }));
}
