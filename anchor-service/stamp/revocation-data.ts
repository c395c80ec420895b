/** Fetches, at the time of stamping, what shows later that no certificate of a token was revoked. */
import { OperationalError } from '../../core/errors.ts';
import type { Certificate } from '../../core/x509/certificate.ts';
import {
  encodeOcspRequest,
  ocspUrls,
  revocationListUrls,
} from '../../core/x509/revocation-sources.ts';
import { type Asked, askBytes } from './http-bytes.ts';

/** So that a stamp with 4,096 rows and these fits into a message of 512 KiB. */
const MAX_BYTES = 192 * 1024;

/**
 * For each certificate below the trusted one: an OCSP response, else a list. What does not answer is left out: the
 * token counts all the same, and what is missing can be shown to a court from elsewhere.
 * @param path from the signer up to the trusted one
 * @param signal ends all requests
 * @returns DER, each once
 */
export async function revocationData(
  path: readonly Certificate[],
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const kept = new Map<string, Uint8Array>();
  let left = MAX_BYTES;
  for (const [i, certificate] of path.slice(0, -1).entries()) {
    const issuer = path[i + 1];
    if (issuer === undefined) continue;
    for (const asked of sourcesOf(certificate, issuer)) {
      const bytes = await orNothing(asked, Math.min(left, asked.maxBytes), signal);
      if (bytes === undefined) continue;
      const key = Buffer.from(bytes).toString('base64');
      if (!kept.has(key)) left -= bytes.length;
      kept.set(key, bytes);
      break;
    }
  }
  return [...kept.values()];
}

function sourcesOf(certificate: Certificate, issuer: Certificate): readonly Asked[] {
  const request = encodeOcspRequest(certificate, issuer);
  return [
    ...ocspUrls(certificate).map((url) => ({
      url,
      body: { type: 'application/ocsp-request', bytes: request },
      accept: 'application/ocsp-response',
      maxBytes: 64 * 1024,
    })),
    ...revocationListUrls(certificate).map((url) => ({
      url,
      accept: 'application/pkix-crl',
      maxBytes: MAX_BYTES,
    })),
  ];
}

async function orNothing(
  asked: Asked,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await askBytes({ ...asked, maxBytes }, signal);
  } catch (error) {
    if (error instanceof OperationalError) return undefined;
    throw error;
  }
}
