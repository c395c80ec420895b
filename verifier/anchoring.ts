/**
 * From windows to the one block that a court checks: what each anchor proves, and what the links connect.
 * Implements spec/verification.md, "ANCHOR", "LINK" and "BLOCK".
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { VerificationError } from '../core/errors.ts';
import { verifyEvmAnchor } from '../core/evm/anchor-proof.ts';
import { type BlockHeader, decodeBlockHeader } from '../core/evm/block-header.ts';
import { type LinkedBlocks, verifyHeaderLink } from '../core/evm/header-link.ts';
import type { Hash } from '../core/hash.ts';
import type { EvmAnchor } from '../core/receipt.ts';
import type { Evidence, WindowEntry } from './evidence.ts';
import type { TrustedChain, TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';

export type AnchorReading = {
  /** None when the header does not parse. */
  readonly block: BlockHeader | undefined;
  readonly problem: Problem | undefined;
};

export type WindowReading = WindowEntry & {
  /** SHA-256 of the record. */
  readonly hash: Uint8Array;
  /** None when no entry of the policy has this chain and contract. */
  readonly trusted: TrustedChain | undefined;
  readonly publisherNamed: boolean;
  readonly evm: readonly AnchorReading[];
};

export type LinkReading = {
  readonly chainId: bigint;
  readonly blocks: LinkedBlocks | undefined;
  readonly problem: Problem | undefined;
  /** Unix seconds of every linked block whose header the bundle holds, ascending by number. */
  readonly times: readonly { readonly number: bigint; readonly seconds: bigint }[];
  /** Whether the policy names the newest block with this hash; `other` when it names another hash. */
  readonly newest: 'named' | 'other' | 'not_named';
};

export type Anchoring = {
  readonly windows: readonly WindowReading[];
  readonly links: readonly LinkReading[];
};

export function readAnchoring(evidence: Evidence, policy: TrustPolicy, hash: Hash): Anchoring {
  const windows = evidence.windows.map((entry) => readWindow(entry, policy, hash));
  const links = evidence.links.map((link): LinkReading => {
    const { chainId } = link;
    const result = attempt(() => verifyHeaderLink(link));
    if ('problem' in result) {
      const nothing = { blocks: undefined, times: [], newest: 'not_named' } as const;
      return { chainId, problem: result.problem, ...nothing };
    }
    const blocks = result.value;
    const anchors = windows
      .filter(({ record }) => record.chainId === chainId)
      .flatMap(({ evm }) => evm.map(({ block }) => block))
      .filter((block) => block !== undefined);
    const hops = link.hops.map((hop) => decodeBlockHeader(hop.header));
    return {
      chainId,
      blocks,
      problem: undefined,
      times: timesOf(blocks, [...hops, ...anchors]),
      newest: standing(policy, chainId, blocks.newest),
    };
  });
  return { windows, links };
}

function readWindow(entry: WindowEntry, policy: TrustPolicy, hash: Hash): WindowReading {
  const recordHash = hash(entry.bytes);
  const { chainId, contract, publisher } = entry.record;
  const trusted = policy.chains.find(
    (chain) => chain.chainId === chainId && equalBytes(chain.contract, contract),
  );
  return {
    ...entry,
    hash: recordHash,
    trusted,
    publisherNamed: trusted?.publishers.some((named) => equalBytes(named, publisher)) ?? false,
    evm: entry.anchors.map((anchor) => readAnchor(anchor, entry, recordHash, trusted)),
  };
}

function readAnchor(
  anchor: EvmAnchor,
  entry: WindowEntry,
  recordHash: Uint8Array,
  trusted: TrustedChain | undefined,
): AnchorReading {
  const result = attempt(() => verifyAnchor(anchor, entry, recordHash, trusted));
  if ('value' in result) return { block: result.value, problem: undefined };
  // The block is named even where the proof under it fails, so that the report can say which.
  const header = attempt(() => decodeBlockHeader(anchor.header));
  return { block: 'value' in header ? header.value : undefined, problem: result.problem };
}

/** @throws FormatError RLP_*, HEADER_*; VerificationError PROOF_*, ANCHOR_* */
function verifyAnchor(
  anchor: EvmAnchor,
  { record }: WindowEntry,
  recordHash: Uint8Array,
  trusted: TrustedChain | undefined,
): BlockHeader {
  const { block, codeHash } = verifyEvmAnchor(record, recordHash, anchor);
  if (trusted !== undefined && !equalBytes(codeHash, trusted.codeHash)) {
    throw new VerificationError(
      'ANCHOR_CODE_HASH',
      `expected contract code ${toHex(trusted.codeHash)}, got ${toHex(codeHash)}`,
    );
  }
  return block;
}

function timesOf({ known }: LinkedBlocks, headers: readonly BlockHeader[]): LinkReading['times'] {
  const times = new Map<bigint, bigint>();
  for (const header of headers) {
    const hash = known.get(header.number);
    if (hash === undefined || !equalBytes(hash, header.hash)) continue;
    times.set(header.number, header.timestamp);
  }
  return [...times]
    .map(([number, seconds]) => ({ number, seconds }))
    .sort((a, b) => (a.number < b.number ? -1 : 1));
}

function standing(
  policy: TrustPolicy,
  chainId: bigint,
  newest: BlockHeader,
): LinkReading['newest'] {
  const named = policy.chains
    .filter((chain) => chain.chainId === chainId)
    .flatMap(({ blocks }) => blocks)
    .filter(({ number }) => number === newest.number);
  if (named.length === 0) return 'not_named';
  return named.every(({ hash }) => equalBytes(hash, newest.hash)) ? 'named' : 'other';
}

/** The link of a chain; of two, which LINK refuses, the first. */
export function linkOf(
  { links }: Pick<Anchoring, 'links'>,
  chainId: bigint,
): LinkReading | undefined {
  return links.find((link) => link.chainId === chainId);
}

/** Whether a block is on the chain that the link's newest block ends. */
export function linkedAs(
  link: LinkReading | undefined,
  block: { readonly number: bigint; readonly hash: Uint8Array },
): 'linked' | 'other' | 'not_linked' {
  const hash = link?.blocks?.known.get(block.number);
  if (hash === undefined) return 'not_linked';
  return equalBytes(hash, block.hash) ? 'linked' : 'other';
}
