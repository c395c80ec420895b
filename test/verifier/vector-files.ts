/** The bundle vectors, read once, and a signature check that remembers what it has seen. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import type { VerifyDigest } from '../../core/signature.ts';
import type { BundleVector } from '../../fixtures/generate/bundles.ts';
import { fastVerifyDigest } from '../../hw/crypto/native-ecdsa.ts';
import { parseTrustPolicy, type TrustPolicy } from '../../verifier/policy.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/vectors/bundles');

export type LoadedVector = BundleVector & {
  readonly bundle: Uint8Array;
  readonly policy: TrustPolicy;
};

export const VECTORS: readonly LoadedVector[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => {
    const vector = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as BundleVector;
    return {
      ...vector,
      bundle: fromHex(vector.input.bundle),
      policy: parseTrustPolicy(JSON.stringify(vector.input.policy)),
    };
  });

export function vectorNamed(name: string): LoadedVector {
  const found = VECTORS.find((vector) => vector.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return found;
}

const seen = new Map<string, boolean>();

/** Thousands of changed bundles share nearly all of their signatures. */
export const rememberingVerifyDigest: VerifyDigest = (key, digest, signature) => {
  const name = `${key.algorithm} ${toHex(key.bytes)} ${toHex(digest)} ${toHex(signature)}`;
  const known = seen.get(name);
  if (known !== undefined) return known;
  const result = fastVerifyDigest(key, digest, signature);
  seen.set(name, result);
  return result;
};
