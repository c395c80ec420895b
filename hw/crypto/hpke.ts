/**
 * RFC 9180 in base mode for one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. A stream root has to be
 * sealed to its owner in the same moment in which it is made, so this is synchronous; libraries for it are not.
 * Implements spec/sealing.md.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { asciiBytes, concatBytes } from '../../core/bytes.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';

const X25519_BYTES = 32;
const TAG_BYTES = 16;

const KEM = asciiBytes('KEM');
const KEM_ID = Uint8Array.of(0x00, 0x20);
const KEM_SUITE = concatBytes(KEM, KEM_ID);
/** HKDF-SHA256 is 0x0001, AES-256-GCM 0x0002. */
const SUITE = concatBytes(asciiBytes('HPKE'), KEM_ID, Uint8Array.of(0x00, 0x01, 0x00, 0x02));
const VERSION = asciiBytes('HPKE-v1');
const BASE_MODE = Uint8Array.of(0x00);
const NOTHING = new Uint8Array(0);

/** RFC 8410: what stands before the 32 bytes of a key. */
const PUBLIC_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 110, 3, 33, 0);
const SECRET_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/**
 * `enc ‖ ciphertext ‖ tag`: 48 bytes more than the plain text.
 * @param recipient X25519, 32 bytes
 * @throws FormatError HPKE_KEY for a key of small order: anybody could open what is sealed to it
 */
export function hpkeSeal(recipient: Uint8Array, info: Uint8Array, plain: Uint8Array): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const enc = rawPublic(publicKey);
  const { key, nonce } = keySchedule(shared(privateKey, recipient), enc, recipient, info);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = concatBytes(enc, cipher.update(plain), cipher.final(), cipher.getAuthTag());
  key.fill(0);
  return sealed;
}

/**
 * @param secret X25519, 32 bytes
 * @throws FormatError HPKE_LENGTH, HPKE_KEY; VerificationError HPKE_OPEN when it was sealed to another key, for another
 *   purpose, or was changed
 */
export function hpkeOpen(secret: Uint8Array, info: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length < X25519_BYTES + TAG_BYTES) {
    throw new FormatError('HPKE_LENGTH', `expected at least 48 bytes, got ${sealed.length}`);
  }
  const enc = sealed.subarray(0, X25519_BYTES);
  const body = sealed.subarray(X25519_BYTES, sealed.length - TAG_BYTES);
  const privateKey = secretKey(secret);
  const own = rawPublic(createPublicKey(privateKey));
  const { key, nonce } = keySchedule(shared(privateKey, enc), enc, own, info);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return Uint8Array.from(concatBytes(decipher.update(body), decipher.final()));
  } catch (cause) {
    throw new VerificationError('HPKE_OPEN', 'sealed to another key, or changed', { cause });
  } finally {
    key.fill(0);
  }
}

/** Of a secret, 32 bytes each. */
export function x25519Public(secret: Uint8Array): Uint8Array {
  return rawPublic(createPublicKey(secretKey(secret)));
}

function secretKey(secret: Uint8Array): KeyObject {
  if (secret.length !== X25519_BYTES) throw new RangeError('expected a secret of 32 bytes');
  const key = Buffer.from(concatBytes(SECRET_PREFIX, secret));
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

function rawPublic(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }).subarray(-X25519_BYTES));
}

function shared(privateKey: KeyObject, other: Uint8Array): Uint8Array {
  if (other.length !== X25519_BYTES) {
    throw new FormatError('HPKE_KEY', `expected a key of 32 bytes, got ${other.length}`);
  }
  const key = Buffer.from(concatBytes(PUBLIC_PREFIX, other));
  try {
    const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
    return Uint8Array.from(diffieHellman({ privateKey, publicKey }));
  } catch (cause) {
    // OpenSSL refuses a shared secret of zeros, as RFC 9180 (7.1.4) asks for.
    throw new FormatError('HPKE_KEY', 'expected an X25519 key, got one of small order', { cause });
  }
}

/** RFC 9180, 4.1 and 5.1: from the shared point to the key and the nonce of the only message. */
function keySchedule(
  dh: Uint8Array,
  enc: Uint8Array,
  recipient: Uint8Array,
  info: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const extracted = labeledExtract(KEM_SUITE, NOTHING, 'eae_prk', dh);
  const kemContext = concatBytes(enc, recipient);
  const secret = labeledExpand(KEM_SUITE, extracted, 'shared_secret', kemContext, 32);
  const context = concatBytes(
    BASE_MODE,
    labeledExtract(SUITE, NOTHING, 'psk_id_hash', NOTHING),
    labeledExtract(SUITE, NOTHING, 'info_hash', info),
  );
  const prk = labeledExtract(SUITE, secret, 'secret', NOTHING);
  return {
    key: labeledExpand(SUITE, prk, 'key', context, 32),
    nonce: labeledExpand(SUITE, prk, 'base_nonce', context, 12),
  };
}

function labeledExtract(
  suite: Uint8Array,
  salt: Uint8Array,
  label: string,
  input: Uint8Array,
): Uint8Array {
  // HMAC pads its key with zeros: an empty salt is RFC 5869's salt of zeros.
  return hmac(salt, concatBytes(VERSION, suite, asciiBytes(label), input));
}

/** At most 32 bytes: one round of HKDF-Expand. */
function labeledExpand(
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const sizes = Uint8Array.of(0, length);
  const labeled = concatBytes(sizes, VERSION, suite, asciiBytes(label), info);
  return hmac(prk, concatBytes(labeled, Uint8Array.of(1))).subarray(0, length);
}

function hmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  return Uint8Array.from(createHmac('sha256', key).update(message).digest());
}
