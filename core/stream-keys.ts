/**
 * Streams with their roots, or with the nodes that are left of them: as a unit keeps them, and as they are sealed to its
 * owner. Implements spec/spool.md, "Streams", and spec/keys.md, "Sealed to the owner".
 */
import { concatBytes } from './bytes.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { decodeFields, type Fields } from './fields.ts';
import { type KeyNode, NODE_BYTES, rootNode } from './key-tree.ts';
import { MAX_STREAM_ID_LENGTH } from './stream.ts';

/** What tells a row of nodes from one of roots, whose first element is a list. */
const OF_NODES = 1;
/** Nodes are ascending, and none covers what another covers. */
export type StreamKeys = { readonly name: string; readonly nodes: readonly KeyNode[] };

const MAX_NODES = 1 << 16;
/** Thousands of streams with dozens of nodes each; the row was sealed by this unit. */
const MAX_ROW_BYTES = 1 << 28;

/** The stream's root, where nothing of it was forgotten. */
export function rootOf({ nodes: [first] }: Pick<StreamKeys, 'nodes'>): Uint8Array | undefined {
  return first?.depth === 0 ? first.node : undefined;
}

/** @param streams made together, so that they have nodes at the same places */
export function encodeStreams(streams: readonly StreamKeys[]): Uint8Array {
  if (streams.every((stream) => rootOf(stream) !== undefined)) {
    return encodeCbor([
      streams.map((stream) => [stream.name, rootOf(stream) ?? new Uint8Array(0)]),
    ]);
  }
  const places = placesOf(streams[0]?.nodes ?? []);
  return encodeCbor([
    OF_NODES,
    places.map(({ depth, prefix }) => [depth, prefix]),
    streams.map(({ name, nodes }) => {
      const isAlike =
        nodes.length === places.length &&
        nodes.every(
          (node, i) => node.depth === places[i]?.depth && node.prefix === places[i].prefix,
        );
      if (!isAlike) throw new RangeError('expected the streams of a row to have the same nodes');
      return [name, concatBytes(...nodes.map(({ node }) => node))];
    }),
  ]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeStreams(plain: Uint8Array): readonly StreamKeys[] {
  const whole = decodeCbor(plain, MAX_ROW_BYTES);
  const isOfNodes = Array.isArray(whole) && whole[0] === OF_NODES;
  return decodeFields(plain, 'streams', isOfNodes ? readNodes : readRoots, MAX_ROW_BYTES);
}

function readRoots(fields: Fields): readonly StreamKeys[] {
  return fields.list('streams', MAX_ENTRIES, (stream) => ({
    name: stream.text('name', MAX_STREAM_ID_LENGTH),
    nodes: [rootNode(stream.bytes('root', NODE_BYTES))],
  }));
}

function readNodes(fields: Fields): readonly StreamKeys[] {
  fields.uint('form', OF_NODES);
  const places = fields.list('places', MAX_NODES, (place) => ({
    depth: place.uint('depth', 32),
    prefix: place.uint('prefix', 0xffff_ffff),
  }));
  return fields.list('streams', MAX_ENTRIES, (stream) => {
    const name = stream.text('name', MAX_STREAM_ID_LENGTH);
    const bytes = stream.bytes('nodes', places.length * NODE_BYTES);
    const nodes = places.map((place, i) => ({
      ...place,
      node: bytes.subarray(i * NODE_BYTES, (i + 1) * NODE_BYTES),
    }));
    return { name, nodes };
  });
}

function placesOf(nodes: readonly KeyNode[]): readonly Omit<KeyNode, 'node'>[] {
  return nodes.map(({ depth, prefix }) => ({ depth, prefix }));
}
