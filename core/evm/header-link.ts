/**
 * From one block that a court checks back to older block hashes: the header link.
 * Implements spec/evm-proofs.md, "Header link" (EIP-2935: block hashes in state).
 */
import { equalBytes, fromHex, toHex } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import { type BlockHeader, decodeBlockHeader } from './block-header.ts';
import { NodePool } from './node-pool.ts';
import { padTo32, quantityBytes } from './quantity.ts';
import { proveAccount, proveStorage } from './state-proof.ts';

/**
 * `header`: RLP. A history hop shows the hashes of `numbers` in the state of its header, a parent hop the
 * hash of the block before from the header itself, for chains or spans without EIP-2935.
 */
export type Hop =
  | { readonly kind: 'history'; readonly header: Uint8Array; readonly numbers: readonly bigint[] }
  | { readonly kind: 'parent'; readonly header: Uint8Array };

export type HeaderLink = {
  /** Not in any header, so not proven here: it says which list of trusted block hashes applies. */
  readonly chainId: bigint;
  readonly hops: readonly Hop[];
  /** Trie nodes of all hops, in the canonical order of a NodePool. */
  readonly nodes: readonly Uint8Array[];
};

export type LinkedBlocks = {
  readonly chainId: bigint;
  /** The one block whose hash must be trusted for anything below to hold. */
  readonly newest: BlockHeader;
  /** Number to hash: the newest block and every block that a hop shows. */
  readonly known: ReadonlyMap<bigint, Uint8Array>;
  /** In the order of the link, which is by descending number. */
  readonly hops: readonly ProvenHop[];
};

export type ProvenHop = {
  readonly hop: Hop;
  readonly block: BlockHeader;
  /** Number to hash, descending. */
  readonly shows: ReadonlyMap<bigint, Uint8Array>;
};

/** The same on every chain: nobody holds the key of the transaction that created it. */
export const HISTORY_ADDRESS = fromHex('0000f90827f1c53a10cb7a02335b175320002935');
/**
 * Keccak-256 of the code in EIP-2935. Some chains keep another ring at this address, with other code
 * (Arbitrum: 393,168 blocks); read modulo 8,191 it would yield hashes of other blocks than asked for.
 */
export const HISTORY_CODE_HASH = fromHex(
  '6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d',
);
/** How many blocks before it a header can show (EIP-2935). */
export const HISTORY_BLOCKS = 8191n;

/** Half a year of history hops at one block in two seconds. */
export const MAX_HOPS = 1024;

/**
 * Proves each hop from those before it. What it returns holds on the chain of `newest.hash` and on no
 * other; whether that block is to be believed is for the caller.
 * @throws FormatError RLP_*, HEADER_*
 * @throws VerificationError PROOF_*, HEADER_LINK_*
 */
export function verifyHeaderLink(link: HeaderLink): LinkedBlocks {
  const pool = new NodePool(link.nodes);
  const linked = followHops(link, pool);
  pool.requireAllUsed();
  return linked;
}

/**
 * The link with those of its nodes that its hops need: for whoever leaves out numbers or joins hops.
 * @throws as `verifyHeaderLink`, but for PROOF_NODE_UNUSED
 */
export function trimHeaderLink(link: HeaderLink): HeaderLink {
  const pool = new NodePool(link.nodes);
  followHops(link, pool);
  return { ...link, nodes: pool.used() };
}

function followHops(link: HeaderLink, pool: NodePool): LinkedBlocks {
  const [first] = link.hops;
  if (first === undefined) {
    throw new VerificationError('HEADER_LINK_EMPTY', 'expected at least one hop, got none');
  }
  if (link.hops.length > MAX_HOPS) {
    throw new VerificationError(
      'HEADER_LINK_TOO_LONG',
      `expected at most ${MAX_HOPS} hops, got ${link.hops.length}`,
    );
  }
  const newest = decodeBlockHeader(first.header);
  const known = new Map([[newest.number, newest.hash]]);
  const hops: ProvenHop[] = [];
  let above: bigint | undefined;
  for (const hop of link.hops) {
    const header = decodeBlockHeader(hop.header);
    requireKnown(known, header);
    // A hop can only rest on a later block, so newest first is always possible, and then the only order.
    requireBelow('hop', above, header.number);
    above = header.number;
    const shows = shownBy(hop, header, pool);
    hops.push({ hop, block: header, shows: new Map(shows) });
    for (const [number, hash] of shows) {
      if (known.has(number)) {
        throw new VerificationError(
          'HEADER_LINK_REPEATED',
          `expected the hash of block ${number} once, got it again`,
        );
      }
      known.set(number, hash);
    }
  }
  return { chainId: link.chainId, newest, known, hops };
}

function shownBy(hop: Hop, header: BlockHeader, pool: NodePool): [bigint, Uint8Array][] {
  if (hop.kind === 'history') return historyHashes(hop.numbers, header, pool);
  requireInRange(header.number - 1n, header.number);
  return [[header.number - 1n, header.parentHash]];
}

function historyHashes(
  numbers: readonly bigint[],
  header: BlockHeader,
  pool: NodePool,
): [bigint, Uint8Array][] {
  if (numbers.length === 0) {
    throw new VerificationError(
      'HEADER_LINK_NUMBERS_EMPTY',
      'expected a history hop to show at least one block, got none',
    );
  }
  const storageRoot = historyStorageRoot(header, pool);
  let above: bigint | undefined;
  return numbers.map((number) => {
    requireBelow('block number', above, number);
    above = number;
    requireInRange(number, header.number);
    return [number, historyHash(storageRoot, number, pool)];
  });
}

function historyStorageRoot(header: BlockHeader, pool: NodePool): Uint8Array {
  const account = proveAccount(header.stateRoot, HISTORY_ADDRESS, pool);
  if (account === undefined) {
    throw new VerificationError(
      'HEADER_LINK_HISTORY_ABSENT',
      `expected the history contract in the state of block ${header.number}, got no account`,
    );
  }
  if (!equalBytes(account.codeHash, HISTORY_CODE_HASH)) {
    throw new VerificationError(
      'HEADER_LINK_HISTORY_CODE',
      `expected history code ${toHex(HISTORY_CODE_HASH)}, got ${toHex(account.codeHash)}`,
    );
  }
  return account.storageRoot;
}

/**
 * The ring has one slot for the numbers n, n + 8191, n + 16382 ... Block m writes hash(m - 1) before its
 * transactions, so the state after block N holds exactly the hashes of N - 8191 to N - 1: hash(n) is
 * written by block n + 1 and overwritten by block n + 8192, and n + 1 <= N < n + 8192 is the range that
 * `requireInRange` demands. These 8,191 consecutive numbers have 8,191 different slots. What was in a
 * slot before the fork's first lap is zero, and zero is refused.
 */
function historyHash(storageRoot: Uint8Array, number: bigint, pool: NodePool): Uint8Array {
  const hash = proveStorage(storageRoot, padTo32(quantityBytes(number % HISTORY_BLOCKS)), pool);
  if (hash.every((byte) => byte === 0)) {
    throw new VerificationError(
      'HEADER_LINK_HASH_ABSENT',
      `expected the hash of block ${number} in the history contract, got zero`,
    );
  }
  return hash;
}

function requireKnown(known: ReadonlyMap<bigint, Uint8Array>, header: BlockHeader): void {
  const hash = known.get(header.number);
  if (hash === undefined) {
    throw new VerificationError(
      'HEADER_LINK_UNKNOWN',
      `expected a hop before this one to show block ${header.number}, got none`,
    );
  }
  if (!equalBytes(hash, header.hash)) {
    throw new VerificationError(
      'HEADER_LINK_MISMATCH',
      `expected block ${header.number} with hash ${toHex(hash)}, got ${toHex(header.hash)}`,
    );
  }
}

function requireBelow(what: string, above: bigint | undefined, number: bigint): void {
  if (above !== undefined && number >= above) {
    throw new VerificationError(
      'HEADER_LINK_ORDER',
      `expected a ${what} below ${above}, got ${number}`,
    );
  }
}

function requireInRange(number: bigint, newer: bigint): void {
  const oldest = newer > HISTORY_BLOCKS ? newer - HISTORY_BLOCKS : 0n;
  if (number < oldest || number >= newer) {
    throw new VerificationError(
      'HEADER_LINK_RANGE',
      `expected a number from ${oldest} up to, not including, ${newer}, got ${number}`,
    );
  }
}
