/**
 * What time it is at least, for a unit that decides about a grant: a clock can be set back, what was sealed and what was
 * anchored stays. Implements spec/grant-request.md, "What a unit checks".
 */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { Archive } from '../ports.ts';

const SECOND_NS = 1_000_000_000n;
const ANY_BLOCK = (1n << 53n) - 1n;

/**
 * The latest of the unit's clock, the end of its newest chunk, and the time of the newest block that it has an anchor in.
 * @param chainId of the enrolment; none: the unit is not enrolled
 * @returns Unix seconds. @throws OperationalError STORAGE_*, SPOOL_*
 */
export function latestTimeS(
  archive: Pick<Archive, 'identity' | 'lastChunk' | 'links'>,
  clockNs: bigint,
  chainId: bigint | undefined,
): number {
  const newest = archive.lastChunk(archive.identity()?.log ?? 0);
  const sealedNs = newest === undefined ? clockNs : decodeChunkHeader(newest.header).wallEndNs;
  const anchorS = chainId === undefined ? 0n : newestAnchorS(archive, chainId);
  return [clockNs / SECOND_NS, sealedNs / SECOND_NS, anchorS].reduce(
    (latest, one) => Math.max(latest, Number(one)),
    0,
  );
}

function newestAnchorS(archive: Pick<Archive, 'links'>, chainId: bigint): bigint {
  const [link] = archive.links(chainId, 0n, ANY_BLOCK, 1);
  const newest = link === undefined ? undefined : decodeHeaderLink(link).hops[0];
  return newest === undefined ? 0n : decodeBlockHeader(newest.header).timestamp;
}
