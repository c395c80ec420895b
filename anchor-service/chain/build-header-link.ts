/**
 * Header links from one finalized header: one hop to older blocks, proven by the history contract in its state.
 * Implements spec/evm-proofs.md, "Header link".
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import {
  type HeaderLink,
  HISTORY_BLOCKS as HISTORY,
  HISTORY_ADDRESS,
} from '../../core/evm/header-link.ts';
import { LinkGraph } from '../../core/evm/join-header-links.ts';
import { NodePool } from '../../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../../core/evm/quantity.ts';
import { proveAccount, proveStorage } from '../../core/evm/state-proof.ts';
import type { ChainBlock } from '../ports.ts';
import type { Block, Endpoints } from './endpoints.ts';
import { withProof } from './state-proof.ts';

/** How many blocks before it a header can show (EIP-2935). */
export const HISTORY_BLOCKS = Number(HISTORY);

export type BuiltLink = {
  readonly link: HeaderLink;
  /** Of what was wanted, what it shows. */
  readonly shows: readonly ChainBlock[];
  /** Of what was wanted and in reach, what is no block of this chain any more: nothing can prove those. */
  readonly replaced: readonly ChainBlock[];
};

/**
 * By one `eth_getProof`. Blocks out of the header's range are left out.
 * @param wanted some with their RLP header, which the link then carries for the sake of its time
 */
export async function buildHeaderLink(
  endpoints: Endpoints,
  chainId: bigint,
  block: Block,
  wanted: readonly (ChainBlock & { readonly header?: Uint8Array | undefined })[],
): Promise<BuiltLink> {
  const inReach = wanted.filter(({ number }) => isInReach(block, number));
  // The parent is always there, so that no link is empty.
  const numbers = descending([block.number - 1, ...inReach.map(({ number }) => number)]);
  const slots = numbers.map(historySlot);
  return await withProof(endpoints, block, HISTORY_ADDRESS, slots, (_pool, nodes) => {
    const { hashes } = readHistory(nodes, block, numbers);
    const isShown = ({ number, hash }: ChainBlock) => {
      const shown = hashes.get(number);
      return shown !== undefined && equalBytes(shown, hash);
    };
    const shows = inReach.filter(isShown);
    const kept = descending(shows.map(({ number }) => number));
    const linked = kept.length === 0 ? [block.number - 1] : kept;
    const history: HeaderLink = {
      chainId,
      hops: [{ kind: 'history', header: block.header, numbers: linked.map(BigInt) }],
      nodes: readHistory(nodes, block, linked).nodes,
    };
    return {
      link: withTimes(history, block, shows),
      shows,
      replaced: inReach.filter((each) => !isShown(each)),
    };
  });
}

function isInReach(block: Block, number: number): boolean {
  return number >= Math.max(1, block.number - HISTORY_BLOCKS) && number < block.number;
}

function descending(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => b - a);
}

/** What is built is read as its readers will read it: the graph verifies it. */
function withTimes(
  history: HeaderLink,
  block: Block,
  shows: readonly (ChainBlock & { readonly header?: Uint8Array | undefined })[],
): HeaderLink {
  const { chainId } = history;
  const parents = shows.flatMap(({ header }): HeaderLink[] =>
    header === undefined ? [] : [{ chainId, hops: [{ kind: 'parent', header }], nodes: [] }],
  );
  const graph = new LinkGraph(chainId, [history, ...parents]);
  if (parents.length === 0) return history;
  const top = { number: BigInt(block.number), hash: block.hash };
  const wanted = shows.map(({ number, hash }) => ({ number: BigInt(number), hash }));
  return graph.join(graph.reach(top, 0n), wanted) ?? history;
}

/** What the history contract holds for these blocks, and the trie nodes that show it. */
function readHistory(
  nodes: readonly Uint8Array[],
  block: Block,
  numbers: readonly number[],
): { readonly hashes: ReadonlyMap<number, Uint8Array>; readonly nodes: readonly Uint8Array[] } {
  const pool = new NodePool(nodes);
  const account = proveAccount(decodeBlockHeader(block.header).stateRoot, HISTORY_ADDRESS, pool);
  const hashes = new Map<number, Uint8Array>();
  if (account !== undefined) {
    for (const number of numbers) {
      hashes.set(number, proveStorage(account.storageRoot, historySlot(number), pool));
    }
  }
  return { hashes, nodes: pool.used() };
}

function historySlot(number: number): Uint8Array {
  return padTo32(quantityBytes(BigInt(number % HISTORY_BLOCKS)));
}
