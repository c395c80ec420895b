import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCbor } from '../../core/cbor.ts';
import { decodeFields } from '../../core/fields.ts';
import {
  type OwnerSignature,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from '../../core/owner-signature.ts';
import { addressOf, OWNER, walletSignature } from '../../fixtures/generate/sample-records.ts';
import { testKey } from '../../fixtures/generate/test-key.ts';
import { hash } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';

const ownerAddress = addressOf(OWNER);

function readAgain(signature: OwnerSignature): OwnerSignature {
  const bytes = encodeCbor(ownerSignatureFields(signature));
  return decodeFields(bytes, 'signature', readOwnerSignature);
}

test('what a wallet signs verifies for its address and for no other digest', () => {
  fc.assert(
    fc.property(hash, fc.string(), (digest, label) => {
      const wallet = testKey(label, 'ES256K');
      const signature = readAgain({ kind: 'key', bytes: walletSignature(wallet, digest) });
      expect(verifyOwnerSignature(digest, addressOf(wallet), signature)).toBe('verified');
      const other = digest.map((byte, i) => (i === 31 ? byte ^ 1 : byte));
      expect(codeOf(() => verifyOwnerSignature(other, addressOf(wallet), signature))).toBe(
        'OWNER_SIGNATURE_INVALID',
      );
    }),
    { numRuns: 20 },
  );
});

test('random bytes are nobody’s signature', () => {
  fc.assert(
    fc.property(hash, fc.uint8Array({ minLength: 64, maxLength: 64 }), (digest, rs) => {
      const bytes = Uint8Array.from([...rs, 27]);
      const code = codeOf(() =>
        verifyOwnerSignature(digest, ownerAddress, readAgain({ kind: 'key', bytes })),
      );
      expect(code).toMatch(/^OWNER_SIGNATURE_(FORM|INVALID)$/);
    }),
    { numRuns: 30 },
  );
});

test('a wallet that is a contract is neither verified nor refused', () => {
  const signature = readAgain({ kind: 'contract', bytes: new Uint8Array(300) });
  expect(verifyOwnerSignature(new Uint8Array(32), ownerAddress, signature)).toBe('contract_wallet');
});
