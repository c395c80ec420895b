/** The HTTP server: transport around `routes.ts`. Implements spec/service-http.md, "Common to all". */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { listenError } from '../../core/listen-error.ts';
import type { Answer } from './answer.ts';

const MAX_CONNECTIONS = 512;

export type HttpOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly answer: (request: IncomingMessage) => Promise<Answer>;
  /** What is no request's fault, such as a store that cannot be read. */
  readonly onFailure: (error: unknown) => void;
};

export type RunningHttp = { readonly url: string; close(): Promise<void> };

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED */
export async function startHttpServer(options: HttpOptions): Promise<RunningHttp> {
  const { host, port } = options.listen;
  const answering = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = answerTo(request, options)
      .then(async (answer) => await reply(response, answer))
      .catch(() => {
        response.destroy();
      });
    answering.add(answered);
    void answered.then(() => answering.delete(answered));
  });
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  server.maxConnections = MAX_CONNECTIONS;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw listenError('HTTP', options.listen, cause);
  }
  return {
    url: `http://${host}:${portOf(server, port)}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      // One that still reads the store must not find it closed.
      await Promise.all(answering);
    },
  };
}

/** A store that cannot be read must not end the process that still has statements in flight. */
async function answerTo(
  request: IncomingMessage,
  { answer, onFailure }: HttpOptions,
): Promise<Answer> {
  try {
    return await answer(request);
  } catch (error) {
    onFailure(error);
    return { code: 500, body: { code: 'INTERNAL' } };
  }
}

async function reply(response: ServerResponse, { code, body, headers }: Answer): Promise<void> {
  const file = typeof body === 'object' && 'file' in body ? body : undefined;
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': file?.bytes ?? Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  if (response.req.method === 'HEAD') response.end();
  else if (file === undefined) response.end(text);
  else await pipeline(createReadStream(file.file, { end: Math.max(0, file.bytes - 1) }), response);
}

function portOf(server: Server, configured: number): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : configured;
}
