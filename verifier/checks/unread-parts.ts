/** Checks of parts that this version carries and does not read: absent, or unsupported (spec/verification.md, "Parts to come"). */

import { indeterminate, type Outcome } from '../check.ts';
import type { Context } from '../context.ts';
import type { UnreadSection } from '../evidence.ts';
import { counted } from '../sentence.ts';

function unread(section: UnreadSection, absent: string, item: string) {
  return ({ evidence }: Context): Outcome => {
    const count = evidence.unread[section];
    return count === 0
      ? indeterminate('absent', absent)
      : indeterminate(
          'unsupported',
          `${counted(count, item)} present, which this version does not check`,
        );
  };
}

export const checkCustody = unread(
  'custody',
  'no custody record: who held the data is not shown',
  'custody record',
);
