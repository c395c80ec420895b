/**
 * Presence leaf: in a recovered chunk, which journal blocks hold a leaf of a stream.
 * Implements spec/journal-block.md, "Presence leaf". It has a type of its own, so that it can pass for no other leaf.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';

/** Canonical leaf bytes, hashed with the salt like any leaf's. */
export function encodePresenceLeaf(
  stream: string,
  seq: number,
  presentIn: readonly boolean[],
): Uint8Array {
  const count = presentIn.filter(Boolean).length;
  return encodeCbor([RECORD.presence, FORMAT_VERSION, stream, seq, count, presenceMap(presentIn)]);
}

/** One bit a block, from the highest bit of the first byte on; no bytes at all when the stream was silent. */
export function presenceMap(presentIn: readonly boolean[]): Uint8Array {
  if (!presentIn.includes(true)) return new Uint8Array(0);
  const map = new Uint8Array(Math.ceil(presentIn.length / 8));
  presentIn.forEach((isPresent, i) => {
    if (isPresent) map[i >> 3] = (map[i >> 3] ?? 0) | (0x80 >> (i & 7));
  });
  return map;
}

/**
 * @returns for each block, whether it holds a leaf of the stream
 * @throws FormatError PRESENCE_MAP
 */
export function decodePresenceMap(map: Uint8Array, blockCount: number): readonly boolean[] {
  const presentIn = Array.from(
    { length: blockCount },
    (_, i) => ((map[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0,
  );
  const again = presenceMap(presentIn);
  if (again.length !== map.length || again.some((byte, i) => byte !== map[i])) {
    throw new FormatError('PRESENCE_MAP', `expected one bit for each of ${blockCount} blocks`);
  }
  return presentIn;
}
