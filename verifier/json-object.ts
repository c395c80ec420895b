/** Reads a JSON object key by key and refuses what is left over (spec/trust-policy.md, "Reading"). */
import { fromHex } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';

/** @throws UserError POLICY_JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UserError('POLICY_JSON', 'the trust policy is no JSON', { cause });
  }
}

/** Every method throws UserError POLICY_VALUE when the value is not of its kind. */
export class JsonObject {
  readonly #owner: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #taken = new Set<string>();

  private constructor(owner: string, values: ReadonlyMap<string, unknown>) {
    this.#owner = owner;
    this.#values = values;
  }

  static of(owner: string, value: unknown): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new UserError('POLICY_VALUE', `expected ${owner} to be an object`);
    }
    return new JsonObject(owner, new Map(Object.entries(value)));
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  value(key: string): unknown {
    this.#taken.add(key);
    return this.#values.get(key);
  }

  /** Not empty. */
  text(key: string): string {
    const value = this.value(key);
    if (typeof value !== 'string' || value === '') throw this.#wrong(key, 'a text');
    return value;
  }

  optionalText(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  word<const T extends string>(key: string, words: readonly T[]): T {
    const text = this.text(key);
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw this.#wrong(key, `one of ${words.join(', ')}`);
    return word;
  }

  /** Exactly `length` bytes; `0x` may stand before them. */
  hex(key: string, length: number): Uint8Array {
    const bytes = this.hexUpTo(key, length);
    if (bytes.length !== length) throw this.#wrong(key, `${length} bytes in hexadecimal`);
    return bytes;
  }

  /** At least one byte. */
  hexUpTo(key: string, maxLength: number): Uint8Array {
    const text = this.text(key);
    const digits = text.startsWith('0x') ? text.slice(2) : text;
    if (!/^([0-9a-fA-F]{2})+$/.test(digits) || digits.length > 2 * maxLength) {
      throw this.#wrong(key, `at most ${maxLength} bytes in hexadecimal`);
    }
    return fromHex(digits);
  }

  /** A text of decimal digits: JSON numbers lose what passes 2^53. */
  uint64(key: string): bigint {
    const text = this.text(key);
    if (!/^(0|[1-9][0-9]{0,19})$/.test(text) || BigInt(text) > 0xffff_ffff_ffff_ffffn) {
      throw this.#wrong(key, 'a decimal number in quotes, below 2^64');
    }
    return BigInt(text);
  }

  list(key: string): readonly unknown[] {
    const value = this.value(key);
    if (!Array.isArray(value)) throw this.#wrong(key, 'a list');
    return value;
  }

  texts(key: string): readonly string[] {
    return this.list(key).map((item) => {
      if (typeof item !== 'string') throw this.#wrong(key, 'a list of texts');
      return item;
    });
  }

  objects(key: string): readonly JsonObject[] {
    return this.list(key).map((item, i) => JsonObject.of(`"${key}" ${i + 1}`, item));
  }

  /** Called after the last key. @throws UserError POLICY_KEY */
  end(): void {
    for (const key of this.#values.keys()) {
      if (!this.#taken.has(key)) {
        throw new UserError('POLICY_KEY', `unknown key "${key}" in ${this.#owner}`);
      }
    }
  }

  #wrong(key: string, expected: string): UserError {
    const got = this.#values.has(key) ? '' : ', got none';
    return new UserError(
      'POLICY_VALUE',
      `expected "${key}" in ${this.#owner} to be ${expected}${got}`,
    );
  }
}
