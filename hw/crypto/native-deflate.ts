/** Raw deflate: our own for short leaves, zlib with a small window for longer ones. */
import { deflateRawSync } from 'node:zlib';
import type { Deflate } from '../../core/sealed-leaf.ts';
import { deflateShort, MAX_SHORT_BYTES } from '../../core/short-deflate.ts';

/** Half of all leaves are shorter, and deflate would save a hundredth of a byte per frame on them. */
const MIN_BYTES = 32;
/** Longer leaves have room for one table of codes; more memory would only be cleared. */
const LONG = { level: 6, windowBits: 12, memLevel: 4 } as const;

export const nativeDeflate: Deflate = (payload) => {
  if (payload.length < MIN_BYTES) return undefined;
  if (payload.length <= MAX_SHORT_BYTES) return deflateShort(payload);
  const smaller = deflateRawSync(payload, LONG);
  return smaller.length < payload.length ? smaller : undefined;
};
