/**
 * Proofs that a promise was broken, as `witnessmark monitor` writes them, for an export that carries them beside the
 * evidence. Implements spec/broken-promise.md, "In evidence". The vehicle cannot make one: it has no chain to look at.
 */
import { type BrokenPromise, decodeBrokenPromise } from '../../core/broken-promise.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { FormatError, UserError, VerificationError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { type HeaderLink, verifyHeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { LinkedBlock } from '../../core/evm/join-header-links.ts';
import { decodeAnchoredWindow } from '../../core/receipt.ts';
import { decodeWindowRecord } from '../../core/window.ts';
import type { StoredStatement } from '../ports.ts';

export type LateProof = {
  /** Encoded broken promise. */
  readonly item: Uint8Array;
  readonly promise: BrokenPromise;
  readonly chainId: bigint;
  /** Without the anchor, and with it: what a link must lead to. */
  readonly blocks: readonly LinkedBlock[];
  readonly links: readonly HeaderLink[];
};

/**
 * Each once. What the links and the promise prove is for the verifier; here they only have to be what they are called.
 * @throws UserError EXPORT_PROOF
 */
export function lateProofs(
  bundles: readonly Uint8Array[],
  statements: readonly StoredStatement[],
): readonly LateProof[] {
  const proofs = new Map<string, LateProof>();
  for (const bundle of bundles) {
    for (const proof of readProofs(bundle)) {
      if (!statements.some(({ bytes }) => equalBytes(bytes, proof.promise.statement))) {
        throw noProof('a proof is of a statement that is not in this range');
      }
      proofs.set(toHex(proof.promise.acceptance) + toHex(proof.promise.statement), proof);
    }
  }
  return [...proofs.values()];
}

/** The section of broken promises: in place of a bare promise stands its proof. */
export function promisesWith(
  proofs: readonly LateProof[],
  bare: readonly Uint8Array[],
): readonly Uint8Array[] {
  const isProven = (item: Uint8Array): boolean => {
    const { statement, acceptance } = decodeBrokenPromise(item);
    return proofs.some(
      ({ promise }) =>
        equalBytes(promise.statement, statement) && equalBytes(promise.acceptance, acceptance),
    );
  };
  return [...proofs.map(({ item }) => item), ...bare.filter((item) => !isProven(item))];
}

function readProofs(bundle: Uint8Array): readonly LateProof[] {
  try {
    const { links, brokenPromises } = decodeBundle(bundle).sections;
    const decoded = links.map(decodeHeaderLink);
    for (const link of decoded) verifyHeaderLink(link);
    return brokenPromises.map((item) => readProof(item, decoded));
  } catch (cause) {
    if (!(cause instanceof FormatError) && !(cause instanceof VerificationError)) throw cause;
    throw noProof(
      `a proof is no bundle of broken promises: ${cause.message} (${cause.code})`,
      cause,
    );
  }
}

function readProof(item: Uint8Array, links: readonly HeaderLink[]): LateProof {
  const promise = decodeBrokenPromise(item);
  if (promise.late === undefined) {
    throw noProof('expected a proof as witnessmark monitor writes it, got the promise alone');
  }
  const { record, anchors } = decodeAnchoredWindow(promise.late.window);
  const headers = [promise.late.emptyHeader, ...anchors.map(({ header }) => header)];
  return {
    item,
    promise,
    chainId: decodeWindowRecord(record).chainId,
    blocks: headers.map(decodeBlockHeader),
    links,
  };
}

function noProof(sentence: string, cause?: unknown): UserError {
  return new UserError('EXPORT_PROOF', sentence, { cause });
}
