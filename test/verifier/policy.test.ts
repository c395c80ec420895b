import { describe, expect, it } from 'vitest';
import { UserError } from '../../core/errors.ts';
import { COMPLETE, policyFor } from '../../fixtures/generate/bundles/make-bundle.ts';
import { TestAuthority } from '../../fixtures/generate/bundles/test-authority.ts';
import { TestChain } from '../../fixtures/generate/bundles/test-chain.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { DEFAULT_REQUIRED } from '../../verifier/policy-file.ts';

const POLICY = policyFor(COMPLETE, new TestChain());
const [CHAIN] = POLICY.chains;
const [KEY] = POLICY.deviceKeys;

const AUTHORITY = { ...new TestAuthority('authority').trusted, note: 'looked up' };

const OWNER = { chainId: '1', address: `0x${'0c'.repeat(20)}` };
const WALLET = {
  chainId: '1',
  address: `0x${'11'.repeat(20)}`,
  accepts: [`0x${'ab'.repeat(32)}`],
};

function withAuthorities(...timestampAuthorities: readonly object[]): object {
  return { ...POLICY, timestampAuthorities };
}

function codeOf(policy: unknown): string {
  try {
    parseTrustPolicy(typeof policy === 'string' ? policy : JSON.stringify(policy));
    return 'none';
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}

describe('a trust policy', () => {
  it('is read back as it was written, with the default of what it requires', () => {
    const policy = parseTrustPolicy(JSON.stringify(POLICY));
    expect(policy.file).toEqual({ ...POLICY, required: DEFAULT_REQUIRED });
    expect(policy.required).toEqual(DEFAULT_REQUIRED);
    expect(policy.chains[0]?.chainId).toBe(31337n);
  });

  it('keeps its time stamp authorities as they were written', () => {
    const policy = parseTrustPolicy(JSON.stringify(withAuthorities(AUTHORITY)));
    expect(policy.file.timestampAuthorities).toEqual([AUTHORITY]);
    expect(policy.timestampAuthorities[0]).toMatchObject({ class: 'local', policies: ['2.999.1'] });
  });

  it('keeps the wallets that were asked, with what each accepted', () => {
    const policy = parseTrustPolicy(JSON.stringify({ ...POLICY, wallets: [WALLET] }));
    expect(policy.file.wallets).toEqual([WALLET]);
    expect(policy.wallets[0]?.accepts).toEqual(new Set(['ab'.repeat(32)]));
  });

  it('keeps the owners whose enrolments are believed', () => {
    const owner = { chainId: '1', address: `0x${'0c'.repeat(20)}`, note: 'as registered' };
    const policy = parseTrustPolicy(JSON.stringify({ ...POLICY, owners: [owner] }));
    expect(policy.file.owners).toEqual([owner]);
    expect(policy.owners).toEqual([{ chainId: 1n, address: new Uint8Array(20).fill(12) }]);
    expect(parseTrustPolicy(JSON.stringify(POLICY)).owners).toEqual([]);
  });

  it('keeps its notes', () => {
    const noted = { ...POLICY, note: 'why', deviceKeys: [{ ...KEY, note: 'unit 7' }] };
    expect(parseTrustPolicy(JSON.stringify(noted)).file.note).toBe('why');
    expect(parseTrustPolicy(JSON.stringify(noted)).file.deviceKeys[0]?.note).toBe('unit 7');
  });

  it.each([
    ['no JSON', 'POLICY_JSON', '{'],
    ['a list', 'POLICY_VALUE', []],
    ['no version', 'POLICY_VERSION', { ...POLICY, 'witnessmark-trust': undefined }],
    ['another version', 'POLICY_VERSION', { ...POLICY, 'witnessmark-trust': 1 }],
    ['an unknown key', 'POLICY_KEY', { ...POLICY, trustEverything: true }],
    ['an unknown key in a chain', 'POLICY_KEY', { ...POLICY, chains: [{ ...CHAIN, rpc: 'x' }] }],
    ['nobody who supplied it', 'POLICY_VALUE', { ...POLICY, suppliedBy: '' }],
    ['an owner twice', 'POLICY_REPEATED', { ...POLICY, owners: [OWNER, OWNER] }],
    ['an owner of no chain', 'POLICY_VALUE', { ...POLICY, owners: [{ address: OWNER.address }] }],
    ['an owner with a key', 'POLICY_KEY', { ...POLICY, owners: [{ ...OWNER, key: '02' }] }],
    ['a short address', 'POLICY_VALUE', { ...POLICY, owners: [{ ...OWNER, address: '0x0c' }] }],
    ['a wallet twice', 'POLICY_REPEATED', { ...POLICY, wallets: [WALLET, WALLET] }],
    [
      'a digest of a wallet twice',
      'POLICY_REPEATED',
      { ...POLICY, wallets: [{ ...WALLET, accepts: [...WALLET.accepts, ...WALLET.accepts] }] },
    ],
    [
      'a short digest of a wallet',
      'POLICY_VALUE',
      { ...POLICY, wallets: [{ ...WALLET, accepts: ['0xab'] }] },
    ],
    [
      'a wallet that accepts everything',
      'POLICY_VALUE',
      { ...POLICY, wallets: [{ ...WALLET, accepts: undefined }] },
    ],
    ['no device keys', 'POLICY_VALUE', { ...POLICY, deviceKeys: undefined }],
    ['a short key', 'POLICY_VALUE', { ...POLICY, deviceKeys: [{ ...KEY, key: '02ff' }] }],
    [
      'a key off the curve',
      'POLICY_VALUE',
      { ...POLICY, deviceKeys: [{ ...KEY, key: `02${'ff'.repeat(32)}` }] },
    ],
    [
      'an algorithm that is not checked',
      'POLICY_VALUE',
      { ...POLICY, deviceKeys: [{ ...KEY, algorithm: 'EdDSA' }] },
    ],
    ['a key twice', 'POLICY_REPEATED', { ...POLICY, deviceKeys: [KEY, KEY] }],
    [
      'a number where text belongs',
      'POLICY_VALUE',
      { ...POLICY, chains: [{ ...CHAIN, chainId: 31337 }] },
    ],
    [
      'a chain id beyond 64 bits',
      'POLICY_VALUE',
      { ...POLICY, chains: [{ ...CHAIN, chainId: '99999999999999999999' }] },
    ],
    ['a chain twice', 'POLICY_REPEATED', { ...POLICY, chains: [CHAIN, CHAIN] }],
    ['an unknown class', 'POLICY_VALUE', { ...POLICY, chains: [{ ...CHAIN, class: 'trusted' }] }],
    [
      'a publisher without 0x',
      'POLICY_VALUE',
      { ...POLICY, chains: [{ ...CHAIN, publishers: ['ab'.repeat(20)] }] },
    ],
    [
      'two hashes of one block',
      'POLICY_REPEATED',
      {
        ...POLICY,
        chains: [
          {
            ...CHAIN,
            blocks: [...(CHAIN?.blocks ?? []), { number: '110', hash: `0x${'00'.repeat(32)}` }],
          },
        ],
      },
    ],
    ['an empty time stamp authority', 'POLICY_VALUE', withAuthorities({})],
    [
      'an authority whose certificate is none',
      'POLICY_VALUE',
      withAuthorities({ ...AUTHORITY, certificate: '3000' }),
    ],
    [
      'an authority of no class',
      'POLICY_VALUE',
      withAuthorities({ ...AUTHORITY, class: 'trusted' }),
    ],
    [
      'a stamp policy that is no object identifier',
      'POLICY_VALUE',
      withAuthorities({ ...AUTHORITY, policies: ['any'] }),
    ],
    ['an unknown key in an authority', 'POLICY_KEY', withAuthorities({ ...AUTHORITY, url: 'x' })],
    ['an authority twice', 'POLICY_REPEATED', withAuthorities(AUTHORITY, AUTHORITY)],
    ['an unknown check', 'POLICY_VALUE', { ...POLICY, required: ['EVERYTHING'] }],
    ['a check twice', 'POLICY_REPEATED', { ...POLICY, required: ['BLOCK', 'BLOCK'] }],
  ])('with %s is refused', (_, code, policy) => {
    expect(codeOf(policy)).toBe(code);
  });
});
