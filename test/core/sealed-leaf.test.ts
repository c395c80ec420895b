import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '../../core/hash.ts';
import { leafSecrets } from '../../core/key-tree.ts';
import { hashOfLeaf, type Leaf } from '../../core/leaf.ts';
import {
  type Aead,
  assertLeafHash,
  leafFromPacked,
  openSealedLeaf,
  packLeaf,
  sealPackedLeaf,
  silentLeaf,
} from '../../core/sealed-leaf.ts';
import { nodeAead } from '../../fixtures/generate/node-aead.ts';
import { codeOf } from './coded-error.ts';

const secrets = leafSecrets(new Uint8Array(32).fill(1), new Uint8Array(16).fill(2));
const place = { tag: new Uint8Array(16).fill(3), seq: 7 };
const plain = () => undefined;

const leaf: fc.Arbitrary<Leaf> = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 1000 }))
  .map(([payload, count]) => ({ stream: 'raw/can0/123', seq: place.seq, count, payload }));

test('a sealed leaf opens in its place, under its secrets, to what was sealed', () => {
  fc.assert(
    fc.property(leaf, (one) => {
      const sealed = sealPackedLeaf(packLeaf(one, plain), place, secrets, nodeAead);
      const opened = openSealedLeaf(sealed, place, secrets, nodeAead);
      expect(leafFromPacked(one.stream, one.seq, opened)).toEqual(one);
      assertLeafHash(one, secrets.salt, hashOfLeaf(one, secrets.salt), sha256);
    }),
  );
});

test('it opens in no other place and under no other secrets', () => {
  fc.assert(
    fc.property(leaf, fc.nat(15), (one, at) => {
      const sealed = sealPackedLeaf(packLeaf(one, plain), place, secrets, nodeAead);
      const code = (change: Partial<typeof place>, other: Partial<typeof secrets>) =>
        codeOf(() =>
          openSealedLeaf(sealed, { ...place, ...change }, { ...secrets, ...other }, nodeAead),
        );
      const flip = (bytes: Uint8Array) => bytes.with(at, (bytes[at] ?? 0) ^ 1);
      expect(code({ seq: 8 }, {})).toBe('LEAF_SEAL');
      expect(code({ tag: flip(place.tag) }, {})).toBe('LEAF_SEAL');
      expect(code({}, { handle: flip(secrets.handle) })).toBe('LEAF_SEAL');
      expect(code({}, { key: flip(secrets.key) })).toBe('LEAF_SEAL');
    }),
  );
});

test('what opens to another leaf than the tree holds is refused, although the cipher took it', () => {
  // GCM does not commit to its key, so a forger may own a ciphertext that opens under two: this one
  // stands for it by opening whatever it is given.
  const willing: Aead = { seal: nodeAead.seal, open: () => Uint8Array.of(1, 0, 42) };
  const opened = openSealedLeaf(new Uint8Array(40), place, secrets, willing);
  const forged = leafFromPacked('raw/can0/123', place.seq, opened);
  const sealed = { ...forged, payload: Uint8Array.of(43) };
  const inTree = hashOfLeaf(sealed, secrets.salt);
  expect(codeOf(() => assertLeafHash(forged, secrets.salt, inTree, sha256))).toBe(
    'LEAF_HASH_MISMATCH',
  );
});

test('a leaf of another stream, chunk or salt has another hash', () => {
  const one: Leaf = { stream: 'raw/can0/123', seq: 7, count: 1, payload: Uint8Array.of(1) };
  const hashes = [
    one,
    { ...one, stream: 'raw/can0/124' },
    { ...one, seq: 8 },
    { ...one, count: 2 },
    { ...one, payload: Uint8Array.of(2) },
    silentLeaf(one.stream, one.seq),
  ].map((other) => hashOfLeaf(other, secrets.salt).join());
  hashes.push(hashOfLeaf(one, new Uint8Array(16)).join());
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('packing keeps what deflate does not shrink, and says the length of what it does', () => {
  const one: Leaf = { stream: 'raw/can0/123', seq: 7, count: 1, payload: Uint8Array.of(1, 2, 3) };
  expect(packLeaf(one, plain)).toEqual({ count: 1, inflatedLength: 0, body: one.payload });
  const body = Uint8Array.of(9);
  expect(packLeaf(one, () => body)).toEqual({ count: 1, inflatedLength: 3, body });
});

test('a packed leaf that is none is refused by its code', () => {
  const code = (bytes: Uint8Array) =>
    codeOf(() => {
      const willing: Aead = { seal: nodeAead.seal, open: () => bytes };
      leafFromPacked('raw/can0/123', 7, openSealedLeaf(bytes, place, secrets, willing));
    });
  expect(code(new Uint8Array(0))).toBe('PACKED_LEAF');
  expect(code(Uint8Array.of(0, 0, 1))).toBe('LEAF_COUNT');
  expect(code(Uint8Array.of(1, 0))).toBe('LEAF_PAYLOAD');
  expect(code(Uint8Array.of(1, 9, 7))).toBe('INFLATE_FAILED');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(code(bytes) ?? 'taken').toMatch(/^(taken|PACKED_LEAF|LEAF_\w+|INFLATE_\w+)$/);
    }),
  );
});
