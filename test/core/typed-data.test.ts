import { recoverAddress, TypedDataEncoder, Wallet } from 'ethers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { type CustodyRecord, custodyDigest } from '../../core/custody-record.ts';
import { type Grant, grantHash, grantTypedData, verifyGrant } from '../../core/grant.ts';
import { type TypedField, typedDataDigest, typedDataJson } from '../../core/typed-data.ts';
import { GRANT } from '../../fixtures/generate/grant.ts';
import { addressOf, OWNER, walletSignature } from '../../fixtures/generate/sample-records.ts';
import { address, bytesOf, count, hash, line, optional, uint64 } from './arbitrary-records.ts';

const GRANT_TYPES = {
  Grant: [
    { name: 'owner', type: 'address' },
    { name: 'vehicle', type: 'bytes16' },
    { name: 'epoch', type: 'uint64' },
    { name: 'grantee', type: 'address' },
    { name: 'granteeKey', type: 'bytes32' },
    { name: 'granteeName', type: 'string' },
    { name: 'streams', type: 'string[]' },
    { name: 'dataFrom', type: 'uint64' },
    { name: 'dataTo', type: 'uint64' },
    { name: 'purpose', type: 'string' },
    { name: 'form', type: 'string' },
    { name: 'issuedAt', type: 'uint64' },
    { name: 'expiresAt', type: 'uint64' },
    { name: 'disclosures', type: 'uint32' },
    { name: 'noticeHash', type: 'bytes32' },
    { name: 'nonce', type: 'bytes32' },
  ],
};

function forEthers(grant: Grant) {
  const hex = (bytes: Uint8Array) => `0x${toHex(bytes)}`;
  return {
    domain: {
      name: 'Witnessmark',
      version: '0',
      chainId: grant.chainId,
      verifyingContract: hex(grant.contract),
    },
    message: {
      owner: hex(grant.owner),
      vehicle: hex(grant.tag),
      epoch: grant.epoch,
      grantee: hex(grant.grantee),
      granteeKey: hex(grant.granteeKey),
      granteeName: grant.granteeName,
      streams: grant.streams,
      dataFrom: grant.dataFromS,
      dataTo: grant.dataToS,
      purpose: grant.purpose,
      form: grant.form,
      issuedAt: grant.issuedAtS,
      expiresAt: grant.expiresAtS,
      disclosures: grant.disclosures,
      noticeHash: hex(grant.noticeHash),
      nonce: hex(grant.nonce),
    },
  };
}

const grants: fc.Arbitrary<Grant> = fc.record({
  chainId: uint64,
  contract: address,
  owner: address,
  tag: bytesOf(16),
  epoch: count,
  grantee: address,
  granteeKey: hash,
  granteeName: fc.string({ maxLength: 40, unit: 'grapheme' }),
  streams: fc.array(line(20), { maxLength: 4 }),
  dataFromS: count,
  dataToS: count,
  purpose: fc.string({ maxLength: 40, unit: 'grapheme' }),
  form: fc.constantFrom('raw', 'decoded'),
  issuedAtS: count,
  expiresAtS: count,
  disclosures: fc.nat({ max: 0xffff_ffff }),
  noticeHash: hash,
  nonce: hash,
});

test('the digest of a grant is the one that ethers computes', () => {
  fc.assert(
    fc.property(grants, (grant) => {
      const { domain, message } = forEthers(grant);
      expect(`0x${toHex(grantHash(grant))}`).toBe(
        TypedDataEncoder.hash(domain, GRANT_TYPES, message),
      );
    }),
  );
});

test('a wallet’s signature on a grant verifies, and ethers finds the same signer', async () => {
  const wallet = new Wallet(`0x${toHex(OWNER.secret)}`);
  const { domain, message } = forEthers(GRANT);
  const signature = await wallet.signTypedData(domain, GRANT_TYPES, message);
  const bytes = Uint8Array.from({ length: 65 }, (_, i) =>
    Number.parseInt(signature.slice(2 + 2 * i, 4 + 2 * i), 16),
  );
  expect(verifyGrant({ grant: GRANT, signature: { kind: 'key', bytes } })).toBe('verified');
  const own = walletSignature(OWNER, grantHash(GRANT));
  const signer = recoverAddress(`0x${toHex(grantHash(GRANT))}`, `0x${toHex(own)}`);
  expect(signer.toLowerCase()).toBe(`0x${toHex(addressOf(OWNER))}`);
});

test('the JSON for a wallet has the digest that is verified', () => {
  fc.assert(
    fc.property(grants, (grant) => {
      const { types, domain, message, primaryType } = JSON.parse(
        typedDataJson(grantTypedData(grant)),
      ) as {
        types: Record<string, { name: string; type: string }[]>;
        domain: object;
        message: object;
        primaryType: string;
      };
      expect(types['EIP712Domain']).toHaveLength(4);
      const { EIP712Domain: _, ...others } = types;
      expect(Object.keys(others)).toEqual([primaryType]);
      expect(`0x${toHex(grantHash(grant))}`).toBe(TypedDataEncoder.hash(domain, others, message));
    }),
  );
});

test('a domain without a chain is the one that ethers computes', () => {
  fc.assert(
    fc.property(fc.string(), hash, optional(address), (text, word, contract) => {
      const fields: readonly TypedField[] = [
        ['string', 'text', text],
        ['bytes32', 'word', word],
      ];
      const types = {
        Sample: [
          { name: 'text', type: 'string' },
          { name: 'word', type: 'bytes32' },
        ],
      };
      const domain = { name: 'Witnessmark', version: '0' };
      const onChain = { ...domain, chainId: 7n, verifyingContract: `0x${toHex(contract ?? word)}` };
      const digest = typedDataDigest({
        domain: contract === undefined ? undefined : { chainId: 7n, verifyingContract: contract },
        structName: 'Sample',
        fields,
      });
      expect(`0x${toHex(digest)}`).toBe(
        TypedDataEncoder.hash(contract === undefined ? domain : onChain, types, {
          text,
          word: `0x${toHex(word)}`,
        }),
      );
    }),
  );
});

test('what a custody signature covers does not depend on the signature', () => {
  const record: CustodyRecord = {
    seq: 0,
    previousHash: undefined,
    wallNs: 0n,
    clockSource: 'ntp',
    actor: '',
    role: 'owner',
    action: 'erased',
    grantHash: undefined,
    objectHash: undefined,
    spans: [],
    streamCount: 0,
    leafCount: 0,
    purpose: '',
    detail: '',
    tool: '',
    toolHash: undefined,
    signature: undefined,
  };
  const signature = { kind: 'key' as const, bytes: new Uint8Array(65) };
  const signed = { ...record, signature: { signer: new Uint8Array(20), signature } };
  expect(custodyDigest(signed)).toEqual(custodyDigest(record));
});
