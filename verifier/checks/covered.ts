/** COVERED: every header stands in a statement of the bundle (spec/verification.md, "COVERED"). */

import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';

export function checkCovered({ trail }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const open = headers.filter(({ statement }) => statement === undefined);
  const [first] = open;
  if (first === undefined) {
    return passed(`all ${counted(headers.length, 'chunk')} are covered by a statement`);
  }
  return indeterminate(
    'not_anchored',
    `${counted(open.length, 'chunk')} of ${headers.length}, the first of them ${chunkName(first.header)}, in no statement of the bundle`,
    { headers: headers.length, uncovered: open.length },
  );
}
