/**
 * Serves the metrics on a loopback address.
 * Implements spec/metrics.md, "Metrics".
 */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { listenError } from '../../core/listen-error.ts';
import { METRICS_TYPE } from '../../core/metrics-page.ts';

export type RunningMetrics = { readonly url: string; close(): Promise<void> };

/**
 * @param render makes the page when it is asked for
 * @throws OperationalError PORT_IN_USE, LISTEN_FAILED
 */
export async function startMetricsServer(
  listen: { readonly host: string; readonly port: number },
  render: () => string,
): Promise<RunningMetrics> {
  const { host, port } = listen;
  const server = createServer((request, response) => {
    const isKnown = request.url === '/metrics';
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (isKnown && isRead) reply(response, 200, render());
    else if (isKnown) reply(response, 405, 'METHOD_NOT_ALLOWED\n');
    else reply(response, 404, 'NOT_FOUND: see /metrics\n');
  });
  // Whoever asks slowly holds a connection, and nothing else.
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  server.maxConnections = 16;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw listenError('metrics', listen, cause);
  }
  const address = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${address}:${portOf(server, port)}/metrics`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function reply(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, {
    'content-type': METRICS_TYPE,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

function portOf(server: Server, configured: number): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : configured;
}
