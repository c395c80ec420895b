/**
 * The header link of a window: one hop from the finalized header to the beacons' blocks and to the block that
 * the windows before were proven under. Implements spec/evm-proofs.md, "Header link".
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { type HeaderLink, HISTORY_ADDRESS, verifyHeaderLink } from '../../core/evm/header-link.ts';
import { NodePool } from '../../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../../core/evm/quantity.ts';
import { proveAccount, proveStorage } from '../../core/evm/state-proof.ts';
import type { Block, Endpoints } from './endpoints.ts';
import { withProof } from './state-proof.ts';

/** How many blocks before it a header can show (EIP-2935). */
export const HISTORY_BLOCKS = 8191;

export type LinkedBlock = { readonly number: number; readonly hash: Uint8Array };

/**
 * Blocks out of the header's range are left out, and so are beacons that are not of this chain any more:
 * nothing can prove those, and the next older beacon bounds what they bounded.
 */
export async function buildHeaderLink(
  endpoints: Endpoints,
  chainId: bigint,
  block: Block,
  wanted: readonly LinkedBlock[],
): Promise<HeaderLink> {
  const numbers = reachable(block, wanted);
  const slots = numbers.map(historySlot);
  return await withProof(endpoints, block, HISTORY_ADDRESS, slots, (_pool, nodes) => {
    const shown = showing(nodes, block, numbers);
    const kept = numbers.filter((number) => isCanonical(number, shown.hashes, wanted));
    const linked = kept.length === 0 ? [block.number - 1] : kept;
    const link: HeaderLink = {
      chainId,
      hops: [{ kind: 'history', header: block.header, numbers: linked.map(BigInt) }],
      nodes: showing(nodes, block, linked).nodes,
    };
    verifyHeaderLink(link);
    return link;
  });
}

/** Descending, each once; the parent is always there, so that no link is empty. */
function reachable(block: Block, wanted: readonly LinkedBlock[]): number[] {
  const oldest = Math.max(1, block.number - HISTORY_BLOCKS);
  const numbers = new Set([block.number - 1]);
  for (const { number } of wanted) {
    if (number >= oldest && number < block.number) numbers.add(number);
  }
  return [...numbers].sort((a, b) => b - a);
}

/** What the history contract holds for these blocks, and the trie nodes that show it. */
function showing(
  nodes: readonly Uint8Array[],
  block: Block,
  numbers: readonly number[],
): { readonly hashes: ReadonlyMap<number, Uint8Array>; readonly nodes: readonly Uint8Array[] } {
  const pool = new NodePool(nodes);
  const account = proveAccount(decodeBlockHeader(block.header).stateRoot, HISTORY_ADDRESS, pool);
  const hashes = new Map<number, Uint8Array>();
  for (const number of account === undefined ? [] : numbers) {
    const storageRoot = account?.storageRoot ?? new Uint8Array(32);
    hashes.set(number, proveStorage(storageRoot, historySlot(number), pool));
  }
  return { hashes, nodes: pool.used() };
}

function isCanonical(
  number: number,
  hashes: ReadonlyMap<number, Uint8Array>,
  wanted: readonly LinkedBlock[],
): boolean {
  const hash = hashes.get(number);
  return wanted.some(
    (linked) => linked.number === number && hash !== undefined && equalBytes(linked.hash, hash),
  );
}

function historySlot(number: number): Uint8Array {
  return padTo32(quantityBytes(BigInt(number % HISTORY_BLOCKS)));
}
