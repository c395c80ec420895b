/** What a transaction may cost: first offer, replacement, cap. Implements spec/finality.md, "Fees". */
import type { Fees } from './sender.ts';

/** Half a gwei above nothing: enough where blocks are not full, and the market's answer is asked first. */
export const DEFAULT_TIP = 1_000_000_000n;

/** Twice the base fee: it can rise for six full blocks before the offer is too low. */
export function firstFees(baseFee: bigint, tip: bigint): Fees {
  return { feeCap: 2n * baseFee + tip, tip };
}

/**
 * Pools refuse a replacement that does not raise both fee cap and tip by a tenth (geth) or an eighth (others).
 */
export function replacementFees(before: Fees, market: Fees): Fees {
  const tip = larger(raised(before.tip), market.tip);
  return { feeCap: larger(larger(raised(before.feeCap), market.feeCap), tip), tip };
}

function raised(fee: bigint): bigint {
  return (fee * 1125n) / 1000n + 1n;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
