import { verifyMerkleProof } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ANCHOR_LOG_CODE_HASH,
  ANCHOR_LOG_CREATION_CODE,
} from '../../../anchor-service/chain/anchor-log-abi.ts';
import {
  asciiBytes,
  concatBytes,
  equalBytes,
  fromHex,
  toHex,
  uint64Bytes,
} from '../../../core/bytes.ts';
import { FormatError, VerificationError } from '../../../core/errors.ts';
import { type BlockHeader, decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../../core/evm/header-from-rpc.ts';
import { HISTORY_ADDRESS, verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { keccak256 } from '../../../core/evm/keccak.ts';
import { NodePool } from '../../../core/evm/node-pool.ts';
import { nodesFromRpcProof } from '../../../core/evm/proof-from-rpc.ts';
import { padTo32, quantityBytes } from '../../../core/evm/quantity.ts';
import { anchorSlot, proveAccount, proveStorage } from '../../../core/evm/state-proof.ts';
import { type Chain, startAnvil } from '../../../fixtures/generate/evm/anvil.ts';
import type { RpcBlock, RpcProof } from '../../../fixtures/generate/evm/recorded.ts';
import { bitsOf, flipBit } from './flip-bit.ts';

const BLOCKS = 40;
const WINDOWS = 20;

describe('proofs of a running chain', () => {
  let chain: Chain;
  let publisher: Uint8Array;
  let anchorLog: string;
  const headers: Uint8Array[] = [];

  beforeAll(async () => {
    chain = await startAnvil(['--hardfork', 'osaka', '--no-mining']);
    const [account = ''] = (await chain.rpc('eth_accounts')) as string[];
    publisher = fromHex(account);
    const deployment = await send({ data: ANCHOR_LOG_CREATION_CODE });
    await mine();
    const receipt = (await chain.rpc('eth_getTransactionReceipt', [deployment])) as RpcBlock;
    anchorLog = String(receipt['contractAddress']);
    for (let windowSeq = 0; windowSeq < WINDOWS; windowSeq++) {
      await send({ to: anchorLog, data: anchorCall(BigInt(windowSeq)) });
      await mine();
    }
    for (let block = WINDOWS + 1; block < BLOCKS; block++) await mine();
    for (let number = 0; number <= BLOCKS; number++) {
      const block = (await chain.rpc('eth_getBlockByNumber', [hex(number), false])) as RpcBlock;
      headers.push(encodeBlockHeaderFromRpc(block));
    }
  });

  afterAll(async () => {
    await chain.stop();
  });

  const mine = () => chain.rpc('anvil_mine', ['0x1']);
  const send = (transaction: object) =>
    chain.rpc('eth_sendTransaction', [
      { from: `0x${toHex(publisher)}`, gas: hex(1_000_000), ...transaction },
    ]);
  const headerAt = (number: number) => headers[number] ?? new Uint8Array();
  const decoded = (number: number): BlockHeader => decodeBlockHeader(headerAt(number));
  const proofAt = async (number: number, address: string, slots: readonly Uint8Array[]) =>
    (await chain.rpc('eth_getProof', [
      address,
      slots.map((slot) => `0x${toHex(slot)}`),
      hex(number),
    ])) as RpcProof;

  /** As a court would check it: one trusted hash, then everything from the bytes; only coded refusals count. */
  const isProven = (header: Uint8Array, nodes: readonly Uint8Array[], slot: Uint8Array) => {
    try {
      const { hash, stateRoot } = decodeBlockHeader(header);
      const pool = new NodePool(nodes);
      const account = proveAccount(stateRoot, fromHex(anchorLog), pool);
      const word = proveStorage(account?.storageRoot ?? new Uint8Array(), slot, pool);
      pool.requireAllUsed();
      return equalBytes(hash, decoded(BLOCKS).hash) && word.some((byte) => byte !== 0);
    } catch (error) {
      if (error instanceof FormatError || error instanceof VerificationError) return false;
      throw error;
    }
  };

  it('headers chain by their hashes from block 0 to 40', () => {
    expect(headers).toHaveLength(BLOCKS + 1);
    for (let number = 1; number <= BLOCKS; number++) {
      expect(decoded(number).number).toBe(BigInt(number));
      expect(decoded(number).parentHash).toEqual(decoded(number - 1).hash);
    }
  });

  it('every anchored window has its value under the state root, and no other window has one', async () => {
    const windows = Array.from({ length: WINDOWS + 3 }, (_, i) => BigInt(i));
    const slots = windows.map((windowSeq) => anchorSlot(publisher, windowSeq));
    const proof = await proofAt(BLOCKS, anchorLog, slots);
    const pool = new NodePool(nodesFromRpcProof(proof));
    const account = proveAccount(decoded(BLOCKS).stateRoot, fromHex(anchorLog), pool);
    expect(`0x${toHex(account?.codeHash ?? new Uint8Array())}`).toBe(ANCHOR_LOG_CODE_HASH);
    for (const [i, slot] of slots.entries()) {
      const word = proveStorage(account?.storageRoot ?? new Uint8Array(), slot, pool);
      expect(word).toEqual(i < WINDOWS ? recordHash(BigInt(i)) : new Uint8Array(32));
      expect(await secondOpinion(proof, slot)).toEqual(word);
    }
    pool.requireAllUsed();
  });

  it('a window has no value in the state before its block', async () => {
    const slot = anchorSlot(publisher, 5n);
    const before = 6;
    const proof = await proofAt(before, anchorLog, [slot]);
    const pool = new NodePool(nodesFromRpcProof(proof));
    const account = proveAccount(decoded(before).stateRoot, fromHex(anchorLog), pool);
    const word = proveStorage(account?.storageRoot ?? new Uint8Array(), slot, pool);
    expect(word).toEqual(new Uint8Array(32));
  });

  it('the newest header is linked to every older one by EIP-2935', async () => {
    const numbers = Array.from({ length: BLOCKS }, (_, i) => BLOCKS - 1 - i);
    const slots = numbers.map((number) => padTo32(quantityBytes(BigInt(number))));
    const proof = await proofAt(BLOCKS, `0x${toHex(HISTORY_ADDRESS)}`, slots);
    const { newest, known } = verifyHeaderLink({
      chainId: 31_337n,
      hops: [{ kind: 'history', header: headerAt(BLOCKS), numbers: numbers.map(BigInt) }],
      nodes: nodesFromRpcProof(proof),
    });
    expect(newest).toEqual(decoded(BLOCKS));
    for (const number of numbers) expect(known.get(BigInt(number))).toEqual(decoded(number).hash);
  });

  it('no header and no proof survives the flip of one bit', async () => {
    const slot = anchorSlot(publisher, 7n);
    const header = headerAt(BLOCKS);
    const nodes = nodesFromRpcProof(await proofAt(BLOCKS, anchorLog, [slot]));
    const strings = [header, ...nodes];
    expect(isProven(header, nodes, slot)).toBe(true);
    fc.assert(
      fc.property(fc.nat({ max: bitsOf(strings) - 1 }), (bit) => {
        const [flippedHeader = header, ...flippedNodes] = flipBit(strings, bit);
        expect(isProven(flippedHeader, flippedNodes, slot)).toBe(false);
      }),
    );
  });
});

const hex = (value: number) => `0x${value.toString(16)}`;
const recordHash = (windowSeq: bigint) => keccak256(uint64Bytes(windowSeq));

function anchorCall(windowSeq: bigint): string {
  const selector = keccak256(asciiBytes('anchor(uint64,bytes32)')).subarray(0, 4);
  const words = [padTo32(uint64Bytes(windowSeq)), recordHash(windowSeq)];
  return `0x${toHex(concatBytes(selector, ...words))}`;
}

/** The same storage proof by another implementation. */
async function secondOpinion(proof: RpcProof, slot: Uint8Array): Promise<Uint8Array> {
  const claim = proof.storageProof.find(({ key }) => BigInt(key) === BigInt(`0x${toHex(slot)}`));
  const nodes = (claim?.proof ?? []).map(fromHex);
  const value = await verifyMerkleProof(slot, nodes, {
    ...{ useKeyHashing: true, root: fromHex(proof.storageHash) },
  });
  return value === null ? new Uint8Array(32) : padTo32(RLP.decode(value) as Uint8Array);
}
