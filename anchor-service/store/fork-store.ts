/** Fork proofs that the intake kept (spec/fork-proof.md): for the folder of published files, and for the operator. */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperationalError, UserError } from '../../core/errors.ts';
import type { ForkStore, KeptFork } from '../ports.ts';
import { SCHEMA_STEPS } from './schema.ts';

type ForkRow = { readonly first_id: Uint8Array; readonly proof: Uint8Array };

export function forkStore(db: Database.Database): ForkStore {
  // Older stores may hold several for a place: always the same one of them.
  const unwritten = db.prepare<[number], ForkRow>(
    `SELECT first_id, proof FROM fork WHERE number IS NULL AND NOT EXISTS
       (SELECT 1 FROM fork AS other WHERE other.first_id = fork.first_id AND other.second_id < fork.second_id)
     ORDER BY first_id LIMIT ?`,
  );
  const next = db.prepare<[], { readonly number: number }>(
    'SELECT coalesce(max(number) + 1, 0) AS number FROM fork',
  );
  const written = db.prepare<[number, number], ForkRow>(
    'SELECT first_id, proof FROM fork WHERE number >= ? ORDER BY number LIMIT ?',
  );
  const mark = db.prepare<[number, Uint8Array]>(
    `UPDATE fork SET number = ? WHERE second_id = (SELECT min(second_id) FROM fork WHERE first_id = ?)`,
  );
  const forget = db.prepare('UPDATE fork SET number = NULL WHERE number IS NOT NULL');
  const countWrittenForks = (): number => next.get()?.number ?? 0;
  return {
    unwrittenForks: (limit) => unwritten.all(limit).map(toKept),
    countWrittenForks,
    writtenForks: (from, limit) => written.all(from, limit).map(toKept),
    markForksWritten: (forks) => {
      db.transaction(() => {
        let number = countWrittenForks();
        for (const { statementId } of forks) {
          mark.run(number, statementId);
          number += 1;
        }
      }).immediate();
    },
    forgetWrittenForks: () => {
      forget.run();
    },
  };
}

function toKept({ first_id, proof }: ForkRow): KeptFork {
  return { statementId: first_id, proof };
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
    // Of any version that has them: one for each place, and of several always the same one.
    const all = db.prepare<[], ForkRow>(
      'SELECT first_id, proof, min(second_id) FROM fork GROUP BY first_id ORDER BY first_id',
    );
    return all.all().map(toKept);
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
