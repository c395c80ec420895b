/**
 * The owner's recovery key: an X25519 secret to which a unit seals the roots of its streams. It lies in an age file
 * (C2SP age v1, scrypt recipient), so that `age -d` opens it too when Witnessmark is long gone.
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { Decrypter, Encrypter } from 'age-encryption';
import { UserError } from '../../core/errors.ts';
import type { PasswordCost } from '../password-cost.ts';

const SECRET_BYTES = 32;

/** 32 bytes. */
export function recoveryPublicKey(secret: Uint8Array): Uint8Array {
  return x25519.getPublicKey(secret);
}

export async function encryptRecoveryKey(
  secret: Uint8Array,
  password: string,
  { recoveryLogN }: PasswordCost,
): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(recoveryLogN);
  encrypter.setPassphrase(password);
  return await encrypter.encrypt(secret);
}

/** @returns 32 bytes. @throws UserError RECOVERY_KEY */
export async function decryptRecoveryKey(file: Uint8Array, password: string): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(password);
  try {
    const secret = await decrypter.decrypt(file);
    if (secret.length === SECRET_BYTES) return secret;
  } catch {
    // Without a cause: what a library prints of its arguments is not for a log.
  }
  throw new UserError(
    'RECOVERY_KEY',
    'the password does not open the recovery key, or the file is no such key',
  );
}
