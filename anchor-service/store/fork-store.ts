/** Fork proofs that the intake kept (spec/fork-proof.md): for the folder of published files, and for the operator. */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperationalError, UserError } from '../../core/errors.ts';
import type { ForkStore, KeptFork } from '../ports.ts';
import { SCHEMA_STEPS } from './schema.ts';

type ForkRow = { readonly first_id: Uint8Array; readonly proof: Uint8Array };

export function forkStore(db: Database.Database): ForkStore {
  const count = db.prepare<[], { readonly count: number }>(
    'SELECT count(DISTINCT first_id) AS count FROM fork',
  );
  // Older stores may hold several for a place: always the same one of them.
  const all = db.prepare<[], ForkRow>(
    'SELECT first_id, proof, min(second_id) FROM fork GROUP BY first_id ORDER BY first_id',
  );
  return {
    countPlaces: () => count.get()?.count ?? 0,
    forks: () => all.all().map(({ first_id, proof }) => ({ statementId: first_id, proof })),
  };
}

/**
 * Beside a running service or without one; changes nothing.
 * @throws UserError STORE_MISSING; OperationalError STORE_TOO_NEW, STORE_DAMAGED
 */
export function readForks(dataDir: string): readonly KeptFork[] {
  const path = join(dataDir, 'anchor-service.sqlite');
  let db: Database.Database;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true });
  } catch (cause) {
    throw new UserError('STORE_MISSING', `expected the data folder of a service, got ${dataDir}`, {
      cause,
    });
  }
  try {
    if (Number(db.pragma('user_version', { simple: true })) > SCHEMA_STEPS.length) {
      throw unreadable('STORE_TOO_NEW', `the store in ${dataDir} is of a newer service`);
    }
    return forkStore(db).forks();
  } catch (cause) {
    if (cause instanceof OperationalError) throw cause;
    throw unreadable('STORE_DAMAGED', `the store in ${dataDir} is damaged or is no store`, cause);
  } finally {
    db.close();
  }
}

function unreadable(code: string, sentence: string, cause?: unknown): OperationalError {
  return new OperationalError(code, sentence, { retryable: false, cause });
}
