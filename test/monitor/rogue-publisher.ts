/** A publisher that anchors whatever it is told on a real chain and publishes it well-formed: what no service of ours does. */
import { Interface } from 'ethers';
import { ANCHOR_LOG_ABI } from '../../anchor-service/chain/anchor-log-abi.ts';
import { fromHex, joinBytes, toHex } from '../../core/bytes.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../core/evm/header-from-rpc.ts';
import { NodePool } from '../../core/evm/node-pool.ts';
import { nodesFromRpcProof } from '../../core/evm/proof-from-rpc.ts';
import { anchorSlot, proveAccount, proveStorage } from '../../core/evm/state-proof.ts';
import { encodeNewest, NEWEST_FILE, windowFile } from '../../core/published.ts';
import { encodeAnchoredWindow } from '../../core/receipt.ts';
import { encodeWindowRecord, windowRecordHash, windowTree } from '../../core/window.ts';
import type { TestChain } from '../anchor-service/support/chain.ts';
import type { Serve } from './static-site.ts';

const anchorLog = new Interface(ANCHOR_LOG_ABI);

export class RoguePublisher {
  readonly publisher: Uint8Array;
  readonly #chain: TestChain;
  readonly #contract: Uint8Array;
  readonly #files = new Map<string, Uint8Array>();
  readonly #listed: { seq: number; recordHash: Uint8Array; treeSize: number }[] = [];

  private constructor(chain: TestChain, contract: Uint8Array, publisher: Uint8Array) {
    this.#chain = chain;
    this.#contract = contract;
    this.publisher = publisher;
  }

  /** @param account of those that anvil has unlocked */
  static async open(
    chain: TestChain,
    contract: Uint8Array,
    account: number,
  ): Promise<RoguePublisher> {
    const accounts = (await chain.rpc('eth_accounts')) as string[];
    return new RoguePublisher(chain, contract, fromHex(accounts[account] ?? ''));
  }

  /** @returns the hash of its record */
  async publish(
    seq: number,
    entries: readonly Uint8Array[],
    previousHash: Uint8Array,
  ): Promise<Uint8Array> {
    const tree = windowTree(entries);
    const record = encodeWindowRecord({
      chainId: 31337n,
      contract: this.#contract,
      publisher: this.publisher,
      windowSeq: BigInt(seq),
      treeSize: tree.size,
      root: tree.root(),
      previousHash,
    });
    const hash = windowRecordHash(record);
    await this.#anchor(seq, hash);
    const window = { seq, recordHash: hash, treeSize: tree.size };
    this.#files.set(windowFile(window, 'anchored'), await this.#anchored(seq, record));
    this.#files.set(windowFile(window, 'entries'), joinBytes(entries));
    this.#listed.push(window);
    return hash;
  }

  get serve(): Serve {
    return async (name) => {
      if (name !== NEWEST_FILE) return await Promise.resolve(this.#files.get(name));
      return encodeNewest({
        chainId: 31337n,
        contract: this.#contract,
        publisher: this.publisher,
        windows: this.#listed.length,
        recent: this.#listed,
      });
    };
  }

  async #anchor(seq: number, hash: Uint8Array): Promise<void> {
    const data = anchorLog.encodeFunctionData('anchor', [seq, hash]);
    const [from, to] = [`0x${toHex(this.publisher)}`, `0x${toHex(this.#contract)}`];
    const sent = await this.#chain.rpc('eth_sendTransaction', { from, to, data });
    for (;;) {
      const receipt = (await this.#chain.rpc('eth_getTransactionReceipt', sent)) as {
        blockNumber: string;
      } | null;
      const final = (await this.#chain.rpc('eth_getBlockByNumber', 'finalized', false)) as {
        number: string;
      };
      if (receipt !== null && Number(final.number) >= Number(receipt.blockNumber)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #anchored(seq: number, record: Uint8Array): Promise<Uint8Array> {
    const block = (await this.#chain.rpc('eth_getBlockByNumber', 'finalized', false)) as object;
    const header = encodeBlockHeaderFromRpc(block);
    const { stateRoot, number } = decodeBlockHeader(header);
    const slot = anchorSlot(this.publisher, BigInt(seq));
    const address = `0x${toHex(this.#contract)}`;
    const at = `0x${number.toString(16)}`;
    const proof = await this.#chain.rpc('eth_getProof', address, [`0x${toHex(slot)}`], at);
    const pool = new NodePool(nodesFromRpcProof(proof as object));
    const account = proveAccount(stateRoot, this.#contract, pool);
    proveStorage(account?.storageRoot ?? new Uint8Array(32), slot, pool);
    return encodeAnchoredWindow({ record, anchors: [{ kind: 'evm', header, nodes: pool.used() }] });
  }
}
