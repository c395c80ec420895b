/** AES-256-GCM by OpenSSL, for keys that are used once (spec/leaf.md, "Sealing"). */
import crypto from 'node:crypto';
import { concatBytes } from '../../core/bytes.ts';
import type { Aead } from '../../core/sealed-leaf.ts';

const ZERO_NONCE = new Uint8Array(12);
const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES } as const;

export const nativeAead: Aead = {
  seal: (key, plaintext, aad) => {
    const cipher = crypto.createCipheriv('aes-256-gcm', key, ZERO_NONCE, OPTIONS);
    cipher.setAAD(aad);
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
    sealed.set(cipher.update(plaintext));
    cipher.final(); // GCM is a stream: nothing is left to write
    sealed.set(cipher.getAuthTag(), plaintext.length);
    return sealed;
  },
  open: (key, ciphertext, aad) => {
    if (ciphertext.length < TAG_BYTES) return undefined;
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, ZERO_NONCE, OPTIONS);
    decipher.setAAD(aad);
    decipher.setAuthTag(ciphertext.subarray(ciphertext.length - TAG_BYTES));
    const body = decipher.update(ciphertext.subarray(0, ciphertext.length - TAG_BYTES));
    try {
      return concatBytes(body, decipher.final());
    } catch {
      return undefined; // final() throws for one reason: the tag
    }
  },
};
