/** The address that a sender key publishes under. */
import { computeAddress, SigningKey } from 'ethers';
import { fromHex } from '../../core/bytes.ts';

/** 20 bytes. */
export function publisherOf(secret: Uint8Array): Uint8Array {
  return fromHex(computeAddress(new SigningKey(secret).publicKey));
}
