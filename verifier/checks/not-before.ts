/** NOT_BEFORE: since when each chunk was sealed at the earliest (spec/verification.md, "NOT_BEFORE"). */
import type { Bounds, NotBefore } from '../bounds.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted, utc } from '../sentence.ts';

export function checkNotBefore({ trail, bounds }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const contradicted = headers[bounds.beaconAfterAnchor ?? -1];
  if (contradicted !== undefined) {
    return failed(
      'BEACON_AFTER_ANCHOR',
      `${chunkName(contradicted.header)} names a beacon that is not older than its anchor`,
    );
  }
  if (headers.every(({ header }) => header.beacon === undefined)) {
    return indeterminate('absent', 'no chunk header holds a beacon');
  }
  const bound = bounds.notBefore.filter((one) => one !== undefined);
  const [earliest] = bound;
  if (earliest === undefined || bound.length < headers.length) {
    if (bounds.unboundElsewhere) {
      return indeterminate(
        'beacon_elsewhere',
        `${counted(headers.length - bound.length, 'chunk')} of ${headers.length} without a bound: the first of them names a beacon that is not on the linked chain`,
      );
    }
    return bounds.notBeforeUnchecked > 0
      ? indeterminate(
          'block_not_checked',
          `${counted(bounds.notBeforeUnchecked, 'chunk')} of ${headers.length} ${bounds.notBeforeUnchecked === 1 ? 'has' : 'have'} a bound only if the newest linked block is checked`,
        )
      : indeterminate(
          'no_bound',
          `${counted(headers.length - bound.length, 'chunk')} of ${headers.length} without a linked beacon at or before them`,
        );
  }
  return passed(
    `all ${counted(headers.length, 'chunk')} sealed after block ${earliest.block} of chain ${earliest.chainId}${timeOf(earliest)}${notUsed(bounds)}`,
    {
      chainId: `${earliest.chainId}`,
      block: `${earliest.block}`,
      seconds: earliest.seconds === undefined ? null : `${earliest.seconds}`,
      exact: earliest.exact,
      beaconsElsewhere: bounds.beaconsElsewhere,
      beaconsUnlinked: bounds.beaconsUnlinked,
    },
  );
}

/** A beacon that was replaced, or that no link shows, costs its own bound: what an earlier header names stays. */
function notUsed({ beaconsElsewhere }: Bounds): string {
  return beaconsElsewhere === 0
    ? ''
    : `; ${counted(beaconsElsewhere, 'beacon')} not on the linked chain, bounded by the header before`;
}

/** A link proves hashes; a time is known only where a header is in the bundle. */
function timeOf({ seconds, exact }: NotBefore): string {
  if (seconds === undefined) return ', whose time is not in the bundle';
  return exact ? ` (${utc(seconds)})` : `, which is from ${utc(seconds)} or later`;
}
