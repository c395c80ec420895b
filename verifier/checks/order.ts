/** ORDER: the order in which frames of different streams arrived (spec/verification.md, "ORDER"). */

import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted } from '../sentence.ts';

export function checkOrder({ readings }: Context): Outcome {
  if (readings.leafProblem !== undefined || readings.streamProblem !== undefined) {
    return indeterminate('not_reached', 'the frames are not proven');
  }
  if (readings.orderProblem !== undefined) {
    return failed(readings.orderProblem.code, readings.orderProblem.message);
  }
  if (readings.unordered > 0) {
    return indeterminate(
      'order_not_disclosed',
      `order across streams not disclosed in ${counted(readings.unordered, 'chunk')}`,
    );
  }
  if (readings.ordered === 0) return indeterminate('absent', 'the bundle opens no frames');
  return passed(
    `frames of all streams are in recorded order in ${counted(readings.ordered, 'chunk')}`,
  );
}
