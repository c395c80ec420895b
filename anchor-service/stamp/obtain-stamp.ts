/**
 * One time stamp for a run of windows: asks the authorities in order, and believes none of them.
 * Implements spec/time-stamp.md, "Stamping". Nothing is durable here.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import type { TimeStamp } from '../../core/time-stamp.ts';
import { readToken } from '../../core/tsp/token.ts';
import type { TstInfo } from '../../core/tsp/tst-info.ts';
import {
  type TrustedAuthority,
  verifyToken,
  verifyUnlessRevoked,
} from '../../core/tsp/verify-token.ts';
import type { Log } from '../ports.ts';
import { askBytes } from './http-bytes.ts';
import { encodeRequest, readResponse } from './request.ts';
import { revocationData } from './revocation-data.ts';

/** One authority that is asked. */
export type StampAuthority = {
  readonly url: string;
  /** Certificates that its chain must lead to, each with the policies of the configuration. */
  readonly trusted: readonly TrustedAuthority[];
};

export type ObtainOptions = {
  readonly authorities: readonly StampAuthority[];
  /** Of each request. */
  readonly timeoutMs: number;
  /** Ends what is under way. */
  readonly cancelled: AbortSignal;
  readonly log: Log;
};

export type ObtainedStamp = Pick<TimeStamp, 'token' | 'certificates' | 'revocation'> & {
  readonly info: TstInfo;
};

const MAX_ANSWER_BYTES = 64 * 1024;
const NONCE_BYTES = 16;

/**
 * The first authority whose token holds completely.
 * @param imprint SHA-256 digest of the last window's record
 * @throws OperationalError STAMP_UNAVAILABLE (retryable), with the reason of each authority in its message
 */
export async function obtainStamp(
  imprint: Uint8Array,
  options: ObtainOptions,
): Promise<ObtainedStamp> {
  const reasons: string[] = [];
  for (const authority of options.authorities) {
    try {
      return await askAuthority(imprint, authority, options);
    } catch (error) {
      const isTheirs =
        error instanceof OperationalError ||
        error instanceof FormatError ||
        error instanceof VerificationError;
      if (!isTheirs) throw error;
      reasons.push(`${new URL(authority.url).host}: ${error.message} (${error.code})`);
    }
  }
  const message = `no time stamp authority gave a stamp that holds: ${reasons.join('; ')}`;
  throw new OperationalError('STAMP_UNAVAILABLE', message, { retryable: true });
}

async function askAuthority(
  imprint: Uint8Array,
  { url, trusted }: StampAuthority,
  { timeoutMs, cancelled, log }: ObtainOptions,
): Promise<ObtainedStamp> {
  const within = (): AbortSignal => AbortSignal.any([AbortSignal.timeout(timeoutMs), cancelled]);
  const nonce = BigInt(`0x${toHex(randomBytes(NONCE_BYTES))}`);
  const [policy] = trusted.flatMap(({ policies }) => policies);
  const bytes = encodeRequest(imprint, nonce, policy);
  const answer = await askBytes(
    {
      url,
      body: { type: 'application/timestamp-query', bytes },
      accept: 'application/timestamp-reply',
      maxBytes: MAX_ANSWER_BYTES,
    },
    within(),
  );
  const token = readResponse(answer);
  // An old answer, or one to somebody else, has another nonce (RFC 3161, section 2.2).
  if (readToken(token).info.nonce !== nonce) {
    throw new VerificationError('STAMP_NONCE', 'the answer is to another request');
  }
  const given = trusted.map(({ certificate }) => certificate.der);
  const { path, info } = verifyUnlessRevoked({ token, certificates: given }, imprint, trusted);
  const carried = readToken(token).certificates;
  const certificates = path
    .map(({ der }) => der)
    .filter((der) => !carried.some((certificate) => equalBytes(certificate.der, der)));
  const revocation = await revocationData(path, within());
  try {
    verifyToken({ token, certificates, revocation }, imprint, trusted);
  } catch (error) {
    const isUnknown = error instanceof VerificationError && error.code === 'REVOCATION_UNKNOWN';
    if (!isUnknown) throw error;
    log('stamp-without-revocation', { authority: new URL(url).host });
  }
  return { token, certificates, revocation, info };
}
