/**
 * Streams record: the streams whose first leaf in the log is in this chunk.
 * Implements spec/records.md, "records/streams".
 */
import { asciiBytes, compareBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { MAX_STREAM_ID_LENGTH, parseStreamId } from './stream.ts';

/** @param names in any order, each once */
export function encodeStreamsRecord(names: readonly string[]): Uint8Array {
  const ascending = names.toSorted((a, b) => compareBytes(asciiBytes(a), asciiBytes(b)));
  return encodeCbor([RECORD.streamsRecord, FORMAT_VERSION, ascending.map((name) => [name])]);
}

/**
 * @returns the names, strictly ascending
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, STREAM_ID, STREAMS_ORDER
 */
export function decodeStreamsRecord(bytes: Uint8Array): readonly string[] {
  const names = decodeRecord(bytes, RECORD.streamsRecord, (fields) =>
    fields.list('streams', MAX_ENTRIES, (one) =>
      readStreamId(one.text('name', MAX_STREAM_ID_LENGTH)),
    ),
  );
  assertAscendingNames(names);
  return names;
}

/** @throws FormatError STREAM_ID */
export function readStreamId(name: string): string {
  parseStreamId(name);
  return name;
}

/** @throws FormatError STREAMS_ORDER when empty, repeated or out of order */
export function assertAscendingNames(names: readonly string[]): void {
  const isAscending = names.every((name, i) => i === 0 || (names[i - 1] ?? '') < name);
  if (names.length === 0 || !isAscending) {
    throw new FormatError('STREAMS_ORDER', 'expected names of streams, ascending, each once');
  }
}
