/** A chain in memory: each block holds one window's record, and the hashes of blocks before it (EIP-2935). */
import { toHex } from '../../../core/bytes.ts';
import { HEADER_FIELDS } from '../../../core/evm/block-header.ts';
import { HISTORY_ADDRESS, HISTORY_CODE_HASH, type Hop } from '../../../core/evm/header-link.ts';
import { encodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { keccak256 } from '../../../core/evm/keccak.ts';
import { sortNodes } from '../../../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../../../core/evm/quantity.ts';
import { encodeRlp } from '../../../core/evm/rlp.ts';
import { anchorSlot } from '../../../core/evm/state-proof.ts';
import type { EvmAnchor } from '../../../core/receipt.ts';
import type { BeaconBlock } from '../../../core/vehicle-log.ts';
import type { WindowRecord } from '../../../core/window.ts';
import { type BuiltTrie, buildTrie } from '../../../fixtures/generate/bundles/trie-builder.ts';
import { proofNodes } from './proof-nodes.ts';

export const CHAIN_ID = 31_337n;
export const CONTRACT = new Uint8Array(20).fill(0xc0);
export const PUBLISHER = new Uint8Array(20).fill(0x9b);
export const CODE_HASH = new Uint8Array(32).fill(0xcd);
const FIRST_S = 1_700_000_000n;

export class MiniChain {
  /** By number; none is ever changed. */
  readonly headers: Uint8Array[] = [];

  constructor() {
    for (let i = 0; i < 4; i++)
      this.#append(buildTrie([{ key: new Uint8Array(32), value: quantityBytes(1n) }]).root);
  }

  beacon(number: number): BeaconBlock {
    return { chainId: CHAIN_ID, number: BigInt(number), hash: this.#hash(number) };
  }

  /** A new block that holds the record, and the link from it to `shown` blocks. */
  anchor(
    record: WindowRecord,
    recordHash: Uint8Array,
    shown: readonly number[],
  ): { readonly anchor: EvmAnchor; readonly link: Uint8Array; readonly number: number } {
    const slot = keccak256(anchorSlot(record.publisher, record.windowSeq));
    const anchored = buildTrie([{ key: slot, value: word(recordHash) }]);
    const history = buildTrie(
      shown.map((number) => ({ key: historyKey(number), value: word(this.#hash(number)) })),
    );
    const contractKey = keccak256(record.contract);
    const historyAccount = keccak256(HISTORY_ADDRESS);
    const state = buildTrie([
      { key: contractKey, value: account(anchored, CODE_HASH) },
      { key: historyAccount, value: account(history, HISTORY_CODE_HASH) },
    ]);
    const number = this.#append(state.root);
    const header = this.headers[number] ?? new Uint8Array(0);
    const hop: Hop = {
      ...{ kind: 'history', header },
      numbers: [...shown].sort((a, b) => b - a).map(BigInt),
    };
    const linkNodes = [
      ...proofNodes(state, [historyAccount]),
      ...proofNodes(history, shown.map(historyKey)),
    ];
    const anchorNodes = [...proofNodes(state, [contractKey]), ...proofNodes(anchored, [slot])];
    return {
      number,
      anchor: { kind: 'evm', header, nodes: sortNodes(anchorNodes) },
      link: encodeHeaderLink({ chainId: CHAIN_ID, hops: [hop], nodes: sortNodes(linkNodes) }),
    };
  }

  #hash(number: number): Uint8Array {
    return keccak256(this.headers[number] ?? new Uint8Array(0));
  }

  #append(stateRoot: Uint8Array): number {
    const number = this.headers.length;
    const values: Readonly<Record<string, Uint8Array>> = {
      parentHash: number === 0 ? new Uint8Array(32) : this.#hash(number - 1),
      stateRoot,
      number: quantityBytes(BigInt(number)),
      gasLimit: quantityBytes(30_000_000n),
      timestamp: quantityBytes(FIRST_S + 12n * BigInt(number)),
    };
    const fields = HEADER_FIELDS.map(
      ({ name, kind, width }) => values[name] ?? new Uint8Array(kind === 'bytes' ? width : 0),
    );
    return this.headers.push(encodeRlp(fields)) - 1;
  }
}

function historyKey(number: number): Uint8Array {
  return keccak256(padTo32(quantityBytes(BigInt(number) % 8191n)));
}

/** As a storage trie holds it: without leading zeros. */
function word(bytes: Uint8Array): Uint8Array {
  return encodeRlp(quantityBytes(BigInt(`0x${toHex(bytes)}`)));
}

function account(storage: BuiltTrie, codeHash: Uint8Array): Uint8Array {
  return encodeRlp([Uint8Array.of(1), new Uint8Array(0), storage.root, codeHash]);
}
