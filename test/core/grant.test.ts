import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeGrant, encodeGrant, grantHash, verifyGrant } from '../../core/grant.ts';
import { GRANT, SIGNED_GRANT } from '../../fixtures/generate/grant.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

const grants = fc
  .record({
    epoch: fc.nat(),
    granteeName: fc.string({ maxLength: 100 }),
    purpose: fc.string({ maxLength: 100 }),
    disclosures: fc.nat(),
  })
  .map((part) => ({ ...SIGNED_GRANT, grant: { ...GRANT, ...part } }));

testCodec('grant', grants, { encode: encodeGrant, decode: decodeGrant });

test('every member of a grant is signed', () => {
  const { grant, signature } = SIGNED_GRANT;
  const changed: readonly (typeof grant)[] = [
    { ...grant, chainId: grant.chainId + 1n },
    { ...grant, contract: new Uint8Array(20) },
    { ...grant, owner: new Uint8Array(20) },
    { ...grant, tag: new Uint8Array(16) },
    { ...grant, epoch: 1 },
    { ...grant, grantee: new Uint8Array(20) },
    { ...grant, granteeKey: new Uint8Array(32) },
    { ...grant, granteeName: '' },
    { ...grant, streams: [] },
    { ...grant, dataFromS: 0 },
    { ...grant, dataToS: grant.dataToS + 1 },
    { ...grant, purpose: '' },
    { ...grant, form: 'decoded' },
    { ...grant, issuedAtS: 0 },
    { ...grant, expiresAtS: grant.expiresAtS + 1 },
    { ...grant, disclosures: 2 },
    { ...grant, noticeHash: new Uint8Array(32) },
    { ...grant, nonce: new Uint8Array(32) },
  ];
  expect(changed).toHaveLength(Object.keys(grant).length);
  expect(new Set(changed.map((one) => grantHash(one).join())).size).toBe(changed.length);
  for (const one of changed) {
    expect(codeOf(() => verifyGrant({ grant: one, signature }))).toBe('OWNER_SIGNATURE_INVALID');
  }
});
