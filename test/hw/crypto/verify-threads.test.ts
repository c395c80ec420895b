import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signDigest, verifyDigest } from '../../../core/signature.ts';
import { testKey } from '../../../fixtures/generate/test-key.ts';
import { signEs256k } from '../../../hw/crypto/native-ecdsa.ts';
import {
  type SignatureCheck,
  startVerifyThreads,
  type VerifyThreads,
} from '../../../hw/crypto/verify-threads.ts';
import { es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';

let threads: VerifyThreads;
beforeAll(async () => {
  threads = await startVerifyThreads();
});
afterAll(async () => await threads.stop());

const secrets = [newEs256kSecret(), newEs256kSecret()];
const keys = secrets.map((secret) => es256kSigner(secret).key);
const p256 = testKey('device', 'ES256');

/** A good check, or one with a fault. */
const checks = fc
  .record({
    of: fc.nat(1),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fault: fc.constantFrom('none', 'other key', 'no point', 'bit', 'zeros', 'p256'),
    at: fc.nat(511),
  })
  .map(({ of, digest, fault, at }): SignatureCheck => {
    const key = keys[of] ?? p256.key;
    const signature = Uint8Array.from(signEs256k(secrets[of] ?? new Uint8Array(32), digest));
    if (fault === 'p256') {
      return { key: p256.key, digest, signature: signDigest('ES256', p256.secret, digest) };
    }
    if (fault === 'other key') return { key: keys[1 - of] ?? key, digest, signature };
    if (fault === 'no point') {
      return { key: { ...key, bytes: new Uint8Array(33).fill(2) }, digest, signature };
    }
    if (fault === 'zeros') return { key, digest, signature: new Uint8Array(64) };
    if (fault === 'bit') signature[at >> 3] = (signature[at >> 3] ?? 0) ^ (1 << (at & 7));
    return { key, digest, signature };
  });

test('every verdict is the reference’s, in order, whatever is beside it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(checks, { maxLength: 12 }), async (all) => {
      const expected = all.map(({ key, digest, signature }) =>
        verifyDigest(key, digest, signature),
      );
      expect(await threads.verifyAll(all)).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test('several batches at once keep their verdicts apart', async () => {
  const digest = new Uint8Array(32).fill(3);
  const [key, other] = keys as [(typeof keys)[0], (typeof keys)[0]];
  const signature = signEs256k(secrets[0] ?? digest, digest);
  const batches = Array.from({ length: 20 }, (_, i) =>
    Array.from({ length: i }, (_, j) => ({ key: j % 3 === 0 ? other : key, digest, signature })),
  );
  const verdicts = await Promise.all(batches.map(async (batch) => await threads.verifyAll(batch)));
  expect(verdicts).toEqual(batches.map((batch) => batch.map((_, j) => j % 3 !== 0)));
});
