/** Reads a positional CBOR array field by field, each with its type and bound (spec/encoding.md, "Records"). */
import { type CborValue, decodeCbor, MAX_ITEM_BYTES } from './cbor.ts';
import { FormatError } from './errors.ts';

/** A cursor over one array. Every method takes the next field or throws FormatError FIELD_*. */
export type Fields = {
  /** Unsigned, at most 2^53-1, and at most `max`. */
  uint(name: string, max?: number): number;
  /** Unsigned 64-bit. */
  uint64(name: string): bigint;
  /** Signed 64-bit. */
  int64(name: string): bigint;
  /** At most `maxBytes` of UTF-8. */
  text(name: string, maxBytes: number): string;
  /** Exactly `length` bytes. */
  bytes(name: string, length: number): Uint8Array;
  /** Exactly `length` bytes, or none. */
  bytesOrNone(name: string, length: number): Uint8Array | undefined;
  bytesUpTo(name: string, maxLength: number): Uint8Array;
  /** An array of at most `maxLength` arrays, each read by `read`. */
  list<T>(name: string, maxLength: number, read: (fields: Fields) => T): readonly T[];
  /** An array of exactly the fields that `read` takes, or an empty array. */
  optional<T>(name: string, read: (fields: Fields) => T): T | undefined;
  /** An array of exactly the fields that `read` takes. */
  nested<T>(name: string, read: (fields: Fields) => T): T;
  /** An array of unsigned 64-bit integers. */
  uint64List(name: string, maxLength: number): readonly bigint[];
  /** An array of byte strings of exactly `length` bytes. */
  bytesList(name: string, maxLength: number, length: number): readonly Uint8Array[];
  /** An array of byte strings of at most `maxBytes` each. */
  blobList(name: string, maxLength: number, maxBytes: number): readonly Uint8Array[];
};

/**
 * Decodes `[type, version, …]`, takes the rest by `read` and refuses what is left over.
 * @throws FormatError CBOR_*, RECORD_TYPE, RECORD_VERSION, FIELD_*
 */
export function decodeRecord<T>(
  bytes: Uint8Array,
  type: number,
  read: (fields: Fields) => T,
  maxBytes: number = MAX_ITEM_BYTES,
): T {
  const values = asArray(decodeCbor(bytes, maxBytes), `record ${type}`);
  if (values[0] !== type) {
    throw new FormatError('RECORD_TYPE', `expected record type ${type}, got ${shown(values[0])}`);
  }
  if (values[1] !== FORMAT_VERSION) {
    throw new FormatError(
      'RECORD_VERSION',
      `expected version ${FORMAT_VERSION} of record type ${type}, got ${shown(values[1])}`,
    );
  }
  return takeAll(values.slice(2), `record ${type}`, read);
}

/** Reads a bare array, such as an element of a section. */
export function decodeFields<T>(
  bytes: Uint8Array,
  name: string,
  read: (fields: Fields) => T,
  maxBytes: number = MAX_ITEM_BYTES,
): T {
  return takeAll(asArray(decodeCbor(bytes, maxBytes), name), name, read);
}

/** All formats are version 0 until the first release; a later version is a new page in spec/. */
export const FORMAT_VERSION = 0;

function takeAll<T>(values: readonly CborValue[], owner: string, read: (fields: Fields) => T): T {
  let next = 0;
  const take = (name: string): CborValue => {
    const value = values[next];
    next += 1;
    if (value === undefined) {
      throw new FormatError('FIELD_MISSING', `expected ${owner} to have "${name}", got its end`);
    }
    return value;
  };
  const fields: Fields = {
    uint: (name, max = Number.MAX_SAFE_INTEGER) => {
      const value = take(name);
      if ((typeof value !== 'number' && typeof value !== 'bigint') || value < 0) {
        throw wrongType(name, 'an unsigned integer', value);
      }
      if (typeof value === 'bigint' || value > max) {
        throw new FormatError('FIELD_RANGE', `expected "${name}" up to ${max}, got ${value}`);
      }
      return value;
    },
    uint64: (name) => asUnsigned(name, take(name)),
    int64: (name) => {
      const value = asBigint(name, take(name));
      if (value > 0x7fff_ffff_ffff_ffffn) {
        throw new FormatError('FIELD_RANGE', `expected "${name}" to fit a signed 64-bit integer`);
      }
      return value;
    },
    text: (name, maxBytes) => {
      const value = take(name);
      if (typeof value !== 'string') throw wrongType(name, 'a text', value);
      const length = utf8Length(value);
      if (length > maxBytes) throw wrongLength(name, `at most ${maxBytes}`, length);
      return value;
    },
    bytes: (name, length) => ofLength(name, take(name), length),
    bytesOrNone: (name, length) => {
      const value = take(name);
      return value instanceof Uint8Array && value.length === 0
        ? undefined
        : ofLength(name, value, length);
    },
    bytesUpTo: (name, maxLength) => upToLength(name, take(name), maxLength),
    list: (name, maxLength, readOne) =>
      arrayUpTo(name, take(name), maxLength).map((item) =>
        takeAll(asArray(item, name), name, readOne),
      ),
    optional: (name, readOne) => {
      const values = asArray(take(name), name);
      return values.length === 0 ? undefined : takeAll(values, name, readOne);
    },
    nested: (name, readOne) => takeAll(asArray(take(name), name), name, readOne),
    uint64List: (name, maxLength) =>
      arrayUpTo(name, take(name), maxLength).map((item) => asUnsigned(name, item)),
    bytesList: (name, maxLength, length) =>
      arrayUpTo(name, take(name), maxLength).map((item) => ofLength(name, item, length)),
    blobList: (name, maxLength, maxBytes) =>
      arrayUpTo(name, take(name), maxLength).map((item) => upToLength(name, item, maxBytes)),
  };
  const result = read(fields);
  if (next < values.length) {
    throw new FormatError(
      'FIELD_UNKNOWN',
      `expected ${next} fields in ${owner}, got ${values.length}`,
    );
  }
  return result;
}

function asUnsigned(name: string, value: CborValue): bigint {
  const integer = asBigint(name, value);
  if (integer < 0n) throw wrongType(name, 'an unsigned integer', value);
  return integer;
}

function asBigint(name: string, value: CborValue): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(value);
  throw wrongType(name, 'an integer', value);
}

function asArray(value: CborValue, name: string): readonly CborValue[] {
  if (!Array.isArray(value)) throw wrongType(name, 'an array', value);
  return value;
}

function arrayUpTo(name: string, value: CborValue, maxLength: number): readonly CborValue[] {
  const values = asArray(value, name);
  if (values.length > maxLength) throw wrongLength(name, `at most ${maxLength}`, values.length);
  return values;
}

/** The same in every language, as a count of code units is not. */
function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function ofLength(name: string, value: CborValue, length: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(name, 'a byte string', value);
  if (value.length !== length) throw wrongLength(name, `${length}`, value.length);
  return value;
}

function upToLength(name: string, value: CborValue, maxLength: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(name, 'a byte string', value);
  if (value.length > maxLength) throw wrongLength(name, `at most ${maxLength}`, value.length);
  return value;
}

function wrongType(name: string, expected: string, value: CborValue): FormatError {
  return new FormatError('FIELD_TYPE', `expected "${name}" to be ${expected}, got ${shown(value)}`);
}

function wrongLength(name: string, expected: string, length: number): FormatError {
  return new FormatError('FIELD_LENGTH', `expected "${name}" of length ${expected}, got ${length}`);
}

function shown(value: CborValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'bigint') return `${value}`;
  if (typeof value === 'string') return 'a text';
  return value instanceof Uint8Array ? 'a byte string' : 'an array';
}
