import { createMerkleProof, createMPT } from '@ethereumjs/mpt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, fromHex } from '../../../core/bytes.ts';
import { FormatError, VerificationError } from '../../../core/errors.ts';
import { decodeBlockHeader } from '../../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../../core/evm/header-from-rpc.ts';
import {
  type HeaderLink,
  HISTORY_ADDRESS,
  HISTORY_CODE_HASH,
  type Hop,
  verifyHeaderLink,
} from '../../../core/evm/header-link.ts';
import { keccak256 } from '../../../core/evm/keccak.ts';
import { sortNodes } from '../../../core/evm/node-pool.ts';
import { padTo32, quantityBytes } from '../../../core/evm/quantity.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '../../../core/evm/rlp.ts';
import { blockNumbered, readRecorded } from '../../../fixtures/generate/evm/recorded.ts';
import fourHops from '../../../fixtures/vectors/evm/header-link/valid-four-hops.json' with {
  type: 'json',
};
import { bitsOf, flipBit } from './flip-bit.ts';

const RING = 8191;

/** The recorded four hops, as bytes. */
function recordedLink(): HeaderLink {
  return {
    chainId: BigInt(fourHops.input.chainId),
    hops: fourHops.input.hops.map(({ header, numbers }) =>
      numbers === undefined
        ? { kind: 'parent', header: fromHex(header) }
        : { kind: 'history', header: fromHex(header), numbers: numbers.map(BigInt) },
    ),
    nodes: fourHops.input.nodes.map(fromHex),
  };
}

/** One history hop over a ring that holds `hashOf(n)` for the blocks below `newest`, made by other code. */
async function syntheticLink(newest: number, numbers: readonly number[]): Promise<HeaderLink> {
  const ring = await createMPT({ useKeyHashing: true });
  for (let n = Math.max(0, newest - RING); n < newest; n++) {
    await ring.put(slotOf(n), encodeRlp(trimmed(hashOf(n))));
  }
  const state = await createMPT({ useKeyHashing: true });
  const account = [new Uint8Array(), new Uint8Array(), ring.root(), HISTORY_CODE_HASH];
  await state.put(HISTORY_ADDRESS, encodeRlp(account));
  const nodes = await createMerkleProof(state, HISTORY_ADDRESS);
  for (const n of numbers) nodes.push(...(await createMerkleProof(ring, slotOf(n))));
  const template = encodeBlockHeaderFromRpc(blockNumbered(readRecorded(), 20_040));
  const header = withFields(template, { 3: state.root(), 8: quantityBytes(BigInt(newest)) });
  return {
    ...{ chainId: 1n, hops: [{ kind: 'history', header, numbers: numbers.map(BigInt) }] },
    nodes: sortNodes(nodes),
  };
}

function withNumbers(link: HeaderLink, ...numbers: bigint[]): HeaderLink {
  return { ...link, hops: link.hops.map(({ header }) => ({ kind: 'history', header, numbers })) };
}

const slotOf = (n: number) => padTo32(quantityBytes(BigInt(n % RING)));
/** One in 256 of these starts with a zero byte, which a trie does not store. */
const hashOf = (n: number) => keccak256(quantityBytes(BigInt(n)));
const trimmed = (word: Uint8Array) => word.subarray(word.findIndex((byte) => byte !== 0));

function withFields(header: Uint8Array, changes: Readonly<Record<number, RlpItem>>): Uint8Array {
  const fields = decodeRlp(header, header.length) as readonly RlpItem[];
  return encodeRlp(fields.map((field, i) => changes[i] ?? field));
}

describe('header link', () => {
  it('shows blocks from end to end of a full ring and none outside it', async () => {
    const newest = 30_000;
    const lap = Array.from({ length: 1 + (RING - 1) / 10 }, (_, i) => newest - 1 - 10 * i);
    expect(lap.at(-1)).toBe(newest - RING);
    const link = await syntheticLink(newest, lap);
    const { known } = verifyHeaderLink(link);
    for (const n of lap) expect(known.get(BigInt(n))).toEqual(hashOf(n));
    for (const n of [newest - RING - 1, newest, newest + 1]) {
      expect(() => verifyHeaderLink(withNumbers(link, BigInt(n)))).toThrow(
        withCode('HEADER_LINK_RANGE'),
      );
    }
  });

  it('reaches block 0 of a young chain, and nothing before it', async () => {
    const link = await syntheticLink(5, [4, 0]);
    expect(verifyHeaderLink(link).known.get(0n)).toEqual(hashOf(0));
    expect(() => verifyHeaderLink(withNumbers(link, -1n))).toThrow(withCode('HEADER_LINK_RANGE'));
  });

  it('refuses the parent of block 0', () => {
    const template = encodeBlockHeaderFromRpc(blockNumbered(readRecorded(), 20_040));
    const header = withFields(template, { 8: new Uint8Array() });
    const link: HeaderLink = { chainId: 1n, hops: [{ kind: 'parent', header }], nodes: [] };
    expect(() => verifyHeaderLink(link)).toThrow(withCode('HEADER_LINK_RANGE'));
  });

  it('refuses more hops than a bundle may carry, before it reads them', () => {
    const hops: Hop[] = Array.from({ length: 1025 }, () => ({
      ...{ kind: 'parent', header: new Uint8Array() },
    }));
    expect(() => verifyHeaderLink({ chainId: 1n, hops, nodes: [] })).toThrow(
      withCode('HEADER_LINK_TOO_LONG'),
    );
  });

  it('fails, or names another block to check, when any one bit of headers or nodes is flipped', () => {
    const link = recordedLink();
    const { newest } = verifyHeaderLink(link);
    const strings = [...link.hops.map(({ header }) => header), ...link.nodes];
    const bits = bitsOf(strings);
    const firstHeaderBits = 8 * (link.hops[0]?.header.length ?? 0);
    fc.assert(
      fc.property(fc.nat({ max: bits - 1 }), fc.boolean(), (bit, isSortedAgain) => {
        const flipped = flipBit(strings, bit);
        const nodes = flipped.slice(link.hops.length);
        const changed: HeaderLink = {
          chainId: link.chainId,
          hops: link.hops.map((hop, i) => ({ ...hop, header: flipped[i] ?? hop.header })),
          nodes: isSortedAgain ? sortNodes(nodes) : nodes,
        };
        try {
          const found = verifyHeaderLink(changed);
          expect(bit).toBeLessThan(firstHeaderBits);
          expect(equalBytes(found.newest.hash, newest.hash)).toBe(false);
        } catch (error) {
          if (!(error instanceof FormatError)) expect(error).toBeInstanceOf(VerificationError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('rests on the hash of the first header and on that of no other', () => {
    const link = recordedLink();
    const [first] = link.hops;
    const { newest } = verifyHeaderLink(link);
    expect(newest).toEqual(decodeBlockHeader(first?.header ?? new Uint8Array()));
  });
});

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}
