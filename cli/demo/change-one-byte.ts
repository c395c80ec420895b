/** Changes one byte of a bundle inside the recorded frames of one stream, and says which. */

import { decodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk } from '../../core/bundle-items.ts';

export type ChangedByte = {
  readonly bundle: Uint8Array;
  readonly offset: number;
  readonly chunk: number;
  readonly stream: string;
};

/** In the middle chunk, the largest leaf of a raw stream. Undefined when the bundle opens no frames. */
export function changeOneByte(bundle: Uint8Array): ChangedByte | undefined {
  const { leaves, streams } = decodeBundle(bundle).sections;
  const item = leaves[Math.floor(leaves.length / 2)];
  if (item === undefined) return undefined;
  const names = streams.map((name) => new TextDecoder().decode(name));
  const chunk = decodeOpenedChunk(item);
  const [leaf] = chunk.leaves
    .filter(({ stream }) => names[stream]?.startsWith('raw/') === true)
    .sort((a, b) => b.packed.length - a.packed.length);
  if (leaf === undefined || leaf.packed.length === 0) return undefined;
  // Items are views into the bundle, so a place in an item is a place in the file.
  const inItem = Buffer.from(item).indexOf(leaf.packed) + (leaf.packed.length >> 1);
  const offset = item.byteOffset - bundle.byteOffset + inItem;
  const changed = Uint8Array.from(bundle);
  changed[offset] = (changed[offset] ?? 0) ^ 0x01;
  return { bundle: changed, offset, chunk: chunk.seq, stream: names[leaf.stream] ?? '' };
}
