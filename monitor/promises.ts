/**
 * Watches promises: a statement that is accepted and not anchored in time is found, and where the chain shows it,
 * proven. Implements spec/monitor.md, "Promises".
 */
import { type Acceptance, decodeAcceptance } from '../core/acceptance.ts';
import {
  type BrokenPromise,
  decodeBrokenPromise,
  encodeBrokenPromise,
  verifyBrokenPromise,
} from '../core/broken-promise.ts';
import { decodeBundle, encodeBundle } from '../core/bundle.ts';
import { equalBytes, toHex } from '../core/bytes.ts';
import { decodeSigned, unverifiedPayload } from '../core/cose.ts';
import { FormatError, OperationalError, VerificationError } from '../core/errors.ts';
import { HISTORY_ADDRESS, trimHeaderLink, verifyHeaderLink } from '../core/evm/header-link.ts';
import { decodeHeaderLink, encodeHeaderLink } from '../core/evm/header-link-record.ts';
import { NodePool, sortNodes } from '../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../core/evm/quantity.ts';
import { anchorSlot, proveAccount, proveStorage } from '../core/evm/state-proof.ts';
import { encodeInclusion } from '../core/receipt.ts';
import { type PublicKey, verifyDigest } from '../core/signature.ts';
import { decodeStatement } from '../core/statement.ts';
import { windowEntry, windowLabel, windowTree } from '../core/window.ts';
import type { WatchedLog } from './check-window.ts';
import type { Report } from './findings.ts';
import type { ChainBlock, Rpc } from './rpc.ts';
import type { SeenStore, SeenWindow } from './seen-store.ts';

/** EIP-2935: how far back a header shows block hashes. */
const HISTORY_BLOCKS = 8191n;

export type WatchedPromise = {
  readonly promise: BrokenPromise;
  readonly statementId: Uint8Array;
  readonly acceptance: Acceptance;
  readonly entry: Uint8Array;
  /** Newest blocks of the bundle's own links: a proof that leads to them can stand in a bundle with its evidence. */
  readonly tops: readonly bigint[];
};

/** Parts of the window in which a statement turned up. */
export type LateWindow = { readonly anchored: Uint8Array; readonly entries: readonly Uint8Array[] };

export type PromiseTools = {
  readonly log: WatchedLog;
  readonly serviceKey: PublicKey;
  readonly rpc: Rpc;
  readonly store: SeenStore;
  readonly report: Report;
  readonly publishWithinS: number;
  readonly fetchWindow: (window: SeenWindow) => Promise<LateWindow | undefined>;
  /** A bundle that proves the broken promise, by the statement's id in hexadecimal. */
  readonly keepProof: (statementId: string, bundle: Uint8Array) => void;
};

/**
 * @param bundle whose section of broken promises holds promises, as `witnessmark export` writes it with --promises or with evidence
 * @throws FormatError; VerificationError: it is no promise of this service
 */
export function readPromises(
  bundle: Uint8Array,
  serviceKey: PublicKey,
  log: WatchedLog,
): readonly WatchedPromise[] {
  const { brokenPromises, links } = decodeBundle(bundle).sections;
  const tops = links
    .map(decodeHeaderLink)
    .filter(({ chainId }) => chainId === log.chainId)
    .map((link) => verifyHeaderLink(link).newest.number);
  // Evidence may hold those of several services, each of which is watched by its own monitor.
  const ofService = brokenPromises
    .map(decodeBrokenPromise)
    .filter(({ acceptance }) => isSignedBy(serviceKey, acceptance));
  if (ofService.length === 0) {
    throw new VerificationError('PROMISE_MISMATCH', 'none of its promises is of this service key');
  }
  return ofService.map((item) => {
    const promise = { ...item, late: undefined };
    const { statementId } = verifyBrokenPromise(promise, serviceKey, verifyDigest);
    const acceptance = decodeAcceptance(unverifiedPayload(promise.acceptance));
    if (acceptance.chainId !== log.chainId || !equalBytes(acceptance.contract, log.contract)) {
      throw new VerificationError(
        'PROMISE_MISMATCH',
        'the promise names another chain or contract',
      );
    }
    const label = windowLabel(decodeStatement(unverifiedPayload(promise.statement)));
    const entry = windowEntry(label, promise.statement);
    return { promise, statementId, acceptance, entry, tops };
  });
}

/** By its protected header; the signature is looked at afterwards. */
function isSignedBy(serviceKey: PublicKey, acceptance: Uint8Array): boolean {
  try {
    decodeSigned('acceptance', serviceKey, acceptance);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** @throws OperationalError CHAIN_*, SITE_* */
export async function watchPromise(
  watched: WatchedPromise,
  finalized: ChainBlock,
  tools: PromiseTools,
): Promise<void> {
  const { acceptance, entry, statementId } = watched;
  const { store, publishWithinS } = tools;
  const byS = acceptance.anchorByMs / 1000;
  const nowS = Number(finalized.timestamp);
  if (nowS <= byS) return;
  const found = store.entryOf(entry.subarray(0, 32));
  const window = found && store.window(found.seq);
  const by = new Date(acceptance.anchorByMs).toISOString();
  const name = toHex(statementId);
  const broken = (detail: string): void => {
    tools.report({ code: 'PROMISE_BROKEN', subject: `statement ${name}`, detail });
  };
  if (found === undefined || window === undefined) {
    // A window from before the promised time may be published still; once that is overdue it is hidden.
    const waiting = store.nextUnchecked(-1);
    if (waiting !== undefined && nowS - waiting.blockSeconds <= publishWithinS) return;
    broken(`statement ${name} was to be anchored by ${by} and is in no published window`);
    return;
  }
  if (!equalBytes(found.hash, entry.subarray(32))) {
    broken(`in the place of statement ${name}, window ${found.seq} has another one`);
    return;
  }
  if (window.blockSeconds <= byS) return;
  const at = new Date(window.blockSeconds * 1000).toISOString();
  const proof = await proveLate(watched, window, finalized, tools);
  if (typeof proof !== 'string') tools.keepProof(name, proof);
  const how = typeof proof === 'string' ? `no proof that stands alone: ${proof}` : 'proven';
  broken(
    `statement ${name} was to be anchored by ${by} and was at ${at}, in window ${found.seq} (${how})`,
  );
}

/** @returns the bundle, or why there is none */
async function proveLate(
  { promise, statementId, entry, acceptance, tops }: WatchedPromise,
  window: SeenWindow,
  finalized: ChainBlock,
  { log, serviceKey, rpc, fetchWindow }: PromiseTools,
): Promise<Uint8Array | string> {
  const parts = await fetchWindow(window);
  if (parts === undefined) return 'the window is not served';
  // The last block without the anchor: the later it is, the more lateness it shows.
  const empty = await rpc.block(BigInt(window.blockNumber) - 1n);
  if (empty.timestamp * 1000n <= BigInt(acceptance.anchorByMs)) {
    return 'no block lies between the promised time and the anchor';
  }
  const leafIndex = parts.entries.findIndex((other) => equalBytes(other, entry));
  const tree = windowTree(parts.entries);
  const level = { treeSize: tree.size, leafIndex, path: tree.inclusionProof(leafIndex) };
  try {
    const slot = anchorSlot(log.publisher, BigInt(window.seq));
    const nodes = await rpc.proof(log.contract, [slot], empty.number);
    const pool = new NodePool(nodes);
    const account = proveAccount(empty.stateRoot, log.contract, pool);
    if (account === undefined) return 'the contract was not there yet';
    proveStorage(account.storageRoot, slot, pool);
    const proof: BrokenPromise = {
      ...promise,
      late: {
        inclusion: encodeInclusion({
          statementId,
          windowRecordHash: window.hash,
          levels: [level],
        }),
        window: parts.anchored,
        emptyHeader: empty.header,
        emptyNodes: pool.used(),
      },
    };
    const { late } = verifyBrokenPromise(proof, serviceKey, verifyDigest);
    if (late === undefined) return 'it has no late anchor';
    const blocks = [late.anchorBlock.number, late.emptyBlock.number];
    const also = tops.filter((top) => isShownBy(finalized, top));
    const link = await linkTo(finalized, [...blocks, ...also], log.chainId, rpc);
    if (link === undefined) return 'the blocks are too far back to be linked in one hop';
    return encodeBundle({ links: [link], brokenPromises: [encodeBrokenPromise(proof)] });
  } catch (error) {
    const isNoProof =
      error instanceof FormatError ||
      error instanceof VerificationError ||
      (error instanceof OperationalError && error.code === 'CHAIN_MALFORMED');
    if (!isNoProof) throw error;
    return error.message;
  }
}

/** Of a block above it, or further back than a header shows, nothing can be said under it. */
function isShownBy(newest: ChainBlock, number: bigint): boolean {
  return number <= newest.number && newest.number - number <= HISTORY_BLOCKS;
}

/** One hop from the newest final block to the others. */
async function linkTo(
  newest: ChainBlock,
  numbers: readonly bigint[],
  chainId: bigint,
  rpc: Rpc,
): Promise<Uint8Array | undefined> {
  const shown = [...new Set(numbers.filter((number) => number !== newest.number))].sort((a, b) =>
    a > b ? -1 : 1,
  );
  if (!shown.every((number) => isShownBy(newest, number))) return undefined;
  const slots = shown.map((number) => padTo32(quantityBytes(number % HISTORY_BLOCKS)));
  const nodes = sortNodes(await rpc.proof(HISTORY_ADDRESS, slots, newest.number));
  const hops = [{ kind: 'history', header: newest.header, numbers: shown }] as const;
  return encodeHeaderLink(trimHeaderLink({ chainId, hops, nodes }));
}
