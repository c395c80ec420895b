/**
 * Block headers: RLP to the fields that a proof needs, and the hash that names the block.
 * Implements spec/evm-proofs.md, "Block header".
 */
import { FormatError } from '../errors.ts';
import { keccak256 } from './keccak.ts';
import { isMinimalQuantity, toQuantity } from './quantity.ts';
import { decodeRlp, type RlpItem } from './rlp.ts';

export type BlockHeader = {
  /** Keccak-256 of the header's RLP. */
  readonly hash: Uint8Array;
  readonly parentHash: Uint8Array;
  /** Root of the account trie after this block's transactions. */
  readonly stateRoot: Uint8Array;
  readonly number: bigint;
  /** Seconds since 1970, as the block's producer set it. */
  readonly timestamp: bigint;
};

/**
 * `bytes`: exactly that many. `quantity`: at most that many, big-endian, zero is the empty string.
 * `data`: at most that many.
 */
export type HeaderField = {
  readonly name: string;
  readonly kind: 'bytes' | 'quantity' | 'data';
  readonly width: number;
};

const bytes = (name: string, width: number): HeaderField => ({ name, kind: 'bytes', width });
const quantity = (name: string, width: number): HeaderField => ({ name, kind: 'quantity', width });

/**
 * Proof of stake keeps 32 bytes in extraData; Clique puts its signer list there, 20 bytes a signer.
 * The hash already binds the bytes, so this bound is about size only.
 */
const MAX_EXTRA_DATA_BYTES = 1024;
const MAX_HEADER_BYTES = 2048;

/** In the order of the RLP list. The names are those of the JSON-RPC block, which lists them too. */
export const HEADER_FIELDS: readonly HeaderField[] = [
  bytes('parentHash', 32),
  bytes('sha3Uncles', 32),
  bytes('miner', 20),
  bytes('stateRoot', 32),
  bytes('transactionsRoot', 32),
  bytes('receiptsRoot', 32),
  bytes('logsBloom', 256),
  quantity('difficulty', 32),
  quantity('number', 8),
  quantity('gasLimit', 8),
  quantity('gasUsed', 8),
  quantity('timestamp', 8),
  { name: 'extraData', kind: 'data', width: MAX_EXTRA_DATA_BYTES },
  bytes('mixHash', 32),
  bytes('nonce', 8),
  quantity('baseFeePerGas', 32),
  bytes('withdrawalsRoot', 32),
  quantity('blobGasUsed', 8),
  quantity('excessBlobGas', 8),
  bytes('parentBeaconBlockRoot', 32),
  bytes('requestsHash', 32),
];

/**
 * Each fork appends fields: 15 at the start, then London (EIP-1559), Shanghai (4895),
 * Cancun (4844 and 4788), Prague (7685). A count in between belongs to no fork.
 */
const HEADER_FIELD_COUNTS: readonly number[] = [15, 16, 17, 20, 21];

/**
 * @throws FormatError RLP_*, HEADER_NOT_A_LIST, HEADER_FIELD_COUNT, HEADER_FIELD_TYPE,
 * HEADER_FIELD_WIDTH, HEADER_QUANTITY
 */
export function decodeBlockHeader(rlp: Uint8Array): BlockHeader {
  const items = decodeRlp(rlp, MAX_HEADER_BYTES);
  if (items instanceof Uint8Array) {
    throw new FormatError('HEADER_NOT_A_LIST', 'expected a list of header fields, got a string');
  }
  if (!HEADER_FIELD_COUNTS.includes(items.length)) {
    throw new FormatError(
      'HEADER_FIELD_COUNT',
      `expected a header of ${HEADER_FIELD_COUNTS.join(', ')} fields, got ${items.length}`,
    );
  }
  const fields = new Map<string, Uint8Array>();
  HEADER_FIELDS.slice(0, items.length).forEach((field, i) => {
    fields.set(field.name, checkField(field, items[i]));
  });
  return {
    hash: keccak256(rlp),
    parentHash: fieldNamed(fields, 'parentHash').slice(),
    stateRoot: fieldNamed(fields, 'stateRoot').slice(),
    number: toQuantity(fieldNamed(fields, 'number')),
    timestamp: toQuantity(fieldNamed(fields, 'timestamp')),
  };
}

function checkField(field: HeaderField, item: RlpItem | undefined): Uint8Array {
  if (!(item instanceof Uint8Array)) {
    throw new FormatError('HEADER_FIELD_TYPE', `expected ${field.name} as a string, got a list`);
  }
  const fits = field.kind === 'bytes' ? item.length === field.width : item.length <= field.width;
  if (!fits) {
    const bound = field.kind === 'bytes' ? '' : 'at most ';
    throw new FormatError(
      'HEADER_FIELD_WIDTH',
      `expected ${field.name} of ${bound}${field.width} bytes, got ${item.length}`,
    );
  }
  if (field.kind === 'quantity' && !isMinimalQuantity(item)) {
    throw new FormatError('HEADER_QUANTITY', `expected ${field.name} without leading zeros`);
  }
  return item;
}

function fieldNamed(fields: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const field = fields.get(name);
  if (field === undefined) {
    throw new FormatError('HEADER_FIELD_COUNT', `expected a header with ${name}, got none`);
  }
  return field;
}
