/** Payloads as leaves have them, and worse: noise, few values, runs, and what came before with a byte changed. */
import fc from 'fast-check';
import { MAX_SHORT_BYTES } from '../../core/short-deflate.ts';

const noise = fc.uint8Array({ minLength: 1, maxLength: MAX_SHORT_BYTES });
const fewValues = fc
  .array(fc.constantFrom(0, 1, 143, 144, 255), { minLength: 1, maxLength: MAX_SHORT_BYTES })
  .map((values) => Uint8Array.from(values));
const copies = fc
  .tuple(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc.array(fc.tuple(fc.nat(MAX_SHORT_BYTES), fc.nat(300), fc.nat(255)), { maxLength: 20 }),
  )
  .map(([first, parts]) => {
    const bytes = [...first];
    for (const [from, length, byte] of parts) {
      // Byte by byte, so that a copy may go on into itself.
      for (let i = 0; i < length; i++) bytes.push(bytes[(from + i) % bytes.length] ?? 0);
      bytes.push(byte);
    }
    return Uint8Array.from(bytes.slice(0, MAX_SHORT_BYTES));
  });

export const shortPayloads = fc.oneof(noise, fewValues, copies);
