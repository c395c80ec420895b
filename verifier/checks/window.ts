/** WINDOW: every statement stands in a window, and every window holds one (spec/verification.md, "WINDOW"). */
import { toHex } from '../../core/bytes.ts';
import { verifyWindowFollows } from '../../core/window.ts';
import type { WindowReading } from '../anchoring.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt, type Problem } from '../readings.ts';
import { counted } from '../sentence.ts';

/** Where a record before is in the bundle too, the chain between the two is checked. */
function brokenChain(after: WindowReading, placed: Placed): Problem | undefined {
  for (const before of placed.get(placeOf(after.record, after.record.windowSeq - 1n)) ?? []) {
    const result = attempt(() => verifyWindowFollows(before.hash, after.record));
    if ('problem' in result) return result.problem;
  }
  return undefined;
}

/** All that claim one place of one publisher: who shows two records of it has one that no later record follows. */
type Placed = ReadonlyMap<string, readonly WindowReading[]>;

function byPlace(windows: readonly WindowReading[]): Placed {
  const placed = new Map<string, WindowReading[]>();
  for (const window of windows) {
    const place = placeOf(window.record, window.record.windowSeq);
    const known = placed.get(place);
    if (known === undefined) placed.set(place, [window]);
    else known.push(window);
  }
  return placed;
}

function placeOf({ chainId, contract, publisher }: WindowReading['record'], seq: bigint): string {
  return `${chainId} ${toHex(contract)} ${toHex(publisher)} ${seq}`;
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
  const pairs = new Set(
    evidence.inclusions.map((item) => `${toHex(item.statementId)} ${toHex(item.windowRecordHash)}`),
  );
  if (pairs.size !== evidence.inclusions.length) {
    return failed('INCLUSION_TWICE', 'the bundle has the same inclusion twice');
  }
  const placed = byPlace(windows);
  for (const window of windows) {
    const problem = brokenChain(window, placed);
    if (problem !== undefined) return failed(problem.code, problem.message);
  }
  const isUnnamed = trail.statements.some(({ id }) => id === undefined);
  const included = new Set<number>();
  const used = new Set<number>();
  for (const [i, { statement, window, problem }] of inclusions.entries()) {
    // Of which statement an inclusion is cannot be told while one has no id; its window can.
    const isOfUnnamed = problem?.code === 'INCLUSION_STATEMENT' && isUnnamed;
    if (isOfUnnamed && window === undefined) {
      return failed('INCLUSION_WINDOW', `inclusion ${i + 1} names a window that is not there`);
    }
    if (problem !== undefined && !isOfUnnamed)
      return failed(problem.code, `inclusion ${i + 1}: ${problem.message}`);
    if (statement !== undefined) included.add(statement);
    if (window !== undefined) used.add(window);
  }
  if (used.size !== windows.length) {
    return failed('WINDOW_UNUSED', 'the bundle has a window record that no inclusion names');
  }
  if (isUnnamed) {
    return indeterminate('not_reached', 'the session of a statement is not known');
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
