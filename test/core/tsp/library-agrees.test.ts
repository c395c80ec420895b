/**
 * pkijs judges tokens in which one bit after the other is changed: what is signed is refused by both, and whatever is
 * accepted here, it accepts, too. It looks at structure and signature; what it leaves to others is listed with its reason.
 */
import { Certificate, ContentInfo, SignedData } from 'pkijs';
import { describe, expect, it } from 'vitest';
import { asciiBytes, fromHex } from '../../../core/bytes.ts';
import { FormatError, VerificationError } from '../../../core/errors.ts';
import { readToken } from '../../../core/tsp/token.ts';
import { type VerifiedToken, verifyToken } from '../../../core/tsp/verify-token.ts';
import { readCertificate } from '../../../core/x509/certificate.ts';
import type { TokenInput } from '../../../fixtures/generate/tsp/verified.ts';
import { readVectors } from '../../vectors/read-vectors.ts';

/** What the imprint of the recorded tokens is of: the library wants to hash it itself. */
const STAMPED = asciiBytes('what is stamped');

/** Codes of refusals that the library does not share, and why. */
const STRICTER: Readonly<Record<string, string>> = {
  DER_MALFORMED: 'it reads BER, and does not look into all that nobody signed',
  STAMP_TOKEN: 'versions and types outside of what is signed do not matter to it',
  STAMP_CERTIFICATE: 'it does not hold the certificate against the ESSCertIDv2 that is signed',
  STAMP_SIGNER: 'it looks for the certificate by less of its name',
  ALGORITHM_UNSUPPORTED: 'parameters of algorithms that have none are not looked at',
  STAMP_SIGNATURE: 'it reads the two numbers of an ECDSA signature as BER',
};

/** How far one changed byte is from the next: all of the shortest token, some of each other kind. */
const TOKENS: Readonly<Record<string, number>> = {
  'valid-p256': 1,
  'valid-plain': 13,
  'valid-rsa-2048': 17,
  'valid-rsa-pss': 19,
  'valid-key-identifier': 23,
};

const inputs = readVectors(['tsp/token']).flatMap(({ vector }) => {
  const step = TOKENS[vector.name];
  return step === undefined ? [] : [[vector.name, step, vector.input as TokenInput] as const];
});

describe('pkijs', () => {
  it.each(inputs)(
    'agrees on %s, and on it with a bit of each %i. byte changed',
    async (_name, step, input) => {
      const token = fromHex(input.token);
      expect(await libraryAccepts(token, input)).toBe(true);
      const original = verdict(token, input);
      expect(typeof original).toBe('object');
      const signed = signedPlaces(token);
      const differed = new Set<string>();
      for (let at = 0; at < token.length; at += step) {
        const changed = token.with(at, (token[at] ?? 0) ^ (1 << (at % 8)));
        const ours = verdict(changed, input);
        const library = await libraryAccepts(changed, input);
        if (typeof ours === 'object') {
          // Only where nobody signed anything, and then it says the same.
          expect({ at, library, isSigned: signed(at) }).toEqual({
            at,
            library: true,
            isSigned: false,
          });
          expect(ours.info).toEqual(typeof original === 'object' ? original.info : undefined);
        } else if (library) {
          expect({ at, ours, isSigned: signed(at) }).toEqual({ at, ours, isSigned: false });
          expect(Object.keys(STRICTER)).toContain(ours);
          differed.add(ours);
        }
      }
      // The list has no more than it needs.
      if (step === 1) expect([...differed].toSorted()).toEqual(Object.keys(STRICTER).toSorted());
    },
    120_000,
  );
});

function verdict(token: Uint8Array, input: TokenInput): VerifiedToken | string {
  const trusted = input.authorities.map(({ certificate, policies }) => ({
    certificate: readCertificate(fromHex(certificate)),
    policies,
  }));
  const certificates = input.certificates.map(fromHex);
  const revocation = input.revocation.map(fromHex);
  try {
    return verifyToken({ token, certificates, revocation }, fromHex(input.imprint), trusted);
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}

/** Structure, digests and signature by the certificate inside; it throws for much that it refuses. */
async function libraryAccepts(token: Uint8Array, input: TokenInput): Promise<boolean> {
  try {
    const data = new SignedData({ schema: ContentInfo.fromBER(exact(token)).content });
    const beside = input.certificates.map((der) => Certificate.fromBER(exact(fromHex(der))));
    data.certificates = [...(data.certificates ?? []), ...beside];
    return await data.verify({ signer: 0, checkChain: false, data: exact(STAMPED) });
  } catch {
    return false;
  }
}

function exact(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** Which bytes of a token the signature covers: TSTInfo and signed attributes. */
function signedPlaces(token: Uint8Array): (at: number) => boolean {
  const { content, signer } = readToken(token);
  const ranges = [content, signer.attributesSigned.subarray(1)].map((part) => {
    const from = Buffer.from(token).indexOf(part);
    if (from < 0) throw new Error('what is signed is not in the token');
    return [from, from + part.length] as const;
  });
  return (at) => ranges.some(([from, to]) => at >= from && at < to);
}
