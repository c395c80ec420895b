/**
 * ACCEPTED: the service's signed word that statements are durable and by when they will be anchored.
 * Implements spec/acceptance.md. One acceptance may cover a group commit.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { HASH_BYTES } from './merkle.ts';
import { RECORD } from './record-type.ts';
import { ADDRESS_BYTES } from './window.ts';

export const MAX_GROUP = 1 << 20;

export type Acceptance = {
  /** RFC 9162 root over the 32-byte statement ids of the commit. */
  readonly root: Uint8Array;
  readonly treeSize: number;
  /** Unix time by the service's clock. */
  readonly acceptedAtMs: number;
  readonly anchorByMs: number;
  /** Where: without it, a service could point to a chain of its own. */
  readonly chainId: bigint;
  /** AnchorLog, 20 bytes. */
  readonly contract: Uint8Array;
};

/** The payload that the service key signs. */
export function encodeAcceptance(acceptance: Acceptance): Uint8Array {
  return encodeCbor([
    RECORD.acceptance,
    FORMAT_VERSION,
    acceptance.root,
    acceptance.treeSize,
    acceptance.acceptedAtMs,
    acceptance.anchorByMs,
    acceptance.chainId,
    acceptance.contract,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, ACCEPTANCE_PROMISE */
export function decodeAcceptance(payload: Uint8Array): Acceptance {
  const acceptance = decodeRecord(
    payload,
    RECORD.acceptance,
    (fields) => ({
      root: fields.bytes('root', HASH_BYTES),
      treeSize: fields.uint('tree size', MAX_GROUP),
      acceptedAtMs: fields.uint('accepted at'),
      anchorByMs: fields.uint('anchor by'),
      chainId: fields.uint64('chain id'),
      contract: fields.bytes('contract', ADDRESS_BYTES),
    }),
    256,
  );
  if (acceptance.treeSize === 0 || acceptance.anchorByMs < acceptance.acceptedAtMs) {
    throw new FormatError(
      'ACCEPTANCE_PROMISE',
      'expected at least one statement and a promise after the acceptance',
    );
  }
  return acceptance;
}
