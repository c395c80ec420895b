/**
 * All configured endpoints: any of them for what is only progress, a quorum for what becomes evidence.
 * Implements spec/finality.md, "Quorum".
 */
import { equalBytes } from '../../core/bytes.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../core/evm/header-from-rpc.ts';
import {
  type Answered,
  type Ask,
  answeredIn,
  askEach,
  askInTurn,
  type Outcome,
} from './ask-endpoints.ts';
import type { Endpoint } from './json-rpc.ts';
import { readNumber, readObject, readQuantity, toQuantityHex } from './rpc-values.ts';

export type Head = { readonly number: number; readonly baseFee: bigint };

export type Block = {
  readonly number: number;
  readonly hash: Uint8Array;
  /** RLP that hashes to `hash`. */
  readonly header: Uint8Array;
};

export class Endpoints {
  readonly all: readonly Endpoint[];
  readonly quorum: number;

  constructor(all: readonly Endpoint[], quorum: number) {
    this.all = all;
    this.quorum = quorum;
  }

  /** The first answer. @throws the last endpoint's error when none answers */
  async any<T>(ask: Ask<T>): Promise<T> {
    return await askInTurn(this.all, ask);
  }

  /** Of every endpoint, its answer or why there is none. @param needed answers, below which who failed is asked again */
  async each<T>(ask: Ask<T>, needed = 0): Promise<readonly Outcome<T>[]> {
    return await askEach(this.all, ask, needed);
  }

  /**
   * Every answer there is. For questions of which one endpoint must not decide alone.
   * @throws the last endpoint's error when none answers
   */
  async answers<T>(ask: Ask<T>): Promise<readonly T[]> {
    return (await this.#answered(ask)).map(({ value }) => value);
  }

  /** A price or an estimate: one endpoint that exaggerates, either way, moves it no further than another's. */
  async middle(ask: Ask<bigint>): Promise<bigint> {
    return middleOf(await this.answers(ask));
  }

  /**
   * The highest block that as many endpoints as the quorum have, or all that answer when they are fewer: one
   * that is behind holds nothing up, and one that runs ahead of the chain makes nobody raise a fee.
   */
  async head(): Promise<Head> {
    const heads = await this.answers(headOf);
    const numbers = heads.map(({ number }) => number).sort((a, b) => b - a);
    const number = numbers[Math.min(this.quorum, numbers.length) - 1] ?? 0;
    return { number, baseFee: middleOf(heads.map(({ baseFee }) => baseFee)) };
  }

  /**
   * The newest block that every endpoint that answers calls finalized, by the same hash.
   * @throws OperationalError QUORUM_MISSING (retryable), CHAIN_DISAGREEMENT (not: one of them is wrong for good)
   */
  async finalized(): Promise<Block> {
    const claims = await this.#quorumOf(finalizedNumber);
    const number = Math.min(...claims.map(({ value }) => value));
    // Of who made no claim, this block may be one that a reorganisation still replaces: that contradicts nothing.
    const claimants = claims.map(({ endpoint }) => endpoint);
    return await this.agreed(number, claimants);
  }

  /**
   * @param number not above what `among` call finalized
   * @throws OperationalError as `finalized`
   */
  async agreed(number: number, among = this.all): Promise<Block> {
    const blocks = await this.#quorumOf((endpoint) => blockAt(endpoint, number), among);
    return sameBlock(blocks, { code: 'CHAIN_DISAGREEMENT', retryable: false });
  }

  /**
   * The block of this number, which a reorganisation may still replace, when all that answer have the same.
   * @throws OperationalError HEADS_DIFFER, or the last endpoint's error when none answers; all retryable
   */
  async recent(number: number): Promise<Block> {
    const blocks = await this.#answered((endpoint) => blockAt(endpoint, number));
    return sameBlock(blocks, { code: 'HEADS_DIFFER', retryable: true });
  }

  async #quorumOf<T>(ask: Ask<T>, among = this.all): Promise<readonly Answered<T>[]> {
    const answered = answeredIn(await askEach(among, ask, this.quorum));
    if (answered.length < this.quorum) throw quorumMissing(answered.length, this.quorum);
    return answered;
  }

  async #answered<T>(ask: Ask<T>): Promise<readonly Answered<T>[]> {
    const outcomes = await this.each(ask, 1);
    const answered = answeredIn(outcomes);
    if (answered.length > 0) return answered;
    const [failed] = outcomes.slice(-1);
    throw failed?.outcome instanceof Error ? failed.outcome : quorumMissing(0, this.quorum);
  }
}

/** @param blocks of one number, at least one */
function sameBlock(
  blocks: readonly Answered<Block>[],
  { code, retryable }: { readonly code: string; readonly retryable: boolean },
): Block {
  const [first, ...others] = blocks;
  if (first === undefined) throw quorumMissing(0, 1);
  const other = others.find(({ value }) => !equalBytes(value.hash, first.value.hash));
  if (other === undefined) return first.value;
  throw new OperationalError(
    code,
    `${first.endpoint.name} and ${other.endpoint.name} have different blocks ${first.value.number}`,
    { retryable },
  );
}

/** Seconds since 1970 by the chain. */
export function timestampOf({ header }: Block): number {
  return Number(decodeBlockHeader(header).timestamp);
}

async function headOf(endpoint: Endpoint): Promise<Head> {
  const answer = await endpoint.call('eth_getBlockByNumber', ['latest', false]);
  const block = readObject(answer, 'block');
  return {
    number: readNumber(block['number'], 'block number'),
    baseFee: readQuantity(block['baseFeePerGas'] ?? '0x0', 'base fee'),
  };
}

/** The lower one of two. */
function middleOf(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : 1));
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0n;
}

async function finalizedNumber(endpoint: Endpoint): Promise<number> {
  const block = await endpoint.call('eth_getBlockByNumber', ['finalized', false]);
  return readNumber(readObject(block, 'finalized block')['number'], 'block number');
}

/** @throws OperationalError BLOCK_ABSENT, RPC_MALFORMED (retryable) */
export async function blockAt(endpoint: Endpoint, number: number): Promise<Block> {
  const answer = await endpoint.call('eth_getBlockByNumber', [toQuantityHex(number), false]);
  if (answer === null || answer === undefined) {
    throw new OperationalError('BLOCK_ABSENT', `${endpoint.name} has no block ${number}`, {
      retryable: true,
    });
  }
  const block = readObject(answer, 'block');
  try {
    const header = encodeBlockHeaderFromRpc(block);
    const { hash, number: claimed } = decodeBlockHeader(header);
    if (claimed === BigInt(number)) return { number, hash, header };
  } catch (cause) {
    if (!(cause instanceof FormatError) && !(cause instanceof VerificationError)) throw cause;
    throw wrongBlock(endpoint, number, cause);
  }
  throw wrongBlock(endpoint, number);
}

function wrongBlock(endpoint: Endpoint, number: number, cause?: unknown): OperationalError {
  return new OperationalError(
    'RPC_MALFORMED',
    `${endpoint.name} answered block ${number} with a header that is not that block's`,
    { retryable: true, cause },
  );
}

function quorumMissing(answered: number, quorum: number): OperationalError {
  return new OperationalError(
    'QUORUM_MISSING',
    `expected ${quorum} chain endpoints to answer, got ${answered}`,
    { retryable: true },
  );
}
