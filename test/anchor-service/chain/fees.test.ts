import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstFees, replacementFees } from '../../../anchor-service/chain/fees.ts';

const wei = fc.bigInt({ min: 0n, max: 10n ** 15n });

test('a replacement raises fee cap and tip by an eighth at least, and follows the market up', () => {
  fc.assert(
    fc.property(wei, wei, wei, wei, (baseFee, tip, laterBaseFee, laterTip) => {
      const before = firstFees(baseFee, tip);
      const market = firstFees(laterBaseFee, laterTip);
      const after = replacementFees(before, market);
      expect(after.feeCap * 1000n).toBeGreaterThanOrEqual(before.feeCap * 1125n);
      expect(after.tip * 1000n).toBeGreaterThanOrEqual(before.tip * 1125n);
      expect(after.feeCap).toBeGreaterThanOrEqual(market.feeCap);
      expect(after.feeCap).toBeGreaterThanOrEqual(after.tip);
    }),
  );
});
