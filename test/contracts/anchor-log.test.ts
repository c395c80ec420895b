/** AnchorLog on a real chain: what a transaction costs and what a storage proof of it shows. */
import { hash } from 'node:crypto';
import { verifyMerkleProof } from '@ethereumjs/mpt';
import {
  AbiCoder,
  Contract,
  ContractFactory,
  decodeRlp,
  getBytes,
  JsonRpcProvider,
  keccak256,
  parseEther,
  type TransactionReceipt,
  toBeHex,
  Wallet,
  zeroPadValue,
} from 'ethers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ANCHOR_LOG_ABI,
  ANCHOR_LOG_AT_SLOT,
  ANCHOR_LOG_CODE_HASH,
  ANCHOR_LOG_CREATION_CODE,
} from '../../anchor-service/chain/anchor-log-abi.ts';
import gasSnapshot from '../../contracts/snapshots/AnchorLog.json' with { type: 'json' };
import { type LocalChain, startLocalChain } from './local-chain.ts';

const MAX_GAS_PER_WINDOW = 47_000n;
const LAST_SEQ = 2n ** 64n - 1n;

type Header = { readonly number: string; readonly stateRoot: string };
type SlotProof = { readonly value: string; readonly proof: readonly string[] };
type Proof = {
  readonly codeHash: string;
  readonly storageHash: string;
  readonly accountProof: readonly string[];
  readonly storageProof: readonly [SlotProof, SlotProof];
};

let chain: LocalChain;
let provider: JsonRpcProvider;
let address: string;

beforeAll(async () => {
  chain = await startLocalChain();
  // Every answer is wanted fresh: no cache, and no waiting for the next poll of four seconds.
  provider = new JsonRpcProvider(chain.url, undefined, { cacheTimeout: -1, pollingInterval: 20 });
  const deployer = await fundedWallet();
  const factory = new ContractFactory(ANCHOR_LOG_ABI, ANCHOR_LOG_CREATION_CODE, deployer);
  address = await (await (await factory.deploy()).waitForDeployment()).getAddress();
});

afterAll(async () => {
  provider.destroy();
  await chain.stop();
});

async function fundedWallet(): Promise<Wallet> {
  const wallet = new Wallet(Wallet.createRandom().privateKey, provider);
  await provider.send('anvil_setBalance', [wallet.address, toBeHex(parseEther('1'))]);
  return wallet;
}

const recordHash = (name: string): string => `0x${hash('sha256', name)}`;

/** Sends whatever the contract may say to it, as a service does that cannot know. */
async function anchor(
  publisher: Wallet,
  windowSeq: bigint,
  windowRecordHash: string,
): Promise<TransactionReceipt> {
  const log = new Contract(address, ANCHOR_LOG_ABI, publisher);
  const transaction = await publisher.sendTransaction({
    to: address,
    data: log.interface.encodeFunctionData('anchor', [windowSeq, windowRecordHash]),
    gasLimit: 100_000n,
  });
  const receipt = await provider.waitForTransaction(transaction.hash, 1, 20_000);
  if (receipt === null) throw new Error(`expected a receipt of ${transaction.hash}, got none`);
  return receipt;
}

function entrySlot(publisher: string, windowSeq: bigint): string {
  const coder = AbiCoder.defaultAbiCoder();
  const ofPublisher = keccak256(
    coder.encode(['address', 'uint256'], [publisher, ANCHOR_LOG_AT_SLOT]),
  );
  return keccak256(coder.encode(['uint64', 'bytes32'], [windowSeq, ofPublisher]));
}

/** The value under `key` in the tree with `root`, RLP decoded; a proof that does not hold throws. */
async function provenValue(root: string, key: string, proof: readonly string[]): Promise<unknown> {
  const nodes = proof.map((node) => getBytes(node));
  const value = await verifyMerkleProof(getBytes(keccak256(key)), nodes, {
    root: getBytes(root),
    useKeyHashing: false,
  });
  return value === null ? null : decodeRlp(value);
}

describe('AnchorLog', () => {
  test('leaves code on the chain that has the code hash of the generated module', async () => {
    expect(keccak256(await provider.getCode(address))).toBe(ANCHOR_LOG_CODE_HASH);
  });

  test('costs at most 47,000 gas for the first and for every following window', async () => {
    const publisher = await fundedWallet();
    const gas: bigint[] = [];
    for (let windowSeq = 0n; windowSeq < 20n; windowSeq++) {
      const receipt = await anchor(publisher, windowSeq, recordHash(`window ${windowSeq}`));
      expect(receipt.status).toBe(1);
      gas.push(receipt.gasUsed);
    }
    for (const used of gas) expect(used).toBeLessThanOrEqual(MAX_GAS_PER_WINDOW);
  });

  test('costs exactly what the gas snapshot of forge says', async () => {
    const publisher = await fundedWallet();
    const hashOfNoZeroByte = `0x${'ff'.repeat(32)}`;
    const first = await anchor(publisher, LAST_SEQ - 1n, hashOfNoZeroByte);
    const next = await anchor(publisher, LAST_SEQ, hashOfNoZeroByte);
    const again = await anchor(publisher, LAST_SEQ, hashOfNoZeroByte);
    const small = await anchor(publisher, 1n, hashOfNoZeroByte);
    expect({
      'anchor: first window of a publisher': String(first.gasUsed),
      'anchor: next window of a publisher': String(next.gasUsed),
      'anchor: same hash again': String(again.gasUsed),
      'anchor: window sequence below 256': String(small.gasUsed),
      'runtime code, bytes': String(getBytes(await provider.getCode(address)).length),
    }).toEqual(gasSnapshot);
  });

  test('takes the same hash again without an event and for less gas', async () => {
    const publisher = await fundedWallet();
    const first = await anchor(publisher, 7n, recordHash('same'));
    const again = await anchor(publisher, 7n, recordHash('same'));
    expect([first.status, first.logs.length]).toEqual([1, 1]);
    expect([again.status, again.logs.length]).toEqual([1, 0]);
    expect(again.gasUsed).toBeLessThan(first.gasUsed);
  });

  test('refuses another hash and names the one that stands', async () => {
    const publisher = await fundedWallet();
    const log = new Contract(address, ANCHOR_LOG_ABI, publisher);
    await anchor(publisher, 7n, recordHash('stands'));
    const refused = await anchor(publisher, 7n, recordHash('comes late'));
    expect([refused.status, refused.logs.length]).toEqual([0, 0]);
    await expect(
      log.getFunction('anchor').staticCall(7n, recordHash('comes late')),
    ).rejects.toMatchObject({
      revert: { name: 'AnchorLogConflict', args: [recordHash('stands')] },
    });
    expect(await log.getFunction('at')(publisher.address, 7n)).toBe(recordHash('stands'));
  });

  test('shows the hash, and an empty slot, to a storage proof under the header of its block', async () => {
    const publisher = await fundedWallet();
    // Storage drops leading zero bytes, in a proof too: whoever reads one has to put them back.
    const anchored = `0x0000${recordHash('proven').slice(6)}`;
    const { blockNumber } = await anchor(publisher, LAST_SEQ, anchored);
    const block = (await provider.send('eth_getBlockByNumber', [
      toBeHex(blockNumber),
      false,
    ])) as Header;
    const slot = entrySlot(publisher.address, LAST_SEQ);
    const emptySlot = entrySlot(publisher.address, LAST_SEQ - 1n);
    const proof = (await provider.send('eth_getProof', [
      address,
      [slot, emptySlot],
      block.number,
    ])) as Proof;
    const [ofSlot, ofEmptySlot] = proof.storageProof;

    const account = await provenValue(block.stateRoot, address, proof.accountProof);
    expect(account).toMatchObject({ 2: proof.storageHash, 3: ANCHOR_LOG_CODE_HASH });
    expect(zeroPadValue(String(await provenValue(proof.storageHash, slot, ofSlot.proof)), 32)).toBe(
      anchored,
    );
    expect(BigInt(ofSlot.value)).toBe(BigInt(anchored));
    expect(await provenValue(proof.storageHash, emptySlot, ofEmptySlot.proof)).toBeNull();
  });
});
