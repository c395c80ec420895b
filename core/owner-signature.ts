/**
 * An owner's signature over an EIP-712 digest: by a key, or by a wallet that is a contract.
 * Implements spec/grant.md, "Owner's signature".
 */
import * as secp256k1 from '@noble/secp256k1';
import { equalBytes } from './bytes.ts';
import type { CborValue } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import { keccak256 } from './evm/keccak.ts';
import type { Fields } from './fields.ts';
import { lowS } from './signature.ts';

const KIND_KEY = 0;
const KIND_CONTRACT = 1;
const KEY_SIGNATURE_BYTES = 65;
const MAX_CONTRACT_SIGNATURE_BYTES = 4096;

export type OwnerSignature = {
  /** `key`: 65 bytes, r then s then v. `contract`: whatever its isValidSignature takes (ERC-1271). */
  readonly kind: 'key' | 'contract';
  readonly bytes: Uint8Array;
};

/** Stands where the owner's signature will: no key gives it, and nobody takes it for one. */
export const UNSIGNED: OwnerSignature = { kind: 'contract', bytes: new Uint8Array(0) };

/** A contract's answer is state of a chain: no file can prove it, so the caller must say so. */
export type OwnerVerdict = 'verified' | 'contract_wallet';

export function ownerSignatureFields(signature: OwnerSignature): readonly CborValue[] {
  return [signature.kind === 'key' ? KIND_KEY : KIND_CONTRACT, signature.bytes];
}

/** @throws FormatError FIELD_*, OWNER_SIGNATURE_FORM */
export function readOwnerSignature(fields: Fields): OwnerSignature {
  const kind = fields.uint('signature kind', KIND_CONTRACT);
  if (kind === KIND_CONTRACT) {
    const bytes = fields.bytesUpTo('contract signature', MAX_CONTRACT_SIGNATURE_BYTES);
    return { kind: 'contract', bytes };
  }
  const bytes = fields.bytes('owner signature', KEY_SIGNATURE_BYTES);
  const v = bytes[64];
  const compact = bytes.subarray(0, 64);
  if ((v !== 27 && v !== 28) || lowS('ES256K', compact) !== compact) {
    throw new FormatError('OWNER_SIGNATURE_FORM', 'expected a low S and a v of 27 or 28');
  }
  return { kind: 'key', bytes };
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID when a key's signature gives another address */
export function verifyOwnerSignature(
  digest: Uint8Array,
  owner: Uint8Array,
  signature: OwnerSignature,
): OwnerVerdict {
  if (signature.kind === 'contract') return 'contract_wallet';
  const signer = recoverAddress(digest, signature.bytes);
  if (signer === undefined || !equalBytes(signer, owner)) {
    throw new VerificationError(
      'OWNER_SIGNATURE_INVALID',
      'the signature is not the named owner’s over these contents',
    );
  }
  return 'verified';
}

/** The address is the last 20 bytes of Keccak-256 of x and y. */
function recoverAddress(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
  const recovered = new Uint8Array(KEY_SIGNATURE_BYTES);
  recovered[0] = (signature[64] ?? 0) - 27;
  recovered.set(signature.subarray(0, 64), 1);
  try {
    const options = { prehash: false, isCompressed: false };
    const point = secp256k1.recoverPublicKey(recovered, digest, options);
    return keccak256(point.subarray(1)).slice(12);
  } catch {
    // The library throws when r is no point's x: such bytes are nobody's signature.
    return undefined;
  }
}
