/** NOT_AFTER: until when each chunk was sealed at the latest (spec/verification.md, "NOT_AFTER"). */

import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { counted, utc } from '../sentence.ts';

export function checkNotAfter({ trail, bounds }: Context): Outcome {
  const { length } = trail.headers;
  if (length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const bound = bounds.notAfter.filter((one) => one !== undefined);
  if (bound.length < length) {
    return bounds.notAfterUnchecked > 0
      ? indeterminate(
          'block_not_checked',
          `${counted(bounds.notAfterUnchecked, 'chunk')} of ${length} ${bounds.notAfterUnchecked === 1 ? 'has' : 'have'} a bound only if the newest linked block is checked`,
        )
      : indeterminate(
          'no_bound',
          `${counted(length - bound.length, 'chunk')} of ${length} without an anchor`,
        );
  }
  const latest = bound.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  return passed(
    `all ${counted(length, 'chunk')} sealed before ${utc(latest.seconds)} (block ${latest.block} of chain ${latest.chainId})`,
    { chainId: `${latest.chainId}`, block: `${latest.block}`, seconds: `${latest.seconds}` },
  );
}
