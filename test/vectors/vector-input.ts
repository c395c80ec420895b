/** Reads the input of a vector, which is JSON; the same in Node and in a browser. */
import { fromHex } from '../../core/bytes.ts';

export type Vector = {
  readonly name: string;
  readonly expect: string;
  readonly input: VectorInput;
  readonly output?: unknown;
};

export type VectorInput = Readonly<Record<string, unknown>>;

/** Runs the reference code on one input; throws what the code throws. */
export type FormatRunner = (input: VectorInput) => object;

export function text(input: VectorInput, name: string): string {
  const value = input[name];
  if (typeof value !== 'string') throw new TypeError(`expected "${name}" to be a text`);
  return value;
}

export function hex(input: VectorInput, name: string): Uint8Array {
  return fromHex(text(input, name));
}

export function number(input: VectorInput, name: string): number {
  const value = input[name];
  if (typeof value !== 'number') throw new TypeError(`expected "${name}" to be a number`);
  return value;
}

export function list(input: VectorInput, name: string): readonly unknown[] {
  const value = input[name];
  if (!Array.isArray(value)) throw new TypeError(`expected "${name}" to be a list`);
  return value;
}

export function numbers(input: VectorInput, name: string): readonly number[] {
  return list(input, name).map(Number);
}

export function hexes(input: VectorInput, name: string): readonly Uint8Array[] {
  return list(input, name).map((item) => fromHex(String(item)));
}

export function object(input: VectorInput, name: string): VectorInput {
  const value = input[name];
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`expected "${name}" to be an object`);
  }
  return value as VectorInput;
}
