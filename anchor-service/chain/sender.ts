/** Signs transactions of type 2 with the sender key; knows the calls of AnchorLog. */
import { getCreateAddress, Interface, Signature, Transaction } from 'ethers';
import { fromHex } from '../../core/bytes.ts';
import type { Attempt, SenderKey } from '../ports.ts';
import { ANCHOR_LOG_ABI, ANCHOR_LOG_CREATION_CODE } from './anchor-log-abi.ts';
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
  readonly #key: SenderKey;
  readonly #chainId: bigint;

  constructor(key: SenderKey, chainId: bigint) {
    this.#key = key;
    this.#chainId = chainId;
    this.address = key.address;
  }

  contractAddress(nonce: number): Uint8Array {
    return fromHex(getCreateAddress({ from: toDataHex(this.address), nonce }));
  }

  async sign(
    call: Call,
    options: Fees & {
      readonly nonce: number;
      readonly gasLimit: bigint;
      readonly signedAtBlock: number;
    },
  ): Promise<Attempt> {
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
    const signature = await this.#key.sign(fromHex(transaction.unsignedHash));
    transaction.signature = Signature.from({
      r: toDataHex(signature.subarray(0, 32)),
      s: toDataHex(signature.subarray(32, 64)),
      yParity: signature[64] === 1 ? 1 : 0,
    });
    const raw = fromHex(transaction.serialized);
    const hash = fromHex(transaction.hash ?? '');
    return { hash, raw, feeCap, tip, gasLimit, signedAtBlock };
  }
}
