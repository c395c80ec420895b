/**
 * The entries of the trees of chunks that hold custody records, made while the unit still can: later the chunk may be erased, or its keys
 * be the owner's alone. Implements spec/spool.md, "Custody leaves".
 */
import { concatBytes } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import type { SealedChunk } from './chunk/chunk-sealer.ts';
import { openSealed } from './disclose/open-chunk.ts';
import { keyedStream } from './disclose/open-shown.ts';
import type { Primitives, StoredStream } from './ports.ts';

/**
 * @param chunks of one log that follow each other and are not committed yet
 * @param stored streams of the log whose roots are durable; read only when one of the chunks has records
 */
export function withCustodyEntries(
  chunks: readonly SealedChunk[],
  stored: () => readonly StoredStream[],
  primitives: Primitives,
): readonly (SealedChunk & { readonly custodyEntries?: Uint8Array })[] {
  if (chunks.every(({ custody }) => custody === undefined)) return chunks;
  const durable = stored();
  const known = new Set(durable.map(({ name }) => name));
  const fresh = chunks.flatMap(({ freshStreams }) => freshStreams);
  const streams = [...durable, ...fresh.filter(({ name }) => !known.has(name))];
  return chunks.map((chunk) => {
    if (chunk.custody === undefined) return chunk;
    const keyed = streams.map((stream) => keyedStream(stream, primitives));
    const { leaves } = openSealed(decodeChunkHeader(chunk.header), chunk.body, keyed, primitives);
    return { ...chunk, custodyEntries: concatBytes(...leaves.map(({ entry }) => entry)) };
  });
}
