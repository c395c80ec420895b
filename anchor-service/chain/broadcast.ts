/**
 * Hands signed transactions to every endpoint. What an endpoint says about one decides nothing: "already
 * known" and "nonce too low" only mean that the chain must be asked.
 */
import { OperationalError } from '../../core/errors.ts';
import type { Attempt } from '../ports.ts';
import type { Endpoints } from './endpoints.ts';
import { toDataHex } from './rpc-values.ts';

/** @throws OperationalError TRANSACTION_NOT_TAKEN (retryable) when no endpoint has it afterwards */
export async function broadcast(endpoints: Endpoints, attempt: Attempt): Promise<void> {
  const hash = toDataHex(attempt.hash);
  const outcomes = await endpoints.each(async (endpoint) => {
    try {
      await endpoint.call('eth_sendRawTransaction', [toDataHex(attempt.raw)]);
    } catch (error) {
      const found = await endpoint.call('eth_getTransactionByHash', [hash]);
      if (found === null || found === undefined) throw error;
    }
  });
  const errors: OperationalError[] = [];
  for (const { outcome } of outcomes) if (outcome !== undefined) errors.push(outcome);
  if (errors.length < outcomes.length) return;
  const reason = errors.map(({ message }) => message).join('; ');
  throw new OperationalError('TRANSACTION_NOT_TAKEN', `no endpoint took ${hash}: ${reason}`, {
    retryable: true,
    cause: errors[0],
  });
}
