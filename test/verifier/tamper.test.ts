import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../core/bytes.ts';
import type { RecordKind } from '../../core/cose.ts';
import { COMPLETE, type Edits, makeBundle } from '../../fixtures/generate/bundles/make-bundle.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { parseTrustPolicy, type TrustPolicy } from '../../verifier/policy.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, vectorNamed } from './vector-files.ts';

const options = { verifyDigest: rememberingVerifyDigest, hash: nativeSha256 };

/** What a reader may conclude; undefined when the bundle is not accepted. */
function conclusion(bundle: Uint8Array, policy: TrustPolicy): string | undefined {
  const report = verifyEvidence(bundle, policy, options);
  if (!report.accepted) return undefined;
  const { facts } = JSON.parse(reportJson(report)) as { facts: unknown };
  return JSON.stringify(facts);
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  out[bit >> 3] = (out[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return out;
}

function redigested(bundle: Uint8Array): Uint8Array {
  const body = bundle.subarray(0, -32);
  return concatBytes(body, nativeSha256(body));
}

describe('plain tampering', () => {
  const { bundle, policy } = vectorNamed('valid-small');

  it('is refused wherever one byte is changed', () => {
    const accepted: number[] = [];
    for (let at = 0; at < bundle.length; at++) {
      if (conclusion(flipped(bundle, 8 * at + (at % 8)), policy) !== undefined) accepted.push(at);
    }
    expect(accepted).toEqual([]);
  });

  it('is refused wherever the bundle is cut', () => {
    for (let length = 0; length < bundle.length; length += 7) {
      expect(conclusion(bundle.slice(0, length), policy)).toBeUndefined();
    }
  });
});

describe('resealed tampering', () => {
  it.each([
    ['small', 'valid-small'],
    ['small, recovered', 'valid-recovered-small'],
  ])(
    'with the digest computed again is refused, or leaves every fact as it was: all bits of a %s bundle',
    (_, name) => {
      const { bundle, policy } = vectorNamed(name);
      const facts = conclusion(bundle, policy);
      const changed: number[] = [];
      for (let bit = 0; bit < 8 * (bundle.length - 32); bit++) {
        const concluded = conclusion(redigested(flipped(bundle, bit)), policy);
        if (concluded !== undefined && concluded !== facts) changed.push(bit);
      }
      expect(facts).toBeDefined();
      expect(changed).toEqual([]);
    },
    300_000,
  );

  it.each([
    'valid-complete',
    'valid-recovered-two',
    'valid-rolled-back',
    'valid-custody-both-streams',
    'valid-custody-alone',
  ])('is refused, or leaves every fact as it was: a sample of the bits of %s', (name) => {
    const { bundle, policy } = vectorNamed(name);
    const facts = conclusion(bundle, policy);
    const changed: number[] = [];
    for (let bit = 3; bit < 8 * (bundle.length - 32); bit += 61) {
      const concluded = conclusion(redigested(flipped(bundle, bit)), policy);
      if (concluded !== undefined && concluded !== facts) changed.push(bit);
    }
    expect(changed).toEqual([]);
  });

  /** Everything above the changed bytes is computed again, up to a new newest block: only keys and the policy are out of reach. */
  function resealed(edits: Edits): string | undefined {
    const { policy } = makeBundle(COMPLETE);
    return conclusion(makeBundle(COMPLETE, edits).bundle, parseTrustPolicy(JSON.stringify(policy)));
  }

  it.each<[RecordKind, number]>([
    ['session-record', 0],
    ['session-record', 1],
    ['chunk-header', 1],
    ['statement', 0],
  ])('with everything above a changed %s %i computed again is refused', (kind, place) => {
    let length = 0;
    resealed({
      resealed: (of, payload, i) => {
        if (of === kind && i === place) length = payload.length;
        return payload;
      },
    });
    for (let bit = 0; bit < 8 * length; bit += 41) {
      const concluded = resealed({
        resealed: (of, payload, i) =>
          of === kind && i === place ? flipped(payload, bit) : payload,
      });
      expect(concluded).toBeUndefined();
    }
    expect(length).toBeGreaterThan(100);
  });

  it('with everything above a changed journal block computed again is refused', () => {
    const plan = { ...COMPLETE, recovered: { 2: 2 }, sessions: [2, 1] };
    const policy = parseTrustPolicy(JSON.stringify(makeBundle(plan).policy));
    let length = 0;
    const changed = (bit: number | undefined) =>
      makeBundle(plan, {
        resealed: (of, payload, i) => {
          if (of !== 'journal-block' || i !== 1) return payload;
          length = payload.length;
          return bit === undefined ? payload : flipped(payload, bit);
        },
      }).bundle;
    expect(conclusion(changed(undefined), policy)).toBeDefined();
    for (let bit = 0; bit < 8 * length; bit += 41) {
      expect(conclusion(changed(bit), policy)).toBeUndefined();
    }
    expect(length).toBeGreaterThan(100);
  });

  it('with another leaf, and the tree, header, batch, window and chain computed again, is refused', () => {
    const bit = 1;
    const concluded = resealed({
      leaves: (leaves, seq) =>
        leaves.map((leaf, i) =>
          seq === 1 && i === 0 ? { ...leaf, payload: flipped(leaf.payload, 8 * 20 + bit) } : leaf,
        ),
      signer: () => ({ secret: new Uint8Array(32).fill(9), key: STRANGER_KEY }),
    });
    expect(concluded).toBeUndefined();
  });

  it('with another window record anchored on a chain of its own is refused', () => {
    const concluded = resealed({
      window: (record, i) => (i === 1 ? { ...record, windowSeq: 7n } : record),
    });
    expect(concluded).toBeUndefined();
  });
});

/** Any key that is not the device's. */
const STRANGER_KEY = { algorithm: 'ES256K', bytes: new Uint8Array(33) } as const;
