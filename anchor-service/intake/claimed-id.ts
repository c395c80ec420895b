/**
 * The id that a record claims, computed from its own header before any key is known.
 * For telling a vehicle which of its records was refused; spec/signatures.md, "Bytes". Proves nothing.
 */
import { asciiBytes } from '../../core/bytes.ts';
import { encodeCbor } from '../../core/cbor.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import type { Hash } from '../../core/hash.ts';

/** Of bytes that are no COSE_Sign1: their SHA-256. */
export function claimedId(
  kind: 'statement' | 'session-record',
  bytes: Uint8Array,
  sha256: Hash,
): Uint8Array {
  try {
    const payload = unverifiedPayload(bytes);
    const aad = asciiBytes(`witnessmark/v1/application/vnd.witnessmark.${kind}`);
    return sha256(encodeCbor(['Signature1', protectedBytes(bytes), aad, payload]));
  } catch {
    return sha256(bytes);
  }
}

/** The first byte string of an array whose structure was checked already. */
function protectedBytes(bytes: Uint8Array): Uint8Array {
  const head = bytes[1] ?? 0;
  if (head === 0x58) return bytes.slice(3, 3 + (bytes[2] ?? 0));
  if (head === 0x59) return bytes.slice(4, 4 + (((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)));
  return bytes.slice(2, 2 + head - 0x40);
}
