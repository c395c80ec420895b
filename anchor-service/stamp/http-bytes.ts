/** Bytes from a server that is not trusted: in bounded time, of bounded size. */
import { OperationalError } from '../../core/errors.ts';

export type Asked = {
  readonly url: string;
  /** Posted with its type; none: fetched. */
  readonly body?: { readonly type: string; readonly bytes: Uint8Array };
  readonly accept: string;
  readonly maxBytes: number;
};

/** @throws OperationalError STAMP_UNREACHABLE, STAMP_ANSWER_TOO_LARGE (retryable) */
export async function askBytes(
  { url, body, accept, maxBytes }: Asked,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { host } = new URL(url);
  try {
    const response = await fetch(url, {
      headers: { accept, ...(body === undefined ? {} : { 'content-type': body.type }) },
      ...(body === undefined ? {} : { method: 'POST', body: Buffer.from(body.bytes) }),
      // A body is not sent to whoever the server names.
      redirect: body === undefined ? 'follow' : 'error',
      signal,
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw failed('STAMP_UNREACHABLE', `${host} answered with status ${response.status}`);
    }
    return await readCapped(response, maxBytes, host);
  } catch (cause) {
    if (cause instanceof OperationalError) throw cause;
    throw failed('STAMP_UNREACHABLE', `${host} does not answer`, cause);
  }
}

async function readCapped(response: Response, maxBytes: number, host: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the answer.
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > maxBytes) {
      throw failed('STAMP_ANSWER_TOO_LARGE', `${host} answered with more than ${maxBytes} bytes`);
    }
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

function failed(code: string, message: string, cause?: unknown): OperationalError {
  return new OperationalError(code, message, { retryable: true, cause });
}
