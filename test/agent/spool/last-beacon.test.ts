import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

let folder: TemporaryFolder;
let unit: TestUnit;

beforeEach(() => {
  folder = temporaryFolder();
  unit = new TestUnit(folder.path);
});
afterEach(() => {
  unit.spool.close();
  folder[Symbol.dispose]();
});

const block = (number: bigint, chainId = 1n) => ({ chainId, number, hash: new Uint8Array(32) });

function named(number: bigint, chainId = 1n): void {
  unit.beacon = block(number, chainId);
  unit.addChunk();
  unit.beacon = undefined;
}

test('the last beacon is that of the newest header with one, over restarts', () => {
  expect(unit.spool.lastBeacon(1n)).toBeUndefined();
  named(7n);
  named(9n);
  expect(unit.spool.lastBeacon(1n)).toEqual(block(9n));
  // More than are read at once.
  for (let i = 0; i < 150; i++) unit.addChunk();
  expect(unit.spool.lastBeacon(1n)).toEqual(block(9n));
  unit.startSession();
  unit.addChunk();
  expect(unit.spool.lastBeacon(1n)).toEqual(block(9n));
});

test('one of another chain hides none', () => {
  named(9n);
  named(4000n, 2n);
  expect(unit.spool.lastBeacon(1n)).toEqual(block(9n));
  expect(unit.spool.lastBeacon(2n)).toEqual(block(4000n, 2n));
  expect(unit.spool.lastBeacon(3n)).toBeUndefined();
});
