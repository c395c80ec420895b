/** What time it is at least: a clock that was set back gives no old proof a second life. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { latestTimeS } from '../../../agent/grants/latest-time.ts';
import { encodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { CHAIN_ID, TestChain } from '../../../fixtures/generate/bundles/test-chain.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

const SECOND_NS = 1_000_000_000n;
const START_S = 1_700_000_000;
/** Of TestChain: 12 s a block from 1,700,000,000 on. */
const BLOCK = 5_000n;
const BLOCK_S = START_S + 12 * 5_000;

let folder: TemporaryFolder;
let unit: TestUnit;

beforeEach(() => {
  folder = temporaryFolder();
  unit = new TestUnit(folder.path, undefined, undefined, START_S);
});
afterEach(() => {
  unit.spool.close();
  folder[Symbol.dispose]();
});

const latest = (clockS: number, chainId: bigint | 'none' = CHAIN_ID): number =>
  latestTimeS(unit.spool, BigInt(clockS) * SECOND_NS, chainId === 'none' ? undefined : chainId);

function anchorUnder(block: bigint): void {
  const chain = new TestChain();
  const link = encodeHeaderLink(chain.historyLink(block, [block - 1n]));
  const id = PRIMITIVES.sha256(link);
  unit.spool.storeHops([{ id, chainId: CHAIN_ID, number: block, link }], []);
}

test('is that of the clock, while nothing that was sealed or anchored is later', () => {
  expect(latest(START_S)).toBe(START_S);
  unit.addChunk();
  anchorUnder(BLOCK);
  expect(latest(BLOCK_S + 1)).toBe(BLOCK_S + 1);
});

test('is that of the newest chunk, where the clock was set back behind it', () => {
  unit.addChunk();
  expect(latest(START_S - 86_400)).toBeGreaterThanOrEqual(START_S + 10);
});

test('is that of the newest block which leads to an anchor, where that is later', () => {
  unit.addChunk();
  anchorUnder(BLOCK);
  expect(latest(START_S)).toBe(BLOCK_S);
  // Another chain says nothing to the owner’s registries.
  expect(latest(START_S, CHAIN_ID + 1n)).toBeLessThan(BLOCK_S);
  expect(latest(START_S, 'none')).toBeLessThan(BLOCK_S);
});
