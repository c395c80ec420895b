/** The PIN of a token, or the secret that a key in a TPM asks for: a line in a file that only its owner may read. */
import { UserError } from '../../core/errors.ts';
import { readPrivateFile } from './key-file.ts';

/** A TPM takes no longer one under SHA-256. */
const MAX_PIN_BYTES = 32;

/** Read at each use, so that it is not kept in memory. @throws UserError KEY_FILE_MISSING, KEY_FILE_PERMISSIONS, KEY_FILE_MALFORMED */
export function readPin(path: string): string {
  const pin = readPrivateFile(path).replace(/\n$/, '');
  if (/^[!-~]+$/.test(pin) && pin.length <= MAX_PIN_BYTES) return pin;
  throw new UserError(
    'KEY_FILE_MALFORMED',
    `expected ${path} to hold a PIN: a line of 1 to ${MAX_PIN_BYTES} printable ASCII characters without blanks`,
  );
}

/** For a person: each further attempt with a wrong one may lock a token for good. */
export function pinRefused(where: string, words: string): UserError {
  return new UserError('SIGNER_PIN', `${where} does not take the PIN: ${words}`);
}
