/** The header link as a record (spec/evm-proofs.md, "Header link record"). */
import { encodeCbor } from '../cbor.ts';
import { FormatError } from '../errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from '../fields.ts';
import { RECORD } from '../record-type.ts';
import { type HeaderLink, type Hop, MAX_HOPS } from './header-link.ts';

const HOP_HISTORY = 1;
const HOP_PARENT = 2;
const MAX_NUMBERS = 8191;
const MAX_NODES = 1 << 16;
export const MAX_LINK_BYTES = 16 << 20;

export function encodeHeaderLink(link: HeaderLink): Uint8Array {
  return encodeCbor([
    RECORD.headerLink,
    FORMAT_VERSION,
    link.chainId,
    link.hops.map((hop) =>
      hop.kind === 'history' ? [HOP_HISTORY, hop.header, hop.numbers] : [HOP_PARENT, hop.header],
    ),
    link.nodes,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, HOP_KIND */
export function decodeHeaderLink(bytes: Uint8Array): HeaderLink {
  return decodeRecord(
    bytes,
    RECORD.headerLink,
    (fields) => ({
      chainId: fields.uint64('chain id'),
      hops: fields.list('hops', MAX_HOPS, readHop),
      nodes: fields.blobList('nodes', MAX_NODES, 4096),
    }),
    MAX_LINK_BYTES,
  );
}

function readHop(fields: Fields): Hop {
  const kind = fields.uint('hop kind');
  const header = fields.bytesUpTo('block header', 2048);
  if (kind === HOP_HISTORY) {
    return { kind: 'history', header, numbers: fields.uint64List('block numbers', MAX_NUMBERS) };
  }
  if (kind === HOP_PARENT) return { kind: 'parent', header };
  throw new FormatError('HOP_KIND', `expected a hop of kind 1 or 2, got ${kind}`);
}
