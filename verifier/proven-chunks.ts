/**
 * The opened chunks of a bundle, each proven to its header, whoever signed that: for what is read without a trust policy.
 */
import type { OpenedChunk } from '../core/bundle-items.ts';
import type { Hash } from '../core/hash.ts';
import { blocksByHeader, type Evidence } from './evidence.ts';
import { type Budget, type ProvenChunk, proveChunk } from './opened-chunk.ts';
import { proveRecovered } from './recovered-chunk.ts';
import { headerOf } from './trail.ts';

/** @throws FormatError, VerificationError as the check LEAVES would fail */
export function* provenChunks(
  evidence: Evidence,
  budget: Budget,
  hash: Hash,
): Generator<{ readonly chunk: OpenedChunk; readonly at: number; readonly proven: ProvenChunk }> {
  const { byHeader } = blocksByHeader(evidence);
  for (const chunk of evidence.chunks) {
    const { entry, at } = headerOf(evidence.headers, chunk);
    const blocks = byHeader.get(at);
    const proven =
      blocks === undefined
        ? proveChunk(chunk, entry.header, evidence.streams, budget, hash)
        : proveRecovered(chunk, entry.header, blocks, evidence.streams, hash);
    yield { chunk, at, proven };
  }
}
