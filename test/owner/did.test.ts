/** An owner's DIDs: the identifiers, their documents, and the public resolver on a real chain. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ContractFactory,
  getAddress,
  type InterfaceAbi,
  parseEther,
  toBeHex,
  Wallet,
} from 'ethers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromHex, toHex } from '../../core/bytes.ts';
import {
  type EthereumEndpoint,
  openEthereumEndpoint,
} from '../../owner/chain/ethereum-endpoint.ts';
import { checksumAddress, didEthr, didPkh, readAddress } from '../../owner/identity/did.ts';
import { identify } from '../../owner/main.ts';
import { type LocalChain, startLocalChain } from '../contracts/local-chain.ts';
import { bytesOf } from '../core/arbitrary-records.ts';

const ERC_1056 = join(
  import.meta.dirname,
  '../../node_modules/ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json',
);

let chain: LocalChain;
let endpoint: EthereumEndpoint;
let registry: Uint8Array;

beforeAll(async () => {
  chain = await startLocalChain();
  endpoint = await openEthereumEndpoint(chain.url);
  const { abi, bytecode } = JSON.parse(readFileSync(ERC_1056, 'utf8')) as {
    abi: InterfaceAbi;
    bytecode: string;
  };
  const deployer = new Wallet(Wallet.createRandom().privateKey, endpoint.provider);
  await endpoint.provider.send('anvil_setBalance', [deployer.address, toBeHex(parseEther('1'))]);
  const contract = await new ContractFactory(abi, bytecode, deployer).deploy();
  registry = fromHex(await (await contract.waitForDeployment()).getAddress());
});

afterAll(async () => {
  endpoint.close();
  await chain.stop();
});

test('an address is written and read as ethers does, and one changed case is noticed', () => {
  fc.assert(
    fc.property(bytesOf(20), (address) => {
      const text = checksumAddress(address);
      expect(text).toBe(getAddress(`0x${toHex(address)}`));
      expect(readAddress(text)).toEqual(address);
      expect(readAddress(text.toLowerCase())).toEqual(address);
    }),
  );
  const text = '0x52908400098527886E0F7030069857D2E4169Ee7';
  expect(() => readAddress(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_CHECKSUM' }));
  for (const bad of [
    '',
    '0x12',
    `0x${'g'.repeat(40)}`,
    '52908400098527886e0f7030069857d2e4169ee7',
  ]) {
    expect(() => readAddress(bad)).toThrow(expect.objectContaining({ code: 'ADDRESS_MALFORMED' }));
  }
});

test('the identifiers name chain and address, and mainnet without its number', () => {
  const address = fromHex('0x52908400098527886e0f7030069857d2e4169ee7');
  expect(didEthr(1n, address)).toBe('did:ethr:0x52908400098527886E0F7030069857D2E4169EE7');
  expect(didEthr(11_155_111n, address)).toBe(
    'did:ethr:0xaa36a7:0x52908400098527886E0F7030069857D2E4169EE7',
  );
  expect(didPkh(5n, address)).toBe('did:pkh:eip155:5:0x52908400098527886E0F7030069857D2E4169EE7');
});

test('an owner who registered nothing resolves on the chain, by both methods', async () => {
  const wallet = Wallet.createRandom();
  const address = fromHex(wallet.address);
  const { chainId, dids } = await identify({ address, chain: { rpc: chain.url, registry } });
  expect(chainId).toBe(31_337n);
  const [ethr, pkh] = dids;
  expect(ethr).toMatchObject({
    did: `did:ethr:0x7a69:${wallet.address}`,
    document: {
      id: `did:ethr:0x7a69:${wallet.address}`,
      verificationMethod: [{ blockchainAccountId: `eip155:31337:${wallet.address}` }],
    },
  });
  expect(pkh).toMatchObject({
    document: {
      id: `did:pkh:eip155:31337:${wallet.address}`,
      verificationMethod: [{ blockchainAccountId: `eip155:31337:${wallet.address}` }],
    },
  });
});

test('without ERC-1056 on the chain did:ethr does not resolve, and says so', async () => {
  const address = fromHex(Wallet.createRandom().address);
  const question = { address, chain: { rpc: chain.url, registry: undefined } };
  await expect(identify(question)).rejects.toMatchObject({ code: 'DID_UNRESOLVED' });
});
