/** Keccak-256 as Ethereum uses it: the padding from before FIPS 202, so it is not SHA3-256. */
import { keccak_256 } from '@noble/hashes/sha3.js';

export function keccak256(message: Uint8Array): Uint8Array {
  return keccak_256(message);
}
