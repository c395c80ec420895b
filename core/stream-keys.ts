/**
 * Streams with their roots, or with the nodes that are left of them: as a unit keeps them, and as they are sealed to its
 * owner. Implements spec/spool.md, "Streams", and spec/keys.md, "Sealed to the owner".
 */
import { concatBytes } from './bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { decodeFields, type Fields } from './fields.ts';
import { type KeyNode, NODE_BYTES, rootNode } from './key-tree.ts';
import { MAX_STREAM_ID_LENGTH } from './stream.ts';

/** What tells a row of nodes from one of roots, whose first element is a list. */
const OF_NODES = 1;
/** A row whose streams have nodes at different places: those of custody outlive what was erased of the others. */
const OF_RUNS = 2;
/** Nodes are ascending, and none covers what another covers. */
export type StreamKeys = { readonly name: string; readonly nodes: readonly KeyNode[] };

const MAX_NODES = 1 << 16;
/** Thousands of streams with dozens of nodes each; the row was sealed by this unit. */
const MAX_ROW_BYTES = 1 << 28;

/** The stream's root, where nothing of it was forgotten. */
export function rootOf({ nodes: [first] }: Pick<StreamKeys, 'nodes'>): Uint8Array | undefined {
  return first?.depth === 0 ? first.node : undefined;
}

/** In one encoding each: as roots where nothing is missing, else with the nodes' places once for all, else once for each run. */
export function encodeStreams(streams: readonly StreamKeys[]): Uint8Array {
  if (streams.every((stream) => rootOf(stream) !== undefined)) {
    return encodeCbor([
      streams.map((stream) => [stream.name, rootOf(stream) ?? new Uint8Array(0)]),
    ]);
  }
  const runs = runsOf(streams).map(runFields);
  const [only] = runs;
  return encodeCbor(
    only !== undefined && runs.length === 1 ? [OF_NODES, ...only] : [OF_RUNS, runs],
  );
}

/** Neighbours with nodes at the same places. */
function runsOf(streams: readonly StreamKeys[]): readonly (readonly StreamKeys[])[] {
  const runs: StreamKeys[][] = [];
  for (const stream of streams) {
    const run = runs.at(-1);
    if (run?.[0] !== undefined && isAlike(run[0], stream)) run.push(stream);
    else runs.push([stream]);
  }
  return runs;
}

function isAlike({ nodes: a }: StreamKeys, { nodes: b }: StreamKeys): boolean {
  return (
    a.length === b.length &&
    a.every(({ depth, prefix }, i) => depth === b[i]?.depth && prefix === b[i].prefix)
  );
}

function runFields(run: readonly StreamKeys[]): readonly CborValue[] {
  return [
    (run[0]?.nodes ?? []).map(({ depth, prefix }) => [depth, prefix]),
    run.map(({ name, nodes }) => [name, concatBytes(...nodes.map(({ node }) => node))]),
  ];
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeStreams(plain: Uint8Array): readonly StreamKeys[] {
  const whole = decodeCbor(plain, MAX_ROW_BYTES);
  const form: unknown = Array.isArray(whole) ? whole[0] : undefined;
  const read = form === OF_NODES ? readNodes : form === OF_RUNS ? readRuns : readRoots;
  return decodeFields(plain, 'streams', read, MAX_ROW_BYTES);
}

function readRoots(fields: Fields): readonly StreamKeys[] {
  return fields.list('streams', MAX_ENTRIES, (stream) => ({
    name: stream.text('name', MAX_STREAM_ID_LENGTH),
    nodes: [rootNode(stream.bytes('root', NODE_BYTES))],
  }));
}

function readNodes(fields: Fields): readonly StreamKeys[] {
  fields.uint('form', OF_NODES);
  return readRun(fields);
}

function readRuns(fields: Fields): readonly StreamKeys[] {
  fields.uint('form', OF_RUNS);
  return fields.list('runs', MAX_ENTRIES, readRun).flat();
}

function readRun(fields: Fields): readonly StreamKeys[] {
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
