/** What TAIL says of a service's word: of which chunk, since when, and nothing where the word does not hold. */
import { describe, expect, it } from 'vitest';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { checkTail } from '../../verifier/checks/tail.ts';
import { readContext } from '../../verifier/context.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { rememberingVerifyDigest, vectorNamed } from './vector-files.ts';

function tailOf(name: string): string {
  const { bundle, policy } = vectorNamed(name);
  const evidence = readEvidence(bundle, nativeSha256);
  return checkTail(readContext(evidence, policy, rememberingVerifyDigest, nativeSha256)).detail;
}

describe('TAIL after a crash', () => {
  it('has what a service accepted to the millisecond, and as its word', () => {
    const detail = tailOf('valid-acceptance');
    expect(detail).toMatch(
      /a service says that it had a statement up to chunk \d\/\d by [\d-]+ [\d:]+\.\d{3} UTC: its word, by its clock, on no chain$/,
    );
    // It has the statement: a service is never sent a chunk.
    expect(detail).not.toContain('had all');
  });

  it.each([
    'valid-acceptance-stranger',
    'invalid-acceptance-not-in-policy',
    'invalid-acceptance-other-statement',
    'invalid-acceptance-path',
    'invalid-acceptance-signature',
  ])('has no time from an acceptance that does not hold: %s', (name) => {
    expect(tailOf(name)).not.toContain('a service says');
  });
});
