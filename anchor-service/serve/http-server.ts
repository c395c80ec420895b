/**
 * What everybody may read, over HTTP on a loopback address: windows, beacon, the service's own state.
 * Implements spec/service-http.md. Reads only; answers are JSON; bytes are hexadecimal.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { PublicKey } from '../../core/signature.ts';
import type { ServeStore, ServiceIdentity, StampStore } from '../ports.ts';
import type { Status } from '../status.ts';
import { publishedWindowJson } from './window-json.ts';

const MAX_LIST = 1000;
const MAX_URL = 256;

export type HttpOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly store: ServeStore;
  readonly stamps: Pick<StampStore, 'stampOfWindow'>;
  readonly status: Status;
  readonly identity: ServiceIdentity;
  readonly codeHash: string;
  readonly chainClass: string;
  readonly servicePublicKey: PublicKey;
  readonly isBrokerConnected: () => boolean;
};

export type RunningHttp = { readonly url: string; close(): Promise<void> };

type Answer = { readonly code: number; readonly body: object; readonly immutable?: boolean };

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED */
export async function startHttpServer(options: HttpOptions): Promise<RunningHttp> {
  const { host, port } = options.listen;
  const server = createServer((request, response) => reply(response, route(request, options)));
  server.headersTimeout = 5000;
  server.requestTimeout = 5000;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    const inUse = (cause as { code?: unknown }).code === 'EADDRINUSE';
    throw new OperationalError(
      inUse ? 'PORT_IN_USE' : 'LISTEN_FAILED',
      `the HTTP port ${port} on ${host} ${inUse ? 'is in use' : 'cannot be opened'}`,
      { retryable: false, cause },
    );
  }
  return {
    url: `http://${host}:${portOf(server, port)}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** From anybody: a path is compared, never resolved to a file. */
function route(request: IncomingMessage, options: HttpOptions): Answer {
  const { method, url = '/' } = request;
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'METHOD_NOT_ALLOWED');
  if (url.length > MAX_URL) return refusal(414, 'URL_TOO_LONG');
  const [path = '/', query = ''] = url.split('?', 2);
  const seq = /^\/v1\/windows\/(0|[1-9]\d{0,14})$/.exec(path)?.[1];
  if (seq !== undefined) return windowAnswer(Number(seq), options.store);
  const stamped = /^\/v1\/windows\/(0|[1-9]\d{0,14})\/stamp$/.exec(path)?.[1];
  if (stamped !== undefined) return stampAnswer(Number(stamped), options);
  switch (path) {
    case '/v1/windows':
      return listAnswer(new URLSearchParams(query), options.store);
    case '/v1/beacon':
      return beaconAnswer(options.store);
    case '/v1/service':
      return { code: 200, body: serviceJson(options) };
    case '/healthz':
      return healthAnswer(options);
    case '/readyz':
      return readyAnswer(options);
    default:
      return refusal(404, 'NOT_FOUND');
  }
}

function windowAnswer(seq: number, store: ServeStore): Answer {
  const window = store.finalWindow(seq);
  if (window === undefined) return refusal(404, 'WINDOW_NOT_PUBLISHED');
  return { code: 200, body: publishedWindowJson(window), immutable: true };
}

/** A window is covered by one stamp for good, so that an answer never changes; that there is none yet does. */
function stampAnswer(seq: number, { stamps }: HttpOptions): Answer {
  const stamp = stamps.stampOfWindow(seq);
  if (stamp === undefined) return refusal(404, 'STAMP_ABSENT');
  return { code: 200, body: { seq, stamp: toHex(stamp) }, immutable: true };
}

function listAnswer(query: URLSearchParams, store: ServeStore): Answer {
  const from = wholeNumber(query.get('from') ?? '0');
  const limit = wholeNumber(query.get('limit') ?? '100');
  if (from === undefined || limit === undefined || limit === 0 || limit > MAX_LIST) {
    return refusal(400, 'QUERY_MALFORMED');
  }
  const windows = store.listWindows(from, limit);
  const last = windows.at(-1);
  return {
    code: 200,
    body: {
      windows: windows.map(({ seq, hash, treeSize }) => ({
        seq,
        recordHash: toHex(hash),
        treeSize,
      })),
      next: windows.length === limit && last !== undefined ? last.seq + 1 : null,
    },
  };
}

function beaconAnswer(store: ServeStore): Answer {
  const beacon = store.lastBeacon();
  if (beacon === undefined) return refusal(404, 'BEACON_ABSENT');
  const { number, hash, signed, publishedAtMs } = beacon;
  const body = { number, hash: toHex(hash), signed: toHex(signed), publishedAtMs };
  return { code: 200, body };
}

function serviceJson(options: HttpOptions): object {
  const { identity, servicePublicKey, chainClass, codeHash } = options;
  return {
    publicKey: { algorithm: servicePublicKey.algorithm, bytes: toHex(servicePublicKey.bytes) },
    chain: { id: identity.chainId.toString(), class: chainClass },
    contract: `0x${toHex(identity.contract)}`,
    codeHash,
    publisher: `0x${toHex(identity.publisher)}`,
  };
}

/** Alive means: it did not halt itself. A restart does not heal a halt, a person must look. */
function healthAnswer({ status }: HttpOptions): Answer {
  const { halt } = status;
  return halt === undefined
    ? { code: 200, body: { status: 'running' } }
    : { code: 503, body: { status: 'halted', ...halt } };
}

function readyAnswer({ status, store, isBrokerConnected }: HttpOptions): Answer {
  const problems = status.problems();
  const ready = status.halt === undefined && problems.length === 0 && isBrokerConnected();
  return {
    code: ready ? 200 : 503,
    body: {
      ready,
      halted: status.halt ?? null,
      brokerConnected: isBrokerConnected(),
      problems,
      backlog: store.backlog(),
    },
  };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function refusal(code: number, name: string): Answer {
  return { code, body: { code: name } };
}

function reply(response: ServerResponse, { code, body, immutable }: Answer): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': immutable === true ? 'public, max-age=31536000, immutable' : 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

function portOf(server: Server, configured: number): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : configured;
}
