/**
 * STATEMENT: signed by their session, chained, one for each seq, and their trees hold the bundle's headers
 * (spec/verification.md, "STATEMENT").
 */
import { verifySigned } from '../../core/cose.ts';
import { verifyLeaves } from '../../core/merkle.ts';
import { chunkCount } from '../../core/statement.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';
import { chunkName, counted } from '../sentence.ts';
import { type StatementTrail, sameId } from '../trail.ts';

export function checkStatement(context: Context): Outcome {
  const { statements } = context.trail;
  if (statements.length === 0) return indeterminate('absent', 'the bundle has no statement');
  let before: StatementTrail | undefined;
  let doubt: Outcome | undefined;
  for (const entry of statements) {
    const outcome = checkChain(before, entry) ?? checkOne(context, entry);
    if (outcome?.verdict === 'FAILED') return outcome;
    doubt ??= outcome;
    before = entry;
  }
  if (doubt !== undefined) return doubt;
  const covered = statements.reduce((sum, { covers }) => sum + covers.length, 0);
  return passed(
    `${counted(statements.length, 'statement')} signed and chained; their trees hold ${counted(covered, 'header')} of the bundle`,
    { rule: 'RFC 9162 multi-leaf proof over the Sig_structures of the headers' },
  );
}

function nameOf({ statement }: StatementTrail): string {
  return `statement ${statement.log}/${statement.seq}`;
}

function checkChain(
  before: StatementTrail | undefined,
  entry: StatementTrail,
): Outcome | undefined {
  const { log, seq, previousId } = entry.statement;
  if (before === undefined || before.statement.log !== log) return undefined;
  if (before.statement.seq === seq) {
    return failed('STATEMENT_TWICE', `the log has two statements ${log}/${seq}: it was forked`);
  }
  // Statements that hold no header of the bundle are left out, so only neighbours can be compared.
  if (before.statement.seq + 1 !== seq || before.id === undefined) return undefined;
  return sameId(before.id, previousId)
    ? undefined
    : failed('STATEMENT_PREVIOUS_ID', `${nameOf(entry)} does not follow the one before it`);
}

function checkOne(
  { trail, verifyDigest, hash }: Context,
  entry: StatementTrail,
): Outcome | undefined {
  const { session, statement } = entry;
  const again = trail.headers[entry.coversAgain ?? -1];
  if (again !== undefined) {
    return failed(
      'STATEMENT_COVERS_AGAIN',
      `${chunkName(again.header)} is covered by two statements`,
    );
  }
  if (session === undefined) {
    return indeterminate('not_reached', `the session of ${nameOf(entry)} is not known`);
  }
  const structures = entry.covers.map(({ header }) => trail.headers[header]?.signed?.structure);
  const isReached = !structures.includes(undefined);
  const result = attempt(() => {
    verifySigned('statement', session.record.sessionKey, entry.bytes, verifyDigest);
    if (!isReached) return;
    verifyLeaves(
      statement.root,
      chunkCount(statement.spans),
      entry.covers.map(({ leafIndex }) => leafIndex),
      structures.filter((structure) => structure !== undefined),
      entry.proof,
      hash,
    );
  });
  if ('problem' in result) {
    return failed(result.problem.code, `${nameOf(entry)}: ${result.problem.message}`);
  }
  return isReached
    ? undefined
    : indeterminate('not_reached', `the session of a header in ${nameOf(entry)} is not known`);
}
