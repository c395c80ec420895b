/** NOT_AFTER: until when each chunk was sealed at the latest (spec/verification.md, "NOT_AFTER"). */

import type { Bounds } from '../bounds.ts';
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
    `all ${counted(length, 'chunk')} sealed before ${utc(latest.seconds)} (block ${latest.block} of chain ${latest.chainId})${stampedPart(bounds.stamped)}`,
    {
      chainId: `${latest.chainId}`,
      block: `${latest.block}`,
      seconds: `${latest.seconds}`,
      stampedSeconds: latestStamp(bounds.stamped)?.toString() ?? null,
    },
  );
}

/** A second bound that rests on no chain; the verdict is about the first, TIMESTAMP about this one. */
function stampedPart(stamped: Bounds['stamped']): string {
  const count = stamped.filter((one) => one !== undefined).length;
  const latest = latestStamp(stamped);
  if (latest === undefined) return '';
  const which = count === stamped.length ? '' : `${counted(count, 'chunk')} `;
  return `, and ${which}before ${utc(latest)} by time stamp`;
}

function latestStamp(stamped: Bounds['stamped']): bigint | undefined {
  return stamped.reduce<bigint | undefined>(
    (latest, one) => (one !== undefined && one.seconds > (latest ?? 0n) ? one.seconds : latest),
    undefined,
  );
}
