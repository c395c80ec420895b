/**
 * An owner orders that chunks are made unreadable: opens what the unit sealed to the recovery key, takes the nodes of these
 * chunks out of it, seals the rest again, and signs. Implements spec/erasure.md.
 */

import { decodeEnrolment } from '../core/enrolment.ts';
import {
  decodeErasureOrder,
  type ErasureOrder,
  encodeErasureOrder,
  erasureDigest,
  erasureTypedData,
  type ReplacedRoots,
  rootsHashOf,
  streamsOutside,
  verifyErasureOrder,
} from '../core/erasure-order.ts';
import { sha256 } from '../core/hash.ts';
import { UNSIGNED } from '../core/owner-signature.ts';
import {
  JOURNAL_ORDINAL,
  type OpenedRoots,
  rootsInfo,
  type SealedRoots,
} from '../core/sealed-roots.ts';
import { encodeStreams } from '../core/stream-keys.ts';
import { typedDataJson } from '../core/typed-data.ts';
import { readVehicle } from './enrol/vehicle-file.ts';
import { keepErasureDraft, readErasureDraft } from './erase/erasure-draft.ts';
import { openOwnerFolder } from './identity/owner-folder.ts';
import type { OwnerKey, SealToPerson } from './ports.ts';

export type ErasureWish = Pick<ErasureOrder, 'spans' | 'held' | 'reason' | 'orderedAtS' | 'copies'>;

/**
 * @param opened everything that the unit sealed to this owner
 * @param sealedRows the same, as it is sealed
 * @throws UserError OWNER_FOLDER, OWNER_NOT_ENROLLED
 */
export function draftErasure(
  folder: string,
  opened: readonly OpenedRoots[],
  sealedRows: readonly SealedRoots[],
  wish: ErasureWish,
  seal: SealToPerson,
): ErasureOrder {
  const { recoveryPublicKey } = openOwnerFolder(folder);
  const { enrolment } = decodeEnrolment(readVehicle(folder).payload);
  const { chainId, contract, owner, tag, epoch } = enrolment;
  const logs = new Set(wish.spans.map(({ log }) => log));
  const roots = opened
    .filter(({ log }) => logs.has(log))
    .map((row): ReplacedRoots => {
      const { log, firstOrdinal } = row;
      const plain = encodeStreams(streamsOutside(row.streams, log, wish.spans));
      const info = rootsInfo({ tag, epoch, log, firstOrdinal });
      const sealed = seal(recoveryPublicKey, info, plain);
      plain.fill(0);
      return {
        log,
        firstOrdinal: firstOrdinal === JOURNAL_ORDINAL ? 'journal' : firstOrdinal,
        replaces: replacedHash(sealedRows, row),
        sealed,
      };
    });
  return { chainId, contract, owner, tag, epoch, ...wish, roots };
}

/** @throws UserError WALLET_* */
export async function signErasure(order: ErasureOrder, key: OwnerKey): Promise<Uint8Array> {
  const bytes = await key.signDigest(erasureDigest(order));
  return encodeErasureOrder({ order, signature: { kind: 'key', bytes } });
}

/** For a wallet elsewhere, which signs this very order. @returns the second parameter of eth_signTypedData_v4 */
export function keepDraft(folder: string, order: ErasureOrder): string {
  keepErasureDraft(folder, encodeErasureOrder({ order, signature: UNSIGNED }));
  return typedDataJson(erasureTypedData(order, rootsHashOf(order)));
}

/**
 * Takes that wallet's signature.
 * @throws UserError ERASURE_NO_DRAFT; VerificationError OWNER_SIGNATURE_INVALID; FormatError OWNER_SIGNATURE_FORM
 */
export function finishErasure(folder: string, bytes: Uint8Array): Uint8Array {
  const { order } = decodeErasureOrder(readErasureDraft(folder));
  const signature = { kind: 'key', bytes } as const;
  verifyErasureOrder({ order, signature });
  const signed = encodeErasureOrder({ order, signature });
  // Read again as the unit will: a signature of another form would be found there only.
  decodeErasureOrder(signed);
  return signed;
}

function replacedHash(
  sealedRows: readonly SealedRoots[],
  { log, firstOrdinal }: OpenedRoots,
): Uint8Array {
  const row = sealedRows.find((one) => one.log === log && one.firstOrdinal === firstOrdinal);
  if (row === undefined) throw new RangeError('expected what was opened among what was sealed');
  return sha256(row.sealed);
}
