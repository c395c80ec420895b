/** LEAVES: every opened leaf is the one that was sealed (spec/verification.md, "LEAVES"). */

import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkLeaves({ evidence, readings }: Context): Outcome {
  if (readings.leafProblem !== undefined) {
    const { code, message } = readings.leafProblem;
    return code === 'LEAF_BUDGET' ? indeterminate('leaf_budget', message) : failed(code, message);
  }
  if (evidence.chunks.length === 0) return indeterminate('absent', 'the bundle opens no leaf');
  if (readings.recoveredOpened > 0 || evidence.unread.blocks > 0) {
    return indeterminate(
      'unsupported',
      `${counted(readings.recoveredOpened, 'opened chunk')} recovered from journal blocks, whose heads this version does not check`,
    );
  }
  return passed(
    `${counted(readings.leaves, 'leaf', 'leaves')} of ${counted(readings.chunks, 'chunk')} give the signed roots`,
    {
      rule: 'SHA-256(0x00 ‖ salt ‖ leaf) in an RFC 9162 tree',
      leaves: readings.leaves,
      chunks: readings.chunks,
    },
  );
}
