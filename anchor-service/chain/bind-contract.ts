/**
 * Finds out, before anything is sent, that the chain and the contract are the ones meant; on a local chain
 * without a contract, deploys one. Implements spec/finality.md, "Before the first window".
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { HISTORY_ADDRESS, HISTORY_CODE_HASH } from '../../core/evm/header-link.ts';
import { keccak256 } from '../../core/evm/keccak.ts';
import type { IdentityStore, ServiceIdentity } from '../ports.ts';
import { ANCHOR_LOG_CODE_HASH } from './anchor-log-abi.ts';
import type { Endpoints } from './endpoints.ts';
import { readBytes, readQuantity, toDataHex } from './rpc-values.ts';

export type WantedChain = {
  readonly chainId: bigint | undefined;
  readonly contract: Uint8Array | undefined;
  readonly publisher: Uint8Array;
  /** The publisher that this one takes over from. */
  readonly replaces: Uint8Array | undefined;
};

/**
 * The id that every endpoint which answers serves, and as many answer as the quorum.
 * @throws UserError CHAIN_ID_MISMATCH; OperationalError of an endpoint that does not answer (retryable)
 */
export async function readChainId(
  endpoints: Endpoints,
  expected: bigint | undefined,
): Promise<bigint> {
  let agreed = expected;
  let answers = 0;
  let failure: OperationalError | undefined;
  const ids = await endpoints.each((e) => e.call('eth_chainId', []), endpoints.quorum);
  for (const { endpoint, outcome } of ids) {
    if (outcome instanceof OperationalError) {
      failure = outcome;
      continue;
    }
    const id = readQuantity(outcome, 'chain id');
    agreed ??= id;
    if (id !== agreed) {
      throw new UserError(
        'CHAIN_ID_MISMATCH',
        `expected chain ${agreed} behind ${endpoint.name}, got chain ${id}`,
      );
    }
    answers += 1;
  }
  if (failure !== undefined && answers < endpoints.quorum) throw failure;
  if (agreed !== undefined) return agreed;
  throw new UserError('CHAIN_ID_MISMATCH', 'expected a chain id, got no endpoint');
}

/** @throws UserError CONTRACT_NO_CODE, CONTRACT_CODE_MISMATCH, CHAIN_NO_HISTORY */
export async function checkContract(endpoints: Endpoints, contract: Uint8Array): Promise<void> {
  const codeHash = await codeHashAt(endpoints, contract);
  if (codeHash === undefined) {
    throw new UserError(
      'CONTRACT_NO_CODE',
      `expected AnchorLog at 0x${toHex(contract)}, got an address without code`,
    );
  }
  if (toDataHex(codeHash) !== ANCHOR_LOG_CODE_HASH) {
    throw new UserError(
      'CONTRACT_CODE_MISMATCH',
      `expected AnchorLog at 0x${toHex(contract)}, got code with hash 0x${toHex(codeHash)}`,
    );
  }
  const history = await codeHashAt(endpoints, HISTORY_ADDRESS);
  if (history === undefined || !equalBytes(history, HISTORY_CODE_HASH)) {
    throw new UserError(
      'CHAIN_NO_HISTORY',
      'expected a chain that keeps block hashes in its state (EIP-2935), got one without',
    );
  }
}

/** @returns undefined at an address without code */
export async function codeHashAt(
  endpoints: Endpoints,
  address: Uint8Array,
  block = 'latest',
): Promise<Uint8Array | undefined> {
  const answer = await endpoints.any((e) => e.call('eth_getCode', [toDataHex(address), block]));
  const code = readBytes(answer, 'code');
  return code.length === 0 ? undefined : keccak256(code);
}

/**
 * The identity that the data folder is bound to, if any: its publisher is the wanted one or the one it replaces.
 * @throws UserError CHAIN_ID_MISMATCH, DATA_FOLDER_OTHER_IDENTITY
 */
export function storedIdentity(
  store: IdentityStore,
  wanted: WantedChain,
): ServiceIdentity | undefined {
  const stored = store.identity();
  if (stored === undefined) return undefined;
  if (wanted.chainId !== undefined && wanted.chainId !== stored.chainId) {
    throw new UserError(
      'CHAIN_ID_MISMATCH',
      `expected chain ${stored.chainId}, which this data folder is for, got chain ${wanted.chainId}`,
    );
  }
  const sameContract =
    wanted.contract === undefined || equalBytes(wanted.contract, stored.contract);
  // A key file that was mixed up must not end a publisher: who takes over says from whom.
  const samePublisher =
    equalBytes(wanted.publisher, stored.publisher) ||
    (wanted.replaces !== undefined && equalBytes(wanted.replaces, stored.publisher));
  if (!sameContract || !samePublisher) {
    throw new UserError(
      'DATA_FOLDER_OTHER_IDENTITY',
      `the data folder belongs to another contract or to the sender 0x${toHex(stored.publisher)}: use a new one, or name the sender in keys.replaces`,
    );
  }
  return stored;
}
