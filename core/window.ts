/**
 * Window: a tree over labelled statement hashes of many vehicles, and its hash-chained record.
 * Implements spec/window.md.
 */
import { asciiBytes, compareBytes, concatBytes, equalBytes, uint64Bytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { type Hash, sha256 } from './hash.ts';
import { HASH_BYTES, MerkleTree } from './merkle.ts';
import { RECORD } from './record-type.ts';
import { atOnce, SLICE } from './slices.ts';
import type { Statement } from './statement.ts';

export const ADDRESS_BYTES = 20;
/** Leaf indexes stay within 32-bit arithmetic. */
export const MAX_WINDOW_STATEMENTS = 2 ** 30;
const LABEL_BYTES = 32;

export const MAX_WINDOW_RECORD_BYTES = 512;

const LABEL_PREFIX = asciiBytes('wmk-label');

/**
 * Where a statement stands in any window: forks of one sequence collide, and nobody can list a
 * vehicle's statements without its tag.
 */
export function windowLabel(
  statement: Pick<Statement, 'tag' | 'deviceKeyId' | 'epoch' | 'log' | 'seq'>,
  hash: Hash = sha256,
): Uint8Array {
  return hash(
    concatBytes(
      LABEL_PREFIX,
      statement.tag,
      statement.deviceKeyId,
      uint64Bytes(BigInt(statement.epoch)),
      uint64Bytes(BigInt(statement.log)),
      uint64Bytes(BigInt(statement.seq)),
    ),
  );
}

/** `label ‖ SHA-256(complete statement)`: 64 bytes. */
export function windowEntry(
  label: Uint8Array,
  statementBytes: Uint8Array,
  hash: Hash = sha256,
): Uint8Array {
  return concatBytes(label, hash(statementBytes));
}

/**
 * @param entries strictly ascending by label, so that forks collide
 * @throws FormatError WINDOW_ORDER, WINDOW_EMPTY
 */
export function windowTree(entries: readonly Uint8Array[], hash: Hash = sha256): MerkleTree {
  return atOnce(growWindowTree(entries, hash));
}

/** The same in slices of some milliseconds, for who has something else to do as well. */
export function* growWindowTree(
  entries: readonly Uint8Array[],
  hash: Hash = sha256,
): Generator<undefined, MerkleTree> {
  if (entries.length === 0) throw emptyWindow();
  for (let i = 1; i < entries.length; i += 1) {
    const [before, entry] = [entries[i - 1], entries[i]];
    const ascends =
      before !== undefined &&
      entry !== undefined &&
      compareBytes(labelOf(before), labelOf(entry)) < 0;
    if (!ascends) {
      throw new FormatError('WINDOW_ORDER', 'expected labels that strictly ascend');
    }
    if (i % SLICE === 0) yield;
  }
  return yield* MerkleTree.grow(entries, hash);
}

function labelOf(entry: Uint8Array): Uint8Array {
  return entry.subarray(0, LABEL_BYTES);
}

function emptyWindow(): FormatError {
  return new FormatError('WINDOW_EMPTY', 'expected a window of at least one statement');
}

export type WindowRecord = {
  readonly chainId: bigint;
  /** AnchorLog, 20 bytes. */
  readonly contract: Uint8Array;
  /** The address that sends the transaction, 20 bytes. */
  readonly publisher: Uint8Array;
  readonly windowSeq: bigint;
  readonly treeSize: number;
  readonly root: Uint8Array;
  /** SHA-256 of the record before, also across a change of publisher; 32 zero bytes in a service's first. */
  readonly previousHash: Uint8Array;
};

export function encodeWindowRecord(record: WindowRecord): Uint8Array {
  return encodeCbor([
    RECORD.windowRecord,
    FORMAT_VERSION,
    record.chainId,
    record.contract,
    record.publisher,
    record.windowSeq,
    record.treeSize,
    record.root,
    record.previousHash,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, WINDOW_EMPTY */
export function decodeWindowRecord(bytes: Uint8Array): WindowRecord {
  const record = decodeRecord(
    bytes,
    RECORD.windowRecord,
    (fields) => ({
      chainId: fields.uint64('chain id'),
      contract: fields.bytes('contract', ADDRESS_BYTES),
      publisher: fields.bytes('publisher', ADDRESS_BYTES),
      windowSeq: fields.uint64('window seq'),
      treeSize: fields.uint('tree size', MAX_WINDOW_STATEMENTS),
      root: fields.bytes('root', HASH_BYTES),
      previousHash: fields.bytes('previous record hash', HASH_BYTES),
    }),
    MAX_WINDOW_RECORD_BYTES,
  );
  if (record.treeSize === 0) throw emptyWindow();
  return record;
}

/**
 * That a published list is the one of a record: what the anchored hash stands for, entry by entry.
 * @throws FormatError WINDOW_EMPTY, WINDOW_ORDER; VerificationError WINDOW_LIST
 */
export function verifyWindowList(
  { root, treeSize }: Pick<WindowRecord, 'root' | 'treeSize'>,
  entries: readonly Uint8Array[],
  hash: Hash = sha256,
): void {
  const tree = windowTree(entries, hash);
  if (tree.size === treeSize && equalBytes(tree.root(), root)) return;
  throw new VerificationError(
    'WINDOW_LIST',
    'the published list is not the one of the window record',
  );
}

/**
 * That one record follows the other in the chain of a service's windows.
 * @param beforeHash `windowRecordHash` of the record before
 * @throws VerificationError WINDOW_CHAIN
 */
export function verifyWindowFollows(
  beforeHash: Uint8Array,
  after: Pick<WindowRecord, 'previousHash' | 'windowSeq'>,
): void {
  if (equalBytes(beforeHash, after.previousHash)) return;
  throw new VerificationError(
    'WINDOW_CHAIN',
    `window ${after.windowSeq} does not follow the record that the service published before it`,
  );
}

/** What chain and time stamp authority receive: SHA-256 of the encoded record. */
export function windowRecordHash(recordBytes: Uint8Array, hash: Hash = sha256): Uint8Array {
  return hash(recordBytes);
}
