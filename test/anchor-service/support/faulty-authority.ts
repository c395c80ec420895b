/** Stands before an authority and does to its answers what a test says. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** From the request and the authority's answer to what is answered; undefined: nothing, for ever. */
export type Fault = (
  request: Uint8Array,
  ask: (request: Uint8Array) => Promise<Uint8Array>,
) => Promise<{ readonly status?: number; readonly bytes: Uint8Array } | undefined>;

export type FaultyAuthority = {
  readonly url: string;
  requests: number;
  fault: Fault;
  stop(): Promise<void>;
};

export const honest: Fault = async (request, ask) => ({ bytes: await ask(request) });

export async function startFaultyAuthority(behind: string): Promise<FaultyAuthority> {
  const ask = async (request: Uint8Array): Promise<Uint8Array> => {
    const headers = { 'content-type': 'application/timestamp-query' };
    const body = Buffer.from(request);
    const response = await fetch(behind, { method: 'POST', headers, body });
    return new Uint8Array(await response.arrayBuffer());
  };
  const server = createServer((request, response) => void handle(request, response));
  const faulty: FaultyAuthority = {
    url: '',
    requests: 0,
    fault: honest,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    faulty.requests += 1;
    const parts: Uint8Array[] = [];
    for await (const part of request as AsyncIterable<Uint8Array>) parts.push(part);
    const answer = await faulty.fault(Uint8Array.from(Buffer.concat(parts)), ask);
    if (answer === undefined) return;
    response.on('error', () => undefined);
    response.writeHead(answer.status ?? 200).end(answer.bytes);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return Object.assign(faulty, { url: `http://127.0.0.1:${port}` });
}
