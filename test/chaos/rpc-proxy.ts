/**
 * An endpoint between the service and a real chain that lies, stalls and loses as it is told to. A fault is a
 * function that stands in the way of one call; the newest one that is set comes first.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

export type RpcCall = {
  readonly method: string;
  readonly params: readonly unknown[];
  /** Asks the chain itself. @throws RpcError as the chain answered */
  forward(method?: string, params?: readonly unknown[]): Promise<unknown>;
};

/** What goes back instead of a result: an error of JSON-RPC, or bytes and a status of HTTP. */
export class RpcError extends Error {}
export class RawAnswer extends Error {
  readonly status: number;
  readonly text: string;

  constructor(status: number, text: string) {
    super(`status ${status}`);
    this.status = status;
    this.text = text;
  }
}

/** @returns the answer's result; a call that is not its business it hands to `next` */
export type Fault = (call: RpcCall, next: () => Promise<unknown>) => Promise<unknown>;

export type RpcProxy = {
  readonly url: string;
  /** Every call so far, by method. */
  readonly calls: ReadonlyMap<string, number>;
  /** Puts a fault in the way. @returns takes it away again */
  set(fault: Fault): () => void;
  close(): Promise<void>;
};

export async function startRpcProxy(chainUrl: string): Promise<RpcProxy> {
  const faults: Fault[] = [];
  const calls = new Map<string, number>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.once('end', () => {
      void answer(Buffer.concat(parts).toString('utf8'), response);
    });
  });

  const answer = async (text: string, response: ServerResponse): Promise<void> => {
    const { id, method, params } = JSON.parse(text) as {
      readonly id: number;
      readonly method: string;
      readonly params: readonly unknown[];
    };
    calls.set(method, (calls.get(method) ?? 0) + 1);
    const call: RpcCall = {
      method,
      params,
      forward: async (m = method, p = params) => await ask(chainUrl, m, p),
    };
    const chain = faults.reduce<() => Promise<unknown>>(
      (next, fault) => async () => await fault(call, next),
      async () => await call.forward(),
    );
    try {
      reply(response, 200, JSON.stringify({ jsonrpc: '2.0', id, result: await chain() }));
    } catch (error) {
      if (error instanceof RawAnswer) return reply(response, error.status, error.text);
      const message = error instanceof Error ? error.message : String(error);
      reply(
        response,
        200,
        JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_000, message } }),
      );
    }
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    set: (fault) => {
      faults.push(fault);
      return () => {
        const at = faults.indexOf(fault);
        if (at >= 0) faults.splice(at, 1);
      };
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(text);
}

async function ask(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const answer = (await response.json()) as { result?: unknown; error?: { message?: string } };
  if (answer.error !== undefined) throw new RpcError(answer.error.message ?? 'no reason given');
  return answer.result;
}
