/** WINDOW: every statement stands in a window, and every window holds one (spec/verification.md, "WINDOW"). */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { verifyWindowFollows } from '../../core/window.ts';
import type { WindowReading } from '../anchoring.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt, type Problem } from '../readings.ts';
import { counted } from '../sentence.ts';

/** Where the record before is in the bundle too, the chain between the two is checked. */
function brokenChain(after: WindowReading, windows: readonly WindowReading[]): Problem | undefined {
  const { chainId, contract, publisher, windowSeq } = after.record;
  const before = windows.find(
    ({ record }) =>
      record.chainId === chainId &&
      equalBytes(record.contract, contract) &&
      equalBytes(record.publisher, publisher) &&
      record.windowSeq + 1n === windowSeq,
  );
  if (before === undefined) return undefined;
  const result = attempt(() => verifyWindowFollows(before.hash, after.record));
  return 'problem' in result ? result.problem : undefined;
}

export function checkWindow({ trail, anchoring, inclusions, evidence }: Context): Outcome {
  const { windows } = anchoring;
  if (windows.length === 0 && inclusions.length === 0) {
    return indeterminate('absent', 'the bundle has no receipt');
  }
  const hashes = new Set(windows.map(({ hash }) => toHex(hash)));
  if (hashes.size !== windows.length) {
    return failed('WINDOW_TWICE', 'the bundle has the same window record twice');
  }
  for (const problem of windows.map((window) => brokenChain(window, windows))) {
    if (problem !== undefined) return failed(problem.code, problem.message);
  }
  const pairs = new Set(
    evidence.inclusions.map((item) => `${toHex(item.statementId)} ${toHex(item.windowRecordHash)}`),
  );
  if (pairs.size !== evidence.inclusions.length) {
    return failed('INCLUSION_TWICE', 'the bundle has the same inclusion twice');
  }
  if (trail.statements.some(({ id }) => id === undefined)) {
    return indeterminate('not_reached', 'the session of a statement is not known');
  }
  const included = new Set<number>();
  const used = new Set<number>();
  for (const [i, { statement, window, problem }] of inclusions.entries()) {
    if (problem !== undefined)
      return failed(problem.code, `inclusion ${i + 1}: ${problem.message}`);
    if (statement !== undefined) included.add(statement);
    if (window !== undefined) used.add(window);
  }
  if (used.size !== windows.length) {
    return failed('WINDOW_UNUSED', 'the bundle has a window record that no inclusion names');
  }
  const pending = trail.statements.length - included.size;
  if (pending > 0) {
    return indeterminate(
      'pending',
      `${counted(pending, 'statement')} of ${trail.statements.length} without a receipt`,
    );
  }
  return passed(`${counted(included.size, 'statement')} in ${counted(windows.length, 'window')}`, {
    windows: windows.map(({ hash, record }) => [
      `${record.windowSeq}`,
      toHex(hash),
      record.treeSize,
    ]),
  });
}
