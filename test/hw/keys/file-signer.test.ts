import { expect, test } from 'vitest';
import { sha256 } from '../../../core/hash.ts';
import { publicKeyOf, signDigest, verifyDigest } from '../../../core/signature.ts';
import { ephemeralSigner, es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';

const digest = sha256(Uint8Array.of(1));

test('a signer signs as the reference does, under the public key of its secret', () => {
  for (let i = 0; i < 20; i++) {
    const secret = newEs256kSecret();
    const signer = es256kSigner(secret);
    expect(signer.key).toEqual(publicKeyOf('ES256K', secret));
    expect(Buffer.from(signer.sign(digest))).toEqual(
      Buffer.from(signDigest('ES256K', secret, digest)),
    );
  }
});

test('ephemeral signers are all different', () => {
  const signers = Array.from({ length: 20 }, ephemeralSigner);
  expect(new Set(signers.map(({ key }) => Buffer.from(key.bytes).toString('hex'))).size).toBe(20);
  for (const { key, sign } of signers) expect(verifyDigest(key, digest, sign(digest))).toBe(true);
});

test('new secrets are 32 bytes', () => {
  // A scalar with leading zeros comes once in 256: it must not come out shorter.
  for (let i = 0; i < 600; i++) expect(newEs256kSecret().length).toBe(32);
});
