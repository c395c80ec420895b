/** SHA-2 by OpenSSL, for where noble would be the bottleneck; same results (tested against noble). */
import crypto from 'node:crypto';
import type { Hash } from '../../core/hash.ts';

/**
 * By way of a text, one character for each byte: for a digest that costs half of what Node takes to hand
 * out a buffer (`npm run bench` has the pipeline that shows it). The result is small and so on the heap.
 */
const text = Buffer.alloc(64) as Buffer & Latin1Writer;

/** Of Node's documented encodings the one whose own writer its types leave out. */
type Latin1Writer = { latin1Write(text: string, offset: number, length: number): number };

function digest(algorithm: 'sha256' | 'sha512', length: number, message: Uint8Array): Uint8Array {
  text.latin1Write(crypto.hash(algorithm, message, 'latin1'), 0, length);
  const out = new Uint8Array(length);
  out.set(length === text.length ? text : text.subarray(0, length));
  return out;
}

export const nativeSha256: Hash = (message) => digest('sha256', 32, message);
export const nativeSha512: Hash = (message) => digest('sha512', 64, message);
