/**
 * One header link out of the links of several windows: newest block first, each hop known from those before.
 * Implements spec/evm-proofs.md, "Header link".
 */
import { equalBytes } from '../../core/bytes.ts';
import {
  type HeaderLink,
  type Hop,
  trimHeaderLink,
  verifyHeaderLink,
} from '../../core/evm/header-link.ts';
import { decodeHeaderLink, encodeHeaderLink } from '../../core/evm/header-link-record.ts';
import { sortNodes } from '../../core/evm/node-pool.ts';

/**
 * A link whose block no newer one shows is left out: its window stays unlinked, and the verifier says so.
 * @param encoded one link of one hop for each window
 * @returns one encoded link for each chain
 */
export function joinLinks(encoded: readonly Uint8Array[]): readonly Uint8Array[] {
  const byChain = new Map<bigint, HeaderLink[]>();
  for (const bytes of encoded) {
    const link = decodeHeaderLink(bytes);
    byChain.set(link.chainId, [...(byChain.get(link.chainId) ?? []), link]);
  }
  return [...byChain.values()].flatMap((links) => {
    const joined = joinChain(links);
    return joined === undefined ? [] : encodeHeaderLink(joined);
  });
}

/** Windows show overlapping spans of blocks; in the joined link every block is shown once. */
function joinChain(links: readonly HeaderLink[]): HeaderLink | undefined {
  const newestFirst = links
    .map((link) => ({ link, newest: verifyHeaderLink(link).newest }))
    .sort((a, b) => (a.newest.number > b.newest.number ? -1 : 1));
  let joined: HeaderLink | undefined;
  for (const { link, newest } of newestFirst) {
    if (joined === undefined) {
      joined = link;
      continue;
    }
    const { known, hopNumbers } = verifyHeaderLink(joined);
    const shown = known.get(newest.number);
    if (shown === undefined || !equalBytes(shown, newest.hash)) continue;
    if (hopNumbers.has(newest.number)) continue; // two windows under one final header
    const hops = link.hops.flatMap((hop) => withoutKnown(hop, known) ?? []);
    const nodes = sortNodes([...joined.nodes, ...link.nodes]);
    joined = trimHeaderLink({ chainId: link.chainId, hops: [...joined.hops, ...hops], nodes });
  }
  return joined;
}

/** Undefined when the hop shows nothing new. */
function withoutKnown(hop: Hop, known: ReadonlyMap<bigint, Uint8Array>): Hop | undefined {
  if (hop.kind !== 'history') return hop;
  const numbers = hop.numbers.filter((number) => !known.has(number));
  return numbers.length === 0 ? undefined : { ...hop, numbers };
}
