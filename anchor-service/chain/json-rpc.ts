/** One JSON-RPC endpoint over HTTP. Everything it answers is a claim. */
import { OperationalError } from '../../core/errors.ts';

const MAX_ANSWER_BYTES = 16 << 20;

/** The endpoint understood the call and refused it. Its words are shown to people and decide nothing. */
export class RpcRefusal extends OperationalError {
  constructor(method: string, endpoint: string, message: string) {
    super('RPC_REFUSED', `${endpoint} refused ${method}: ${message.slice(0, 200)}`, {
      retryable: true,
    });
  }
}

export type Endpoint = {
  /** Host and port; the URL itself may hold a key. */
  readonly name: string;
  /** @throws OperationalError RPC_UNREACHABLE, RPC_MALFORMED (retryable), RpcRefusal */
  call(method: string, params: readonly unknown[]): Promise<unknown>;
};

/**
 * Whether a call that failed may have an answer a moment later. Not one that took all the patience there is, which
 * would be waited for again, and not one that was cancelled.
 */
export function isWorthAnotherTry(outcome: unknown): boolean {
  if (!(outcome instanceof OperationalError) || !outcome.retryable) return false;
  const { name } = (outcome.cause ?? {}) as { readonly name?: unknown };
  return name !== 'TimeoutError' && name !== 'AbortError';
}

/** @param cancelled ends calls that are under way, and every later one */
export function httpEndpoint(url: string, timeoutMs: number, cancelled: AbortSignal): Endpoint {
  const name = new URL(url).host;
  let id = 0;
  return {
    name,
    call: async (method, params) => {
      id += 1;
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), cancelled]);
      const text = await post(url, name, signal, { jsonrpc: '2.0', id, method, params });
      const answer = parse(text, name);
      if (answer.error !== undefined && answer.error !== null) {
        throw new RpcRefusal(method, name, messageOf(answer.error));
      }
      return answer.result;
    },
  };
}

async function post(
  url: string,
  name: string,
  signal: AbortSignal,
  request: object,
): Promise<string> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
      signal,
    });
    return await readCapped(response);
  } catch (cause) {
    throw new OperationalError('RPC_UNREACHABLE', `the chain endpoint ${name} does not answer`, {
      retryable: true,
      cause,
    });
  }
}

async function readCapped(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(
  text: string,
  name: string,
): { readonly result?: unknown; readonly error?: unknown } {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer;
  } catch {
    // The answer is refused below, whatever was wrong with it.
  }
  throw new OperationalError('RPC_MALFORMED', `${name} answered something that is no JSON-RPC`, {
    retryable: true,
  });
}

function messageOf(error: unknown): string {
  const { message } = error as { message?: unknown };
  return typeof message === 'string' ? message : 'no reason given';
}
