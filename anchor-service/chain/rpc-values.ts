/** Values in JSON-RPC answers, read with their type or refused. */
import { fromHex, toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';

export function toQuantityHex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

export function toDataHex(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

/** @throws OperationalError RPC_MALFORMED (retryable) */
export function readQuantity(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) throw malformed(what);
  return BigInt(value);
}

/** A quantity that a number holds exactly: block numbers, nonces, gas. */
export function readNumber(value: unknown, what: string): number {
  const quantity = readQuantity(value, what);
  if (quantity > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(what);
  return Number(quantity);
}

export function readBytes(value: unknown, what: string): Uint8Array {
  if (typeof value !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(value)) throw malformed(what);
  return fromHex(value);
}

export function readObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw malformed(what);
  return value as Record<string, unknown>;
}

function malformed(what: string): OperationalError {
  return new OperationalError('RPC_MALFORMED', `an endpoint answered a malformed ${what}`, {
    retryable: true,
  });
}
