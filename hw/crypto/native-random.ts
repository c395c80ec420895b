/** Random bytes by OpenSSL, fetched many at a time: a call of its own costs as much as sealing a small leaf. */
import crypto from 'node:crypto';
import type { RandomBytes } from '../../agent/ports.ts';

const POOL_BYTES = 4096;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

export const nativeRandom: RandomBytes = (length) => {
  if (length > POOL_BYTES) return new Uint8Array(crypto.randomBytes(length));
  if (used + length > POOL_BYTES) {
    crypto.randomFillSync(pool);
    used = 0;
  }
  const bytes = pool.slice(used, used + length);
  // A nonce or a root that was given out is nobody else's: it does not stay behind.
  pool.fill(0, used, used + length);
  used += length;
  return bytes;
};
