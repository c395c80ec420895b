/** LEAVES: every opened leaf is the one that was sealed (spec/verification.md, "LEAVES"). */

import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { NOT_REACHED } from '../readings.ts';
import { counted } from '../sentence.ts';

export function checkLeaves({ evidence, readings }: Context): Outcome {
  if (readings.leafProblem !== undefined) {
    const { code, message } = readings.leafProblem;
    if (code === NOT_REACHED) return indeterminate('not_reached', message);
    return code === 'LEAF_BUDGET' ? indeterminate('leaf_budget', message) : failed(code, message);
  }
  if (evidence.chunks.length === 0) return indeterminate('absent', 'the bundle opens no leaf');
  const recovered =
    readings.recovered === 0
      ? ''
      : `; ${counted(readings.recovered, 'chunk')} recovered from ${counted(readings.blocks, 'journal block')} that an earlier session signed`;
  return passed(
    `${counted(readings.leaves, 'leaf', 'leaves')} of ${counted(readings.chunks, 'chunk')} give the signed roots${recovered}`,
    {
      rule: 'SHA-256(0x00 ‖ salt ‖ leaf) in an RFC 9162 tree',
      leaves: readings.leaves,
      chunks: readings.chunks,
      ...(readings.recovered === 0
        ? {}
        : { recovered: readings.recovered, blocks: readings.blocks }),
    },
  );
}
