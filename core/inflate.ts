/** Opens a packed leaf within its declared length. Implements spec/leaf.md, "Storage form". */
import { FormatError } from './errors.ts';
import { Inflater } from './inflater.ts';
import type { PackedLeaf } from './leaf.ts';

/** Deflate writes at least two bits for each 258 bytes, so no more than this comes out of one byte. */
const MAX_RATIO = 1032;

/**
 * @returns the payload
 * @throws FormatError INFLATE_FAILED, INFLATE_LENGTH
 */
export function unpackLeaf(packed: PackedLeaf): Uint8Array {
  if (packed.inflatedLength === 0) return packed.body;
  if (packed.inflatedLength > packed.body.length * MAX_RATIO) {
    throw new FormatError(
      'INFLATE_LENGTH',
      `expected at most ${MAX_RATIO} times the compressed length, got ${packed.inflatedLength}`,
    );
  }
  return new Inflater(packed.body, packed.inflatedLength).run();
}
