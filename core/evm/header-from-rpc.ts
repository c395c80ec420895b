/**
 * A block as eth_getBlockByNumber describes it, to the header RLP that its hash is made of.
 * Implements spec/evm-proofs.md, "Block header".
 */
import { equalBytes, fromHex, toHex } from '../bytes.ts';
import { FormatError, VerificationError } from '../errors.ts';
import { decodeBlockHeader, HEADER_FIELDS, type HeaderField } from './block-header.ts';
import { quantityBytes } from './quantity.ts';
import { encodeRlp } from './rlp.ts';

/**
 * `block` is the `result` of eth_getBlockByNumber or eth_getBlockByHash; fields that no header has are
 * ignored. From an endpoint: nothing in it is believed, because the RLP must hash to `block.hash`,
 * and that hash is what endpoints are asked to agree on.
 * @throws FormatError HEADER_RPC_FIELD and those of decodeBlockHeader
 * @throws VerificationError HEADER_RPC_MISMATCH
 */
export function encodeBlockHeaderFromRpc(block: object): Uint8Array {
  const fields = new Map<string, unknown>(Object.entries(block));
  const present = HEADER_FIELDS.filter(({ name }) => (fields.get(name) ?? null) !== null);
  const rlp = encodeRlp(present.map((field) => fieldBytes(field, fields.get(field.name))));
  const { hash } = decodeBlockHeader(rlp);
  const claimed = hexField('hash', fields.get('hash'));
  if (!equalBytes(hash, claimed)) {
    throw new VerificationError(
      'HEADER_RPC_MISMATCH',
      `expected a header with hash ${toHex(claimed)}, got one with hash ${toHex(hash)}`,
    );
  }
  return rlp;
}

function fieldBytes(field: HeaderField, value: unknown): Uint8Array {
  return field.kind === 'quantity'
    ? quantityBytes(quantityField(field.name, value))
    : hexField(field.name, value);
}

function quantityField(name: string, value: unknown): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,64}$/i.test(value)) {
    throw new FormatError('HEADER_RPC_FIELD', `expected ${name} as a hexadecimal quantity`);
  }
  return BigInt(value);
}

function hexField(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(value)) {
    throw new FormatError('HEADER_RPC_FIELD', `expected ${name} as hexadecimal bytes`);
  }
  return fromHex(value);
}
