/**
 * The key that sends: from an encrypted keystore file (Web3 Secret Storage, version 3), or, for a local chain
 * alone, from a plain secret. Implements spec/configuration.md, "Sender key". The secret is in the memory of
 * what is returned and nowhere else; no error says more of a file than its path.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { computeAddress, decryptKeystoreJson, isKeystoreJson, SigningKey } from 'ethers';
import { concatBytes, fromHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { SenderKey } from '../ports.ts';
import { toDataHex } from './rpc-values.ts';

export type KeystoreOptions = {
  readonly keystore: string;
  /** A file whose first line it is, or else the name of an environment variable. */
  readonly passwordFile: string | undefined;
  readonly passwordEnv: string | undefined;
};

export function senderKeyOf(secret: Uint8Array): SenderKey {
  const key = new SigningKey(secret);
  return {
    address: fromHex(computeAddress(key.publicKey)),
    sign: (digest) => {
      const { r, s, yParity } = key.sign(toDataHex(digest));
      return Promise.resolve(concatBytes(fromHex(r), fromHex(s), Uint8Array.of(yParity)));
    },
  };
}

/** @throws UserError KEYSTORE_MISSING, KEYSTORE_MALFORMED, KEYSTORE_PASSWORD_MISSING, KEYSTORE_PASSWORD, KEY_FILE_PERMISSIONS */
export async function keystoreSenderKey(options: KeystoreOptions): Promise<SenderKey> {
  const { keystore } = options;
  const json = readOr(keystore, () => {
    return new UserError('KEYSTORE_MISSING', `the keystore file ${keystore} cannot be read`);
  });
  if (!isKeystoreJson(json)) throw malformed(keystore);
  const password = passwordFrom(options);
  try {
    const { privateKey } = await decryptKeystoreJson(json, password);
    return senderKeyOf(fromHex(privateKey));
  } catch (error) {
    // Without a cause: what a library prints of its arguments is not for a log.
    if ((error as { argument?: unknown }).argument !== 'password') throw malformed(keystore);
    const sentence = `the password does not open the keystore file ${keystore}`;
    throw new UserError('KEYSTORE_PASSWORD', sentence);
  }
}

function passwordFrom({ passwordFile, passwordEnv }: KeystoreOptions): string {
  const password =
    passwordFile === undefined
      ? process.env[passwordEnv ?? '']
      : firstLine(readSecret(passwordFile));
  if (password !== undefined && password !== '') return password;
  const where = passwordFile ?? `the environment variable ${passwordEnv}`;
  throw new UserError('KEYSTORE_PASSWORD_MISSING', `expected a password in ${where}, got none`);
}

function readSecret(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    const sentence = `the password file ${path} cannot be read`;
    throw new UserError('KEYSTORE_PASSWORD_MISSING', sentence);
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new UserError(
        'KEY_FILE_PERMISSIONS',
        `expected ${path} to be readable by its owner only (mode 600), got mode ${mode.toString(8)}`,
      );
    }
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? '';
}

function readOr(path: string, error: () => UserError): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw error();
  }
}

function malformed(path: string): UserError {
  return new UserError('KEYSTORE_MALFORMED', `expected a keystore of version 3 in ${path}`);
}
