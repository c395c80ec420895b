import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../core/bytes.ts';
import { encodePackedLeaf, type Leaf } from '../../core/leaf.ts';
import { RawPayloadEncoder } from '../../core/raw-payload-encode.ts';
import { replaceAt } from '../../fixtures/generate/bundles/case.ts';
import { chunkTree, openedChunk } from '../../fixtures/generate/bundles/chunk-tree.ts';
import { COMPLETE, makeBundle } from '../../fixtures/generate/bundles/make-bundle.ts';
import { driveLeaves } from '../../fixtures/generate/bundles/test-drive.ts';
import { seededBytes } from '../../fixtures/generate/seeded-bytes.ts';
import { nativeDeflate } from '../../hw/crypto/native-deflate.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { CHECK_CODES } from '../../verifier/check.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import type { Report } from '../../verifier/report.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, VECTORS, vectorNamed } from './vector-files.ts';

const options = { verifyDigest: rememberingVerifyDigest, hash: nativeSha256 };
const { policy } = vectorNamed('valid-complete');

function verdictOf(report: Report, code: string): string | undefined {
  const check = report.checks.find((one) => one.code === code);
  return check?.reason ?? check?.verdict;
}

describe('a hostile bundle', () => {
  it('of random bytes gets a report and not an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(verifyEvidence(bytes, policy, options).accepted).toBe(false);
      }),
    );
  });

  it('made from a valid one by cutting, doubling and changing gets a report and not an exception', () => {
    const sources = VECTORS.filter(({ expect: wanted }) => wanted === 'valid');
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        fc.array(
          fc.tuple(
            fc.nat(),
            fc.nat(),
            fc.nat({ max: 60 }),
            fc.constantFrom('cut', 'double', 'set'),
          ),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        ({ bundle, policy: own }, changes) => {
          let body: Uint8Array = bundle.slice(0, -32);
          for (const [from, to, length, kind] of changes) {
            const at = from % body.length;
            const piece = body.slice(at, at + length);
            const rest = body.slice(kind === 'double' ? at : at + length);
            const middle =
              kind === 'set' ? piece.map((byte, i) => byte ^ ((to >> (i % 8)) & 255)) : piece;
            body = concatBytes(
              body.slice(0, at),
              kind === 'cut' ? new Uint8Array(0) : middle,
              rest,
            );
          }
          const report = verifyEvidence(concatBytes(body, nativeSha256(body)), own, options);
          expect(report.checks).toHaveLength(CHECK_CODES.length);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('that unpacks to more than its size explains is left unopened', () => {
    const zeros = new Uint8Array(15 << 20);
    const body = nativeDeflate(zeros) ?? zeros;
    const bomb = encodePackedLeaf({ count: 1, inflatedLength: zeros.length, body });
    const { bundle, policy: own } = makeBundle(COMPLETE, {
      parts: ({ chunks }) =>
        replaceAt(chunks, 0, (chunk) => ({
          ...chunk,
          leaves: chunk.leaves.map((leaf) => ({ ...leaf, packed: bomb })),
        })),
    });
    const report = verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(own)), options);
    expect(verdictOf(report, 'LEAVES')).toBe('leaf_budget');
    expect(report.accepted).toBe(false);
  });

  it('whose device signed millions of frames in a few bytes is left undecoded', () => {
    const leaves = frameBombs();
    const { bundle, policy: own } = makeBundle(
      { ...COMPLETE, sessions: [1], statements: [0], anchorBlocks: [104n], beaconBlocks: [100n] },
      {
        leaves: () => leaves,
        parts: (parts) => {
          parts.streams = leaves.map(({ stream }) => stream).sort();
          const tree = chunkTree(leaves, 0, seededBytes('nonce 0', 16));
          const opened = openedChunk(tree, 0, parts.streams);
          parts.chunks = opened === undefined ? [] : [opened];
        },
      },
    );
    const report = verifyEvidence(bundle, parseTrustPolicy(JSON.stringify(own)), options);
    expect(verdictOf(report, 'LEAVES')).toBe('PASSED');
    expect(verdictOf(report, 'STREAMS')).toBe('leaf_budget');
  });
});

/** The most frames that a leaf may have, all alike, in forty streams. */
function frameBombs(): readonly Leaf[] {
  const count = 1 << 17;
  const zeros = new Uint8Array(count);
  const block = {
    ...{ baseNs: 0n, count, offsetNs: new Float64Array(count), bus: zeros, flags: zeros },
    ...{ id: new Uint32Array(count).fill(0x100), length: zeros, rawDlc: zeros },
    ...{ dataAt: new Uint32Array(count), data: new Uint8Array(0), cursor: new Uint32Array(count) },
  };
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  const payload = new RawPayloadEncoder().encode(block, rows, 0x100).slice();
  const [first] = driveLeaves(0);
  if (first === undefined) throw new Error('no leaf');
  return Array.from({ length: 40 }, (_, i) => {
    const stream = `raw/can${i}/100`;
    return { ...first, stream, count, payload };
  });
}
