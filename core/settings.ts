/**
 * Takes settings one by one out of a parsed table and remembers which it was asked for, so that a key that
 * nobody reads is refused and not silently without effect.
 * Implements spec/configuration.md, "Rules for both files".
 */
import { fromHex } from './bytes.ts';
import { FormatError, UserError } from './errors.ts';

/** Addresses that only this machine can reach: what goes in plain text there is seen by nobody else. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|localhost|::1|\[::1\])$/.test(host);
}

export class Settings {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #from: string;
  readonly #name: string;
  readonly #known = new Set<string>();

  /**
   * @param from the file, for the sentence; '' when there is none
   * @param name the table's, with those that it lies in; '' for the root
   * @throws UserError CONFIG_VALUE
   */
  constructor(values: unknown, from = '', name = '') {
    this.#from = from === '' ? '' : `${from}: `;
    this.#name = name;
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw this.#error('CONFIG_VALUE', `expected "${name}" to be a table`);
    }
    this.#values = new Map(Object.entries(values));
  }

  /** A table that is not there is an empty one: its keys have defaults, or are missed by name. */
  section<T>(key: string, read: (section: Settings) => T): T {
    return this.#read(key, this.#take(key) ?? {}, read);
  }

  /** A list of tables, empty when it is not there. */
  sections<T>(key: string, read: (section: Settings) => T): readonly T[] {
    const value = this.#take(key) ?? [];
    if (!Array.isArray(value)) throw this.invalid(key, 'a list of tables');
    return value.map((item: unknown) => this.#read(key, item, read));
  }

  /** A table, or a list of at least one: `[key]` or several `[[key]]`. */
  sectionOrSections<T>(key: string, read: (section: Settings) => T): readonly [T, ...T[]] {
    const value = this.#values.get(key);
    const list = Array.isArray(value) ? this.sections(key, read) : [this.section(key, read)];
    const [first, ...others] = list;
    if (first === undefined) throw this.invalid(key, 'a table, or a list with at least one');
    return [first, ...others];
  }

  text(key: string): string {
    return this.textOrNone(key) ?? this.missing(key);
  }

  textOrNone(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw this.invalid(key, 'a text');
  }

  /** Empty when it is not there. */
  texts(key: string): readonly string[] {
    const value = this.#take(key) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw this.invalid(key, 'a list of texts');
  }

  wordOrNone<const T extends string>(key: string, words: readonly T[]): T | undefined {
    const text = this.textOrNone(key);
    const word = words.find((candidate) => candidate === text);
    if (text !== undefined && word === undefined) {
      throw this.invalid(key, `one of ${words.join(', ')}`);
    }
    return word;
  }

  /** @param byDefault when it is not there */
  flag(key: string, byDefault: boolean): boolean {
    const value = this.#take(key) ?? byDefault;
    if (typeof value === 'boolean') return value;
    throw this.invalid(key, 'true or false');
  }

  url(key: string, protocols: readonly string[]): string {
    return this.urlOrNone(key, protocols) ?? this.missing(key);
  }

  /** Checked here, since most client libraries only fail at the first connection. */
  urlOrNone(key: string, protocols: readonly string[]): string | undefined {
    const text = this.textOrNone(key);
    return text === undefined ? undefined : this.#checkedUrl(key, text, protocols);
  }

  /** Empty when it is not there. */
  urls(key: string, protocols: readonly string[]): readonly string[] {
    return this.texts(key).map((text) => this.#checkedUrl(key, text, protocols));
  }

  /** @param byDefault none: the key must be there */
  number(key: string, min: number, max: number, byDefault?: number): number {
    const value = this.#take(key) ?? byDefault ?? this.missing(key);
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.invalid(key, `a number from ${min} to ${max}`);
    }
    return value;
  }

  /** @param byDefault none: the key must be there */
  integer(key: string, min: number, max: number, byDefault?: number): number {
    const value = this.#take(key) ?? byDefault ?? this.missing(key);
    const isWhole = typeof value === 'number' && Number.isSafeInteger(value);
    if (!isWhole || value < min || value > max) {
      throw this.invalid(key, `a whole number from ${min} to ${max}`);
    }
    return value;
  }

  hexOrNone(key: string, length: number): Uint8Array | undefined {
    const text = this.textOrNone(key);
    return text === undefined ? undefined : this.#bytes(key, text, length);
  }

  hex(key: string, length: number): Uint8Array {
    return this.#bytes(key, this.text(key), length);
  }

  /** At least one. */
  hexes(key: string, length: number): readonly Uint8Array[] {
    const texts = this.#values.has(key) ? this.texts(key) : this.missing(key);
    if (texts.length === 0) throw this.invalid(key, 'a list with at least one entry');
    return texts.map((text) => this.#bytes(key, text, length));
  }

  /** @throws UserError CONFIG_MISSING_KEY */
  missing(key: string): never {
    throw this.#error('CONFIG_MISSING_KEY', `expected the key "${this.#full(key)}"`);
  }

  /** For what only the caller can check. */
  invalid(key: string, expected: string): UserError {
    return this.#error('CONFIG_VALUE', `expected "${this.#full(key)}" to be ${expected}`);
  }

  /** @throws UserError CONFIG_UNKNOWN_KEY */
  refuseUnknown(): void {
    const unknown = [...this.#values.keys()].find((key) => !this.#known.has(key));
    if (unknown === undefined) return;
    const known = [...this.#known].join(', ');
    const sentence = `unknown key "${this.#full(unknown)}", expected one of ${known}`;
    throw this.#error('CONFIG_UNKNOWN_KEY', sentence);
  }

  #read<T>(key: string, value: unknown, read: (section: Settings) => T): T {
    const section = new Settings(value, this.#from.slice(0, -2), this.#full(key));
    const result = read(section);
    section.refuseUnknown();
    return result;
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.#values.get(key);
  }

  #checkedUrl(key: string, text: string, protocols: readonly string[]): string {
    const url = URL.parse(text);
    if (url === null || !protocols.includes(url.protocol) || url.hostname === '') {
      throw this.invalid(key, `a URL with a host that starts with ${protocols.join(' or ')}`);
    }
    return text;
  }

  #bytes(key: string, text: string, length: number): Uint8Array {
    try {
      const bytes = fromHex(text);
      if (bytes.length === length) return bytes;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
    throw this.invalid(key, `${length} bytes in hexadecimal`);
  }

  #error(code: string, sentence: string): UserError {
    return new UserError(code, `${this.#from}${sentence}`);
  }

  #full(key: string): string {
    return this.#name === '' ? key : `${this.#name}.${key}`;
  }
}
