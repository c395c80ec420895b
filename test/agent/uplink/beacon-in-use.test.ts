import { expect, test } from 'vitest';
import { BeaconInUse } from '../../../agent/uplink/beacon-in-use.ts';
import type { Beacon } from '../../../core/beacon.ts';
import { codeOf } from '../support/coded-error.ts';

const MAX_AGE_MS = 60_000;
const now = { wall: 1_000_000, monotonic: 5000 };
const clock = { wallMs: () => now.wall, monotonicMs: () => now.monotonic };

function beacon(number: bigint, publishedAtMs = now.wall): Beacon {
  return { block: { chainId: 1n, number, hash: new Uint8Array(32) }, publishedAtMs };
}

function pass(ms: number): void {
  now.wall += ms;
  now.monotonic += ms;
}

test('the newest beacon is in use, and the same one again changes nothing', () => {
  const inUse = new BeaconInUse(MAX_AGE_MS, clock, undefined);
  expect(inUse.current()).toBeUndefined();
  inUse.take(beacon(7n));
  inUse.take(beacon(7n));
  inUse.take(beacon(9n));
  expect(inUse.current()?.number).toBe(9n);
});

test('a beacon never goes back, not even behind one of the session before', () => {
  const inUse = new BeaconInUse(MAX_AGE_MS, clock, 100n);
  expect(codeOf(() => inUse.take(beacon(99n)))).toBe('BEACON_OLDER');
  expect(inUse.current()).toBeUndefined();
  inUse.take(beacon(101n));
  expect(codeOf(() => inUse.take(beacon(100n)))).toBe('BEACON_OLDER');
  expect(inUse.current()?.number).toBe(101n);
});

test('a beacon that is too old when it comes is not used, and the one before stays', () => {
  const inUse = new BeaconInUse(MAX_AGE_MS, clock, undefined);
  inUse.take(beacon(7n, now.wall - MAX_AGE_MS));
  expect(codeOf(() => inUse.take(beacon(8n, now.wall - MAX_AGE_MS - 1)))).toBe('BEACON_TOO_OLD');
  expect(inUse.current()?.number).toBe(7n);
});

test('a beacon that grows too old is put into no further header, whatever is done to the wall clock', () => {
  const inUse = new BeaconInUse(MAX_AGE_MS, clock, undefined);
  inUse.take(beacon(7n, now.wall - 20_000));
  pass(40_000);
  now.wall -= 3_600_000;
  expect(inUse.current()?.number).toBe(7n);
  pass(1);
  expect(inUse.current()).toBeUndefined();
  // Published again later: a broker hands out what it retained, which makes nothing younger.
  inUse.take(beacon(7n, now.wall));
  expect(inUse.current()).toBeUndefined();
});

test('a wall clock behind the service’s makes no beacon too old', () => {
  const inUse = new BeaconInUse(MAX_AGE_MS, clock, undefined);
  inUse.take(beacon(7n, now.wall + 3_600_000));
  expect(inUse.current()?.number).toBe(7n);
});
