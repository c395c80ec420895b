/** Two sealings that are given the same and must do the same: bytes, or the code of what they refuse. */
import { expect } from 'vitest';
import type { FrameRows, LeafPlace, LeafSealing, RecordsLeaf } from '../../../agent/ports.ts';
import { toHex } from '../../../core/bytes.ts';

export class PairedSealing implements LeafSealing {
  readonly #first: LeafSealing;
  readonly #second: LeafSealing;
  /** How often both sealed. */
  sealed = 0;

  constructor(first: LeafSealing, second: LeafSealing) {
    this.#first = first;
    this.#second = second;
  }

  addStream(stream: Parameters<LeafSealing['addStream']>[0]): void {
    this.#both((one) => one.addStream(stream));
  }

  setJournalKeys(nodes: Parameters<LeafSealing['setJournalKeys']>[0]): void {
    this.#both((one) => one.setJournalKeys(nodes));
  }

  strangers(rows: FrameRows): ReturnType<LeafSealing['strangers']> {
    return this.#both((one) => one.strangers(rows));
  }

  chunk(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]) {
    return this.#both((one) => one.chunk(place, rows, records));
  }

  block(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]) {
    return this.#both((one) => one.block(place, rows, records));
  }

  close(): void {
    this.#both((one) => one.close());
  }

  #both<T>(call: (one: LeafSealing) => T): T {
    const first = attempt(() => call(this.#first));
    const second = attempt(() => call(this.#second));
    if (!areTwoFaults(first, second)) expect(readable(second)).toEqual(readable(first));
    if ('error' in first) throw first.error;
    this.sealed += 1;
    return first.value;
  }
}

/** Frames that cannot be and a seq that was passed, both in one call: which of them is named first, nobody promises. */
function areTwoFaults(first: Attempt<unknown>, second: Attempt<unknown>): boolean {
  if (!('error' in first && 'error' in second)) return false;
  const codes = [first.error, second.error].map((error) => 'code' in error && String(error.code));
  return (
    codes.includes('KEY_NODE_RANGE') &&
    codes.some((code) => code === 'RAW_STAMP' || code === 'RAW_SHAPE')
  );
}

type Attempt<T> = { readonly value: T } | { readonly error: Error };

function attempt<T>(call: () => T): Attempt<T> {
  try {
    return { value: call() };
  } catch (error) {
    if (!(error instanceof Error))
      throw new Error('something was thrown that is no error', { cause: error });
    return { error };
  }
}

/** Bytes as text: long lists of numbers are compared slowly. */
function readable(attempted: Attempt<unknown>): unknown {
  if ('error' in attempted) {
    const { error } = attempted;
    return { thrown: error.name, code: 'code' in error ? error.code : undefined };
  }
  const { value } = attempted;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]: [string, unknown]) => [
      name,
      field instanceof Uint8Array ? toHex(field) : field,
    ]),
  );
}
