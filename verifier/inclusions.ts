/**
 * Which statement stands in which window, each inclusion followed to the window's root.
 * Implements spec/verification.md, "WINDOW".
 */
import { toHex } from '../core/bytes.ts';
import { VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import { type Inclusion, verifyInclusionLevels } from '../core/receipt.ts';
import { windowEntry, windowLabel } from '../core/window.ts';
import type { WindowReading } from './anchoring.ts';
import { attempt, type Problem } from './readings.ts';
import type { StatementTrail } from './trail.ts';

export type InclusionReading = {
  /** Positions; none when the bundle has no such statement or window. */
  readonly statement: number | undefined;
  readonly window: number | undefined;
  readonly problem: Problem | undefined;
};

export function readInclusions(
  inclusions: readonly Inclusion[],
  statements: readonly StatementTrail[],
  windows: readonly WindowReading[],
  hash: Hash,
): readonly InclusionReading[] {
  const statementById = new Map<string, number>();
  statements.forEach(({ id }, i) => {
    if (id !== undefined) statementById.set(toHex(id), i);
  });
  const windowByHash = new Map(windows.map((window, i) => [toHex(window.hash), i]));
  return inclusions.map((inclusion) => {
    const statement = statementById.get(toHex(inclusion.statementId));
    const window = windowByHash.get(toHex(inclusion.windowRecordHash));
    const result = attempt(() =>
      verifyInclusion(inclusion, statements[statement ?? -1], windows[window ?? -1], hash),
    );
    return { statement, window, problem: 'problem' in result ? result.problem : undefined };
  });
}

/** @throws VerificationError INCLUSION_STATEMENT, INCLUSION_WINDOW, MERKLE_* */
function verifyInclusion(
  inclusion: Inclusion,
  statement: StatementTrail | undefined,
  window: WindowReading | undefined,
  hash: Hash,
): void {
  if (statement === undefined) {
    throw new VerificationError(
      'INCLUSION_STATEMENT',
      `no statement ${toHex(inclusion.statementId)} in the bundle`,
    );
  }
  if (window === undefined) {
    throw new VerificationError(
      'INCLUSION_WINDOW',
      `no window record with hash ${toHex(inclusion.windowRecordHash)} in the bundle`,
    );
  }
  const label = windowLabel(statement.statement, hash);
  const entry = windowEntry(label, statement.bytes, hash);
  verifyInclusionLevels(entry, inclusion.levels, window.record, hash);
}
