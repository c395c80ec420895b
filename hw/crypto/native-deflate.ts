/** Raw deflate by zlib with a small window: leaves are short, and setting up a large one costs more than it saves. */
import { deflateRawSync } from 'node:zlib';
import type { Deflate } from '../../core/sealed-leaf.ts';

/** Half of all leaves are shorter, and deflate would save a hundredth of a byte per frame on them. */
const MIN_BYTES = 32;
/** Room for the symbols of a whole leaf, so that one table of codes serves it; more memory would only be cleared. */
const SMALL = { level: 6, windowBits: 9, memLevel: 2, chunkSize: 512 } as const;
const LARGE = { level: 6, windowBits: 12, memLevel: 4 } as const;

export const nativeDeflate: Deflate = (payload) => {
  if (payload.length < MIN_BYTES) return undefined;
  const smaller = deflateRawSync(payload, payload.length <= 512 ? SMALL : LARGE);
  return smaller.length < payload.length ? smaller : undefined;
};
