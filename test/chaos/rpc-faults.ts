/** The faults of an endpoint, one function each. */
import { Transaction } from 'ethers';
import { fromHex, toHex } from '../../core/bytes.ts';
import { HEADER_FIELDS } from '../../core/evm/block-header.ts';
import { keccak256 } from '../../core/evm/keccak.ts';
import { quantityBytes } from '../../core/evm/quantity.ts';
import { encodeRlp } from '../../core/evm/rlp.ts';
import { seeded } from '../power/seeded.ts';
import { type Fault, RawAnswer, RpcError } from './rpc-proxy.ts';

type Block = Record<string, unknown> & { readonly number: string; readonly hash: string };

/** Whether the next call fails, of all calls of all endpoints that share it. */
export type Turn = () => boolean;

/** One of so many, strictly in turn: with calls that come in the same order each time, the same ones for ever. */
export const everyOf = (calls: number): Turn => {
  let count = 0;
  return () => {
    count += 1;
    return count % calls === 0;
  };
};

/** Half of all, as from a seed. */
export const halfAtRandom = (seed: number): Turn => {
  const below = seeded(seed);
  return () => below(2) === 0;
};

/** The service sees an error of JSON-RPC. */
export const failing =
  (fails: Turn = everyOf(1)): Fault =>
  async (_call, next) => {
    if (fails()) throw new RpcError('internal error');
    return await next();
  };

/** Too many requests, as a gateway says it: a status and a page that is no JSON-RPC. */
export const busy =
  (fails: Turn): Fault =>
  async (_call, next) => {
    if (fails()) throw new RawAnswer(429, 'Too Many Requests');
    return await next();
  };

/** The answer comes late: after the patience of the caller when `ms` is above it. */
export const delaying =
  (ms: number): Fault =>
  async (_call, next) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return await next();
  };

/** Every call reaches the chain twice, as from a gateway that tries again by itself. */
export const duplicating: Fault = async (call, next) => {
  const first = await settled(next);
  const second = await settled(async () => await call.forward());
  const { value, error } = second.error === undefined ? second : first;
  // A gateway answers with its last try: "already imported", although the chain has the transaction.
  if (call.method === 'eth_sendRawTransaction' && second.error !== undefined) throw second.error;
  if (error !== undefined) throw error;
  return value;
};

/** Half of an answer, and the connection's end. */
export const truncating: Fault = async (_call, next) => {
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result: await next() });
  throw new RawAnswer(200, text.slice(0, text.length / 2));
};

/** Serves the chain as it was when the fault was set: no block, receipt or count after it. */
export const stale =
  (height: number): Fault =>
  async (call, next) => {
    const old = `0x${height.toString(16)}`;
    const [first, ...rest] = call.params;
    if (call.method === 'eth_blockNumber') return old;
    if (call.method === 'eth_getBlockByNumber') {
      if (first === 'latest') return await call.forward(call.method, [old, ...rest]);
      if (first === 'finalized') {
        const block = (await next()) as Block;
        return Number(block.number) <= height
          ? block
          : await call.forward(call.method, [old, ...rest]);
      }
      return Number(first) > height ? null : await next();
    }
    if (call.method === 'eth_getTransactionReceipt') {
      const receipt = (await next()) as { readonly blockNumber: string } | null;
      return receipt === null || Number(receipt.blockNumber) > height ? null : receipt;
    }
    if (call.method === 'eth_getTransactionCount' && rest[0] === 'latest') {
      return await call.forward(call.method, [first, old]);
    }
    return await next();
  };

/** Every other look or so shows the chain as it was, as behind a balancer with one node that is behind. */
export const flipFlopping = (height: number, seed = 1): Fault => {
  const below = seeded(seed);
  const behind = stale(height);
  return async (call, next) => (below(2) === 0 ? await behind(call, next) : await next());
};

/** Another chain behind the same address. */
export const wrongChainId: Fault = async (call, next) =>
  call.method === 'eth_chainId' ? '0x1' : await next();

/** Says that it took the transaction, and throws it away; later it knows nothing of it. */
export const discarding: Fault = async (call, next) => {
  if (call.method !== 'eth_sendRawTransaction') return await next();
  return Transaction.from(String(call.params[0])).hash;
};

/**
 * The discarded transaction has a receipt with status 1 in a block that is real and does not hold it: what a
 * lying endpoint can show without breaking a hash. Nothing is in the contract's storage.
 */
export const forgingReceipts: Fault = async (call, next) => {
  if (call.method === 'eth_sendRawTransaction') return await discarding(call, next);
  if (call.method !== 'eth_getTransactionReceipt') return await next();
  const real = await next();
  if (real !== null) return real;
  const [hash] = call.params;
  const key = String(hash);
  const block =
    forged.get(key) ?? ((await call.forward('eth_getBlockByNumber', ['latest', false])) as Block);
  forged.set(key, block);
  return {
    transactionHash: hash,
    blockNumber: block.number,
    blockHash: block.hash,
    status: '0x1',
    gasUsed: '0xb4d0',
    logs: [],
  };
};
const forged = new Map<string, Block>();

/** A finalized block that is none: its header hashes to what the endpoint says, and no chain has it. */
export const lyingAboutFinality: Fault = async (call, next) => {
  const block = (await next()) as Block | null;
  if (call.method !== 'eth_getBlockByNumber' || block === null) return block;
  if (call.params[0] === 'latest' || call.params[0] === 'finalized') return block;
  return forgedBlock(block);
};

/** geth's rule for a pool: a replacement raises fee cap and tip by a tenth each, or it is refused. anvil has none. */
export const replacementRule = (): Fault => {
  const pooled = new Map<string, Transaction>();
  return async (call, next) => {
    if (call.method !== 'eth_sendRawTransaction') return await next();
    const offered = Transaction.from(String(call.params[0]));
    const place = `${offered.from} ${offered.nonce}`;
    const before = pooled.get(place);
    if (before?.hash === offered.hash) throw new RpcError('already known');
    if (before !== undefined && !outbids(offered, before)) {
      throw new RpcError('replacement transaction underpriced');
    }
    const result = await next();
    pooled.set(place, offered);
    return result;
  };
};

function outbids(offered: Transaction, before: Transaction): boolean {
  const tenth = (fee: bigint | null): bigint => ((fee ?? 0n) * 110n) / 100n;
  return (
    (offered.maxFeePerGas ?? 0n) >= tenth(before.maxFeePerGas) &&
    (offered.maxPriorityFeePerGas ?? 0n) >= tenth(before.maxPriorityFeePerGas)
  );
}

async function settled(
  ask: () => Promise<unknown>,
): Promise<{ readonly value?: unknown; readonly error?: Error }> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** The block with another extra data and the hash that its header then has. */
function forgedBlock(block: Block): Block {
  const changed: Block = { ...block, extraData: '0x666f72676564' };
  const present = HEADER_FIELDS.filter(({ name }) => (changed[name] ?? null) !== null);
  const fields = present.map(({ name, kind }) =>
    kind === 'quantity'
      ? quantityBytes(BigInt(String(changed[name])))
      : fromHex(String(changed[name])),
  );
  return { ...changed, hash: `0x${toHex(keccak256(encodeRlp(fields)))}` };
}
