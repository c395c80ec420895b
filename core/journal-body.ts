/**
 * Body of a journal block: every leaf of the block under one key, until the chunk is sealed or recovered.
 * Implements spec/journal-block.md, "Journal file". It never travels; the head has the hash of its sealed form.
 */
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { RECORD } from './record-type.ts';

/** Of the sealed body, as the length before it says. */
const MAX_JOURNAL_BODY_BYTES = 32 << 20;

export type JournalLeaf = {
  /** Of the stream in its log: a name would be written to the disk ten times a second. */
  readonly ordinal: number;
  /** Packed leaf, never compressed. */
  readonly packed: Uint8Array;
};

/** The plaintext. @param leaves ascending by ordinal */
export function encodeJournalBody(leaves: readonly JournalLeaf[]): Uint8Array {
  return encodeCbor(leaves.map(({ ordinal, packed }) => [ordinal, packed]));
}

/** @throws FormatError CBOR_*, JOURNAL_BODY */
export function decodeJournalBody(bytes: Uint8Array): readonly JournalLeaf[] {
  const values = decodeCbor(bytes, MAX_JOURNAL_BODY_BYTES);
  if (!Array.isArray(values)) throw malformed();
  let before = -1;
  return values.map((value: CborValue): JournalLeaf => {
    if (!isPair(value)) throw malformed();
    const [ordinal, packed] = value;
    if (typeof ordinal !== 'number' || ordinal <= before || ordinal >= MAX_ENTRIES) {
      throw malformed();
    }
    if (!(packed instanceof Uint8Array)) throw malformed();
    before = ordinal;
    return { ordinal, packed };
  });
}

/** Array.isArray forgets the type of the elements of a read-only array. */
function isPair(value: CborValue): value is readonly [CborValue, CborValue] {
  return Array.isArray(value) && value.length === 2;
}

/** Additional data of the body's AES-256-GCM. @param handle of `records/journal` under the block nonce */
export function journalAad(tag: Uint8Array, seq: number, handle: Uint8Array): Uint8Array {
  return encodeCbor([RECORD.journalBlock, tag, seq, handle]);
}

function malformed(): FormatError {
  return new FormatError('JOURNAL_BODY', 'expected pairs of ordinal and leaf, ascending');
}
