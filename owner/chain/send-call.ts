/** Sends calls with the owner's key and waits until a block has them. */
import { isError, type JsonRpcProvider, type TransactionReceipt, type Wallet } from 'ethers';
import { toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import type { SendCall } from '../ports.ts';
import { GRANT_REGISTRY, VEHICLE_REGISTRY } from './registry-calls.ts';

const WAIT_MS = 180_000;

/**
 * @throws by the function that it makes: UserError REGISTRY_REFUSED (the contract says no, and which of its errors),
 * REGISTRY_FUNDS; OperationalError CALL_FATE_UNKNOWN, CHAIN_UNREACHABLE (retryable)
 */
export function callSender(wallet: Wallet, provider: JsonRpcProvider): SendCall {
  const sender = wallet.connect(provider);
  return async ({ to, data }) => {
    const receipt = await sent(async () => {
      const transaction = await sender.sendTransaction({
        to: `0x${toHex(to)}`,
        data: `0x${toHex(data)}`,
      });
      return await provider.waitForTransaction(transaction.hash, 1, WAIT_MS);
    });
    if (receipt === null) throw unknownFate();
    return { blockNumber: BigInt(receipt.blockNumber) };
  };
}

async function sent(
  send: () => Promise<TransactionReceipt | null>,
): Promise<TransactionReceipt | null> {
  try {
    return await send();
  } catch (error) {
    if (isError(error, 'CALL_EXCEPTION')) throw refused(error.data);
    if (isError(error, 'INSUFFICIENT_FUNDS')) {
      throw new UserError('REGISTRY_FUNDS', 'the owner’s address cannot pay for the transaction');
    }
    if (isError(error, 'TIMEOUT')) throw unknownFate(error);
    throw new OperationalError('CHAIN_UNREACHABLE', 'the chain endpoint did not take the call', {
      retryable: true,
      cause: error,
    });
  }
}

function refused(data: string | null): UserError {
  const known =
    data === null ? null : (VEHICLE_REGISTRY.parseError(data) ?? GRANT_REGISTRY.parseError(data));
  const reason = known === null ? 'no reason' : `${known.name}(${known.args.join(', ')})`;
  return new UserError('REGISTRY_REFUSED', `the registry refused the call: ${reason}`);
}

function unknownFate(cause?: unknown): OperationalError {
  const message = `no block has the transaction after ${WAIT_MS / 1000} s; the same command may be repeated`;
  return new OperationalError('CALL_FATE_UNKNOWN', message, { retryable: true, cause });
}
