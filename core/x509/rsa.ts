/**
 * Verifies RSA signatures: PKCS #1 v1.5 and PSS (RFC 8017, sections 8.2.2 and 8.1.2).
 * Only public values are in it, so that plain BigInt arithmetic leaks nothing; sizes are bounded, so that a key cannot
 * make it slow: at most 33 multiplications of 8,192 bits.
 */
import { concatBytes, equalBytes, fromHex, toHex } from '../bytes.ts';
import { HASHES, type HashName, unsupported } from './algorithm.ts';
import { DerReader, TAG, unsigned } from './der.ts';

export type RsaKey = {
  readonly modulus: bigint;
  readonly exponent: bigint;
  readonly modulusBits: number;
};

const MIN_BITS = 2048;
const MAX_BITS = 8192;
const MAX_EXPONENT = 0xffff_ffffn;

/** DigestInfo up to the digest (RFC 8017, section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<HashName, Uint8Array>> = {
  sha256: fromHex('3031300d060960864801650304020105000420'),
  sha384: fromHex('3041300d060960864801650304020205000430'),
  sha512: fromHex('3051300d060960864801650304020305000440'),
};

/** RSAPublicKey (RFC 8017, A.1.1). @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED */
export function readRsaKey(bytes: Uint8Array): RsaKey {
  const outer = new DerReader(bytes, 'an RSA key');
  const reader = outer.inside(TAG.sequence);
  outer.end();
  const modulusBytes = reader.next(TAG.integer);
  const exponentBytes = reader.next(TAG.integer);
  reader.end();
  if (modulusBytes.content.length > MAX_BITS / 8 + 1) throw unsupported('a longer RSA key');
  const modulus = unsigned(modulusBytes);
  const exponent = unsigned(exponentBytes);
  const modulusBits = modulus.toString(2).length;
  if (modulusBits < MIN_BITS || modulusBits > MAX_BITS || (modulus & 1n) === 0n) {
    throw unsupported(`an RSA key of ${modulusBits} bits`);
  }
  if (exponent < 3n || exponent > MAX_EXPONENT || (exponent & 1n) === 0n) {
    throw unsupported('the exponent of an RSA key');
  }
  return { modulus, exponent, modulusBits };
}

/** The encoded message is built and compared, never parsed: nothing in it can be chosen by whoever signed. */
export function verifyPkcs1(
  key: RsaKey,
  hash: HashName,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const encoded = opened(key, signature);
  if (encoded === undefined) return false;
  const digestInfo = concatBytes(DIGEST_INFO[hash], HASHES[hash](message));
  const padding = new Uint8Array(encoded.length - digestInfo.length - 3).fill(0xff);
  return equalBytes(
    encoded,
    concatBytes(Uint8Array.of(0, 1), padding, Uint8Array.of(0), digestInfo),
  );
}

/** EMSA-PSS-VERIFY (RFC 8017, section 9.1.2) with MGF1 over the same hash. */
export function verifyPss(
  key: RsaKey,
  { hash, saltLength }: { readonly hash: HashName; readonly saltLength: number },
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const whole = opened(key, signature);
  if (whole === undefined) return false;
  const bits = key.modulusBits - 1;
  // With a modulus of 8n + 1 bits the encoded message is a byte shorter than the signature.
  const encoded = whole.subarray(whole.length - Math.ceil(bits / 8));
  if (whole.length !== encoded.length && whole[0] !== 0) return false;
  const digest = HASHES[hash](message);
  const { length: size } = digest;
  const maskedLength = encoded.length - size - 1;
  if (maskedLength < saltLength + 1 || encoded.at(-1) !== 0xbc) return false;
  const h = encoded.subarray(maskedLength, maskedLength + size);
  const unusedBits = 8 * encoded.length - bits;
  if (((encoded[0] ?? 0) & ~(0xff >> unusedBits)) !== 0) return false;
  const block = mgf1(hash, h, maskedLength).map((byte, i) => byte ^ (encoded[i] ?? 0));
  block[0] = (block[0] ?? 0) & (0xff >> unusedBits);
  const saltAt = maskedLength - saltLength;
  const isPadded = block.subarray(0, saltAt - 1).every((byte) => byte === 0);
  if (!isPadded || block[saltAt - 1] !== 1) return false;
  const prefixed = concatBytes(new Uint8Array(8), digest, block.subarray(saltAt));
  return equalBytes(HASHES[hash](prefixed), h);
}

function mgf1(hash: HashName, seed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0, counter = 0; at < length; counter++) {
    const block = HASHES[hash](concatBytes(seed, Uint8Array.of(0, 0, counter >> 8, counter)));
    out.set(block.subarray(0, length - at), at);
    at += block.length;
  }
  return out;
}

/** RSAVP1: as many bytes as the modulus has; undefined for what is no signature under this key. */
function opened(
  { modulus, exponent, modulusBits }: RsaKey,
  signature: Uint8Array,
): Uint8Array | undefined {
  const length = Math.ceil(modulusBits / 8);
  const value = signature.length === length ? BigInt(`0x${toHex(signature)}`) : modulus;
  if (value >= modulus) return undefined;
  return fromHex(
    power(value, exponent, modulus)
      .toString(16)
      .padStart(2 * length, '0'),
  );
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
