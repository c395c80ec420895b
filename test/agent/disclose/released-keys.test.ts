/**
 * What a grantee can derive from the secrets of packages: the keys, salts and handles of the granted streams in the granted
 * chunks and of the grant's own custody stream where it has records, all of them, and of nothing else, also from two
 * packages together.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wantedNames } from '../../../agent/disclose/chosen-parts.ts';
import { type GrantedRange, isInRange } from '../../../agent/disclose/granted-chunks.ts';
import { type KeptStream, keyNodesOf } from '../../../agent/disclose/released-keys.ts';
import { toHex } from '../../../core/bytes.ts';
import { custodyStreamOf } from '../../../core/custody-record.ts';
import type { Hash } from '../../../core/hash.ts';
import { type KeyNode, KeyTreeWalk, leafSecrets, nodesForRange } from '../../../core/key-tree.ts';
import { decodeKeyNodesItem, encodeKeyNodesItem } from '../../../core/package.ts';
import { RECORDS } from '../../../core/stream.ts';
import { seededBytes } from '../../../fixtures/generate/seeded-bytes.ts';

const GRANTABLE = ['gnss/position', 'raw/can0/0B4', 'raw/can0/224', 'raw/can0/3F1'];
/** Of two grants. The owner's own stream, which tells of both, is in no package. */
const CUSTODY = [0, 1].map((grant) => custodyStreamOf(seededBytes(`grant ${grant}`, 32)));
const STREAMS = [...GRANTABLE, RECORDS.custody, ...CUSTODY];
/** Where the log is by then: the nodes of a range differ with it. */
const FIRST_SEQ = 1_000;
const CHUNKS = 40;
const TAG = seededBytes('tag', 16);

const realHash: Hash = (message) => new Uint8Array(createHash('sha512').update(message).digest());

/** 64 bytes that depend on all of the input; which tree a hash spans is not what is tested here. */
const cheapHash: Hash = ({ buffer, byteOffset, length }) => {
  const out = new Uint32Array(16);
  let [a, b] = [0x9e3779b9, 0x85ebca6b];
  for (const word of new Uint32Array(buffer, byteOffset, length / 4)) {
    a = Math.imul(a ^ word, 0x01000193) + (b >>> 11);
    b = Math.imul(b ^ (a >>> 15) ^ word, 0xc2b2ae35);
  }
  for (let i = 0; i < 16; i++) {
    a = Math.imul(a ^ (b >>> 13), 0x01000193) + i;
    b = Math.imul(b ^ (a >>> 16), 0x27d4eb2f) ^ (a << 7);
    out[i] = a ^ b;
  }
  return new Uint8Array(out.buffer);
};

type Chunk = { readonly seq: number; readonly wallStartNs: bigint; readonly nonce: Uint8Array };

/** A drive whose clock was set, to and fro; some chunks have lost their leaves, some streams were seen later. */
type World = {
  readonly chunks: readonly Chunk[];
  readonly gone: ReadonlySet<number>;
  readonly firstSeq: ReadonlyMap<string, number>;
  /** Of each grant: chunks with records. Its custody stream has a leaf in every chunk from the first of them on. */
  readonly records: readonly ReadonlySet<number>[];
};

function worldOf(
  steps: readonly number[],
  gone: readonly number[],
  first: readonly number[],
  records: readonly (readonly number[])[],
): World {
  let wallS = 1_000;
  const chunks = steps.map((step, i): Chunk => {
    wallS += step;
    const seq = FIRST_SEQ + i;
    return { seq, wallStartNs: BigInt(wallS) * 1_000_000_000n, nonce: NONCES[i] ?? TAG };
  });
  return {
    chunks,
    gone: new Set(gone.map((i) => FIRST_SEQ + i)),
    firstSeq: new Map(GRANTABLE.map((name, s) => [name, FIRST_SEQ + (first[s] ?? 0)])),
    records: records.map((own) => new Set(own.map((i) => FIRST_SEQ + i))),
  };
}

const NONCES = Array.from({ length: CHUNKS }, (_, i) => seededBytes(`nonce ${i}`, 16));
const ROOTS = new Map(STREAMS.map((name) => [name, seededBytes(`root ${name}`, 32)]));

type Wanted = {
  readonly grant: number;
  readonly streams: readonly string[];
  readonly fromS: number;
  readonly lengthS: number;
};

function seqsInRange(world: World, { fromS, lengthS }: Wanted): readonly number[] {
  const range: GrantedRange = {
    tag: TAG,
    epoch: 0,
    fromNs: BigInt(fromS) * 1_000_000_000n,
    toNs: BigInt(fromS + lengthS) * 1_000_000_000n,
  };
  return world.chunks
    .filter((chunk) => isInRange({ tag: TAG, epoch: 0, ...chunk }, range))
    .map(({ seq }) => seq);
}

/** As the unit releases them: of each chunk the leaves that it has of what the grant wants there. */
function releasedOf(world: World, wanted: Wanted) {
  const custody = CUSTODY[wanted.grant] ?? '';
  const places = [...(world.records[wanted.grant] ?? [])].map((seq) => ({ log: 0, seq }));
  const logs = [{ log: 0, inRange: seqsInRange(world, wanted) }];
  const names = wantedNames({ streams: wanted.streams, custody }, logs, places);
  const firstRecord = Math.min(...(world.records[wanted.grant] ?? []));
  return world.chunks
    .filter(({ seq }) => !world.gone.has(seq))
    .flatMap(({ seq }) => {
      const seen = [...names(0, seq)].filter(
        (name) => seq >= (name === custody ? firstRecord : (world.firstSeq.get(name) ?? 0)),
      );
      return seen.length === 0 ? [] : [{ log: 0, seq, leaves: seen.map((stream) => ({ stream })) }];
    });
}

/** As the grant says: the granted streams in its chunks, and its custody stream where that has records. */
function pairsOf(world: World, wanted: Wanted): readonly (readonly [string, number])[] {
  const granted = seqsInRange(world, wanted).flatMap((seq) =>
    wanted.streams
      .filter((name) => seq >= (world.firstSeq.get(name) ?? 0))
      .map((name) => [name, seq] as const),
  );
  const records = [...(world.records[wanted.grant] ?? [])];
  const custody = records.map((seq) => [CUSTODY[wanted.grant] ?? '', seq] as const);
  return [...granted, ...custody].filter(([, seq]) => !world.gone.has(seq));
}

/** A unit keeps nodes and not roots; these give more than the drive. */
const keptBy = new Map<Hash, readonly KeptStream[]>();
function keptOf(hash: Hash): readonly KeptStream[] {
  const known = keptBy.get(hash);
  if (known !== undefined) return known;
  const kept = STREAMS.map((name) => ({
    name,
    nodes: nodesForRange(ROOTS.get(name) ?? TAG, 7, 4_000, hash),
  }));
  keptBy.set(hash, kept);
  return kept;
}

/** As its items are read again by the grantee. */
function packageOf(world: World, wanted: Wanted, hash: Hash) {
  const kept = keptOf(hash);
  const names = [...wanted.streams, CUSTODY[wanted.grant] ?? ''];
  const places = new Map(names.map((name, place) => [name, place]));
  return keyNodesOf(0, kept, releasedOf(world, wanted), places, hash).map((item) => {
    const read = decodeKeyNodesItem(encodeKeyNodesItem(item));
    return { stream: names[read.stream] ?? '', nodes: read.nodes };
  });
}

/** Every seq below a node. Nobody may hold one that reaches out of the drive. */
function seqsBelow({ depth, prefix }: KeyNode): readonly number[] {
  const span = 2 ** (32 - depth);
  if (span > CHUNKS) throw new Error(`a node of ${span} chunks`);
  return Array.from({ length: span }, (_, i) => prefix * span + i);
}

function secretsText(node: Uint8Array, nonce: Uint8Array, hash: Hash): string {
  const { key, salt, handle } = leafSecrets(node, nonce, hash);
  return `${toHex(key)} ${toHex(salt)} ${toHex(handle)}`;
}

function derived(world: World, wanted: readonly Wanted[], hash: Hash): ReadonlySet<string> {
  const out = new Set<string>();
  for (const one of wanted) {
    for (const { nodes } of packageOf(world, one, hash)) {
      for (const node of nodes) {
        const walk = new KeyTreeWalk(node, hash);
        for (const seq of seqsBelow(node)) {
          const nonce = world.chunks[seq - FIRST_SEQ]?.nonce;
          if (nonce === undefined) throw new Error(`a key of chunk ${seq}, which is not there`);
          out.add(secretsText(walk.nodeOf(seq), nonce, hash));
        }
      }
    }
  }
  return out;
}

function granted(world: World, wanted: readonly Wanted[], hash: Hash): ReadonlySet<string> {
  const walks = new Map(
    STREAMS.map((name) => {
      const top = { depth: 0, prefix: 0, node: ROOTS.get(name) ?? TAG };
      return [name, new KeyTreeWalk(top, hash)];
    }),
  );
  return new Set(
    wanted
      .flatMap((one) => pairsOf(world, one))
      .map(([stream, seq]) => {
        const nonce = world.chunks[seq - FIRST_SEQ]?.nonce ?? TAG;
        return secretsText(walks.get(stream)?.nodeOf(seq) ?? TAG, nonce, hash);
      }),
  );
}

const worlds = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 12, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
      ),
      { minLength: CHUNKS, maxLength: CHUNKS },
    ),
    fc.array(fc.nat(CHUNKS - 1), { maxLength: 3 }),
    fc.array(fc.oneof(fc.constant(0), fc.nat(CHUNKS)), { minLength: 4, maxLength: 4 }),
    fc.array(fc.array(fc.nat(CHUNKS - 1), { maxLength: 4 }), { minLength: 2, maxLength: 2 }),
  )
  .map((parts) => worldOf(...parts));

const grants: fc.Arbitrary<Wanted> = fc.record({
  grant: fc.nat(CUSTODY.length - 1),
  streams: fc.subarray(GRANTABLE, { minLength: 1 }),
  fromS: fc.integer({ min: 990, max: 1_050 }),
  lengthS: fc.integer({ min: 1, max: 60 }),
});

function sortedText(texts: ReadonlySet<string>): string {
  return [...texts].sort().join('\n');
}

function holds(hash: Hash, runs: number, least: number, most: number): void {
  let pairs = 0;
  const property = fc.property(
    worlds,
    fc.array(grants, { minLength: least, maxLength: most }),
    (world, wanted) => {
      const expected = granted(world, wanted, hash);
      pairs += expected.size;
      // As one text each: the matcher for sets compares each with each.
      expect(sortedText(derived(world, wanted, hash))).toBe(sortedText(expected));
    },
  );
  fc.assert(property, { numRuns: runs });
  // Not all of them empty.
  expect(pairs).toBeGreaterThan(runs);
}

describe('what can be derived from the secrets of a package is what was granted', {
  timeout: 120_000,
}, () => {
  test('for 10,000 random grants', () => {
    holds(cheapHash, 10_000, 1, 1);
  });

  test('for 10,000 pairs of grants, which reach nothing together that neither reaches alone', () => {
    holds(cheapHash, 10_000, 2, 2);
  });

  test('with SHA-512 itself', () => {
    holds(realHash, 200, 1, 2);
  });
});

test('a derived node under the nonce of another chunk names no leaf of the drive', () => {
  const world = worldOf(
    Array.from({ length: CHUNKS }, () => 1),
    [],
    [],
    [[3], [9, 20]],
  );
  const everything = { grant: 0, streams: STREAMS, fromS: 0, lengthS: 10_000 };
  const all = granted(world, [everything], realHash);
  const wanted = { grant: 1, streams: ['raw/can0/0B4'], fromS: 1_005, lengthS: 8 };
  const own = granted(world, [wanted], realHash);
  const found = new Set<string>();
  for (const { nodes } of packageOf(world, wanted, realHash)) {
    for (const node of nodes) {
      const walk = new KeyTreeWalk(node, realHash);
      for (const seq of seqsBelow(node)) {
        for (const { nonce } of world.chunks) {
          const secrets = secretsText(walk.nodeOf(seq), nonce, realHash);
          if (all.has(secrets)) found.add(secrets);
        }
      }
    }
  }
  expect(own.size).toBe(8 + 2);
  expect(found).toEqual(own);
});
