/** The newest beacon of an anchor service over HTTP (spec/service-http.md, "Beacon"). */
import { type Beacon, decodeBeacon } from '../../core/beacon.ts';
import { fromHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { FormatError, OperationalError } from '../../core/errors.ts';

const TIMEOUT_MS = 10_000;
/** An answer is some hundred bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** As the service signed it, and what it says: whoever is given it checks the signature. */
export type SignedBeacon = { readonly signed: Uint8Array; readonly beacon: Beacon };

/** @param url of the service. @throws OperationalError SERVICE_UNREACHABLE, SERVICE_ANSWER (retryable) */
export async function newestBeacon(url: string): Promise<SignedBeacon> {
  const { host } = new URL(url);
  const text = await answerOf(new URL('/v1/beacon', url), host);
  try {
    const answer = JSON.parse(text) as { readonly signed?: unknown } | null;
    const bytes = fromHex(String(answer?.signed));
    return { signed: bytes, beacon: decodeBeacon(unverifiedPayload(bytes)) };
  } catch (cause) {
    if (!(cause instanceof FormatError || cause instanceof SyntaxError)) throw cause;
    throw new OperationalError('SERVICE_ANSWER', `${host} gave no beacon`, {
      retryable: true,
      cause,
    });
  }
}

async function answerOf(url: URL, host: string): Promise<string> {
  const unreachable = (why: string, cause?: unknown): OperationalError =>
    new OperationalError('SERVICE_UNREACHABLE', `the service at ${host} ${why}`, {
      retryable: true,
      cause,
    });
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw unreachable(`answered with status ${response.status}`);
    }
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > MAX_ANSWER_BYTES) throw unreachable('sends more than a beacon');
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  } catch (cause) {
    if (cause instanceof OperationalError) throw cause;
    throw unreachable('does not answer', cause);
  }
}
