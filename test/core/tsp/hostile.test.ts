import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex } from '../../../core/bytes.ts';
import { FormatError, VerificationError } from '../../../core/errors.ts';
import { verifyToken } from '../../../core/tsp/verify-token.ts';
import { readCertificate } from '../../../core/x509/certificate.ts';
import { SignatureChecks } from '../../../core/x509/public-key.ts';
import type { TokenInput } from '../../../fixtures/generate/tsp/verified.ts';
import { readVectors } from '../../vectors/read-vectors.ts';

const valid = readVectors(['tsp/token'])
  .filter(({ vector }) => vector.expect === 'valid')
  .map(({ vector }) => {
    const input = vector.input as TokenInput;
    return {
      token: fromHex(input.token),
      certificates: input.certificates.map(fromHex),
      revocation: input.revocation.map(fromHex),
      imprint: fromHex(input.imprint),
      trusted: input.authorities.map(({ certificate, policies }) => ({
        certificate: readCertificate(fromHex(certificate)),
        policies,
      })),
    };
  });

/** What a token says, or the code of why it is not believed; anything else that is thrown is a fault of ours. */
function outcome(
  { certificates, revocation, imprint, trusted }: (typeof valid)[number],
  token: Uint8Array,
): string {
  try {
    const { info } = verifyToken({ token, certificates, revocation }, imprint, trusted);
    return `${info.genTime} ${info.accuracy} ${info.policy} ${info.serial}`;
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}

describe('a token that was changed', () => {
  it('says what it said, or is refused with a code', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...valid),
        fc.array(
          fc.tuple(
            fc.nat(),
            fc.integer({ min: 0, max: 40 }),
            fc.constantFrom('cut', 'double', 'flip'),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        (one, changes) => {
          const before = outcome(one, one.token);
          let token: Uint8Array = one.token;
          for (const [place, length, kind] of changes) {
            const at = place % Math.max(token.length, 1);
            const piece = token.slice(at, at + length);
            const middle = kind === 'flip' ? piece.map((byte) => byte ^ (1 << (place % 8))) : piece;
            const rest = token.slice(kind === 'double' ? at : at + length);
            token = concatBytes(
              token.slice(0, at),
              kind === 'cut' ? new Uint8Array(0) : middle,
              rest,
            );
          }
          const after = outcome(one, token);
          if (after !== before) expect(after).toMatch(/^[A-Z_]+$/);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('of random bytes is refused with a code', () => {
    const [one] = valid;
    if (one === undefined) throw new Error('no vector');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (token) => {
        expect(outcome(one, token)).toMatch(/^[A-Z_]+$/);
      }),
    );
  });
});

it('no more signatures are verified than the budget allows, and an honest stamp needs few', () => {
  for (const { token, certificates, revocation, imprint, trusted } of valid) {
    const verify = (limit: number): string => {
      try {
        const checks = new SignatureChecks(limit);
        verifyToken({ token, certificates, revocation }, imprint, trusted, checks);
        return 'verified';
      } catch (error) {
        return (error as VerificationError).code;
      }
    };
    const outcomes = [1, 2, 3, 4, 5, 6, 7, 8].map(verify);
    const needed = outcomes.indexOf('verified');
    expect(outcomes.slice(0, needed).every((code) => code === 'SIGNATURE_BUDGET')).toBe(true);
    expect(outcomes.slice(needed).every((code) => code === 'verified')).toBe(true);
  }
});
