/** Signs transactions of type 2 with the sender key; knows the calls of AnchorLog. */
import { getCreateAddress, Interface, SigningKey, Transaction } from 'ethers';
import { fromHex } from '../../core/bytes.ts';
import type { Attempt } from '../ports.ts';
import { ANCHOR_LOG_ABI, ANCHOR_LOG_CREATION_CODE } from './anchor-log-abi.ts';
import { publisherOf } from './publisher.ts';
import { toDataHex } from './rpc-values.ts';

/** What a nonce is used for; every attempt of the nonce carries the same. */
export type Call = { readonly to: Uint8Array | undefined; readonly data: Uint8Array };

export type Fees = { readonly feeCap: bigint; readonly tip: bigint };

const anchorLog = new Interface(ANCHOR_LOG_ABI);

export function anchorCall(contract: Uint8Array, windowSeq: number, hash: Uint8Array): Call {
  const data = anchorLog.encodeFunctionData('anchor', [BigInt(windowSeq), hash]);
  return { to: contract, data: fromHex(data) };
}

export const CREATION_CALL: Call = { to: undefined, data: fromHex(ANCHOR_LOG_CREATION_CODE) };

export class Sender {
  /** 20 bytes. */
  readonly address: Uint8Array;
  readonly #key: SigningKey;
  readonly #chainId: bigint;

  constructor(secret: Uint8Array, chainId: bigint) {
    this.#key = new SigningKey(secret);
    this.#chainId = chainId;
    this.address = publisherOf(secret);
  }

  contractAddress(nonce: number): Uint8Array {
    return fromHex(getCreateAddress({ from: toDataHex(this.address), nonce }));
  }

  sign(
    call: Call,
    options: Fees & {
      readonly nonce: number;
      readonly gasLimit: bigint;
      readonly signedAtBlock: number;
    },
  ): Attempt {
    const { nonce, feeCap, tip, gasLimit, signedAtBlock } = options;
    const transaction = Transaction.from({
      type: 2,
      chainId: this.#chainId,
      nonce,
      to: call.to === undefined ? null : toDataHex(call.to),
      data: toDataHex(call.data),
      value: 0n,
      gasLimit,
      maxFeePerGas: feeCap,
      maxPriorityFeePerGas: tip,
    });
    transaction.signature = this.#key.sign(transaction.unsignedHash);
    const raw = fromHex(transaction.serialized);
    const hash = fromHex(transaction.hash ?? '');
    return { hash, raw, feeCap, tip, gasLimit, signedAtBlock };
  }
}
