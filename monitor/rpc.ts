/** The chain as the monitor asks it: JSON-RPC over HTTP, to one or several endpoints that must not contradict each other. */
import { equalBytes, toHex } from '../core/bytes.ts';
import { FormatError, OperationalError, VerificationError } from '../core/errors.ts';
import { type BlockHeader, decodeBlockHeader } from '../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../core/evm/header-from-rpc.ts';
import { nodesFromRpcProof } from '../core/evm/proof-from-rpc.ts';
import { readCapped } from './capped.ts';

const MAX_ANSWER_BYTES = 16 << 20;
const TIMEOUT_MS = 15_000;

export type ChainBlock = BlockHeader & { readonly header: Uint8Array };

export class Rpc {
  readonly #urls: readonly string[];
  #id = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  /** @throws OperationalError CHAIN_UNREACHABLE, CHAIN_MALFORMED */
  async chainId(): Promise<bigint> {
    const ids = await Promise.all(
      this.#urls.map(async (url) => quantity(await this.#call(url, 'eth_chainId', []))),
    );
    const [first = 0n] = ids;
    if (ids.some((id) => id !== first)) throw disagreement('chain ids');
    return first;
  }

  /** The newest block that every endpoint calls finalized. @throws OperationalError CHAIN_* */
  async finalized(): Promise<ChainBlock> {
    const numbers = await Promise.all(
      this.#urls.map(async (url) => {
        const block = await this.#call(url, 'eth_getBlockByNumber', ['finalized', false]);
        return quantity((block as { number?: unknown } | null)?.number);
      }),
    );
    const [lowest = 0n] = numbers.sort((a, b) => (a < b ? -1 : 1));
    return await this.block(lowest);
  }

  /** @throws OperationalError CHAIN_UNREACHABLE, CHAIN_MALFORMED, CHAIN_DISAGREEMENT */
  async block(number: bigint): Promise<ChainBlock> {
    const blocks = await Promise.all(
      this.#urls.map(async (url) => {
        const answer = await this.#call(url, 'eth_getBlockByNumber', [hex(number), false]);
        try {
          const header = encodeBlockHeaderFromRpc((answer ?? {}) as object);
          return { ...decodeBlockHeader(header), header };
        } catch (cause) {
          if (!(cause instanceof FormatError) && !(cause instanceof VerificationError)) throw cause;
          throw malformed(url, `block ${number}`, cause);
        }
      }),
    );
    const [first] = blocks;
    if (first === undefined) throw disagreement(`block ${number}`);
    if (blocks.some(({ hash }) => !equalBytes(hash, first.hash))) {
      throw disagreement(`block ${number}`);
    }
    return first;
  }

  /** @throws OperationalError CHAIN_* */
  async logs(
    contract: Uint8Array,
    topics: readonly (string | null)[],
    from: bigint,
    to: bigint,
  ): Promise<readonly Record<string, unknown>[]> {
    const filter = {
      address: `0x${toHex(contract)}`,
      topics,
      fromBlock: hex(from),
      toBlock: hex(to),
    };
    const logs = await this.#first('eth_getLogs', [filter]);
    if (!Array.isArray(logs)) throw malformed('the endpoint', 'logs');
    return logs as Record<string, unknown>[];
  }

  /** Trie nodes for slots of an account in the state after a block. @throws OperationalError CHAIN_* */
  async proof(
    address: Uint8Array,
    slots: readonly Uint8Array[],
    number: bigint,
  ): Promise<Uint8Array[]> {
    const keys = slots.map((slot) => `0x${toHex(slot)}`);
    const answer = await this.#first('eth_getProof', [`0x${toHex(address)}`, keys, hex(number)]);
    try {
      return nodesFromRpcProof((answer ?? {}) as object);
    } catch (cause) {
      if (!(cause instanceof FormatError) && !(cause instanceof VerificationError)) throw cause;
      throw malformed('the endpoint', 'a proof', cause);
    }
  }

  async #first(method: string, params: readonly unknown[]): Promise<unknown> {
    let last: unknown;
    for (const url of this.#urls) {
      try {
        return await this.#call(url, method, params);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  async #call(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
    const { host } = new URL(url);
    this.#id += 1;
    let text: string;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: this.#id, method, params }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      text = new TextDecoder().decode(await readCapped(response, MAX_ANSWER_BYTES));
    } catch (cause) {
      throw new OperationalError(
        'CHAIN_UNREACHABLE',
        `the chain endpoint ${host} does not answer`,
        {
          retryable: true,
          cause,
        },
      );
    }
    let answer: { result?: unknown; error?: unknown };
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch (cause) {
      throw malformed(host, method, cause);
    }
    if (answer.error !== undefined || answer.result === undefined) throw malformed(host, method);
    return answer.result;
  }
}

function hex(number: bigint): string {
  return `0x${number.toString(16)}`;
}

function quantity(value: unknown): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,16}$/i.test(value)) {
    throw malformed('the endpoint', 'a quantity');
  }
  return BigInt(value);
}

function malformed(who: string, what: string, cause?: unknown): OperationalError {
  return new OperationalError('CHAIN_MALFORMED', `${who} gave no usable answer about ${what}`, {
    retryable: true,
    cause,
  });
}

function disagreement(what: string): OperationalError {
  return new OperationalError('CHAIN_DISAGREEMENT', `chain endpoints disagree about ${what}`, {
    retryable: true,
  });
}
