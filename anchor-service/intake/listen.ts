/** The socket that vehicles connect to: TCP, or TLS 1.3 with a certificate on both ends. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { UserError } from '../../core/errors.ts';
import { listenError } from '../../core/listen-error.ts';

export type Listen = {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files; undefined: plain TCP. */
  readonly tls:
    | {
        readonly ca: string | undefined;
        readonly certificate: string | undefined;
        readonly key: string | undefined;
        readonly revoked: string | undefined;
      }
    | undefined;
};

export type Listening = { readonly port: number; close(): void };

/** What one connection may have sent that nobody has looked at yet; more stays with its sender. */
const READ_AHEAD_BYTES = 16 * 1024;
const HANDSHAKE_MS = 10_000;

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED; UserError TLS_FILES */
export async function listen(
  { host, port, tls }: Listen,
  onConnection: (socket: Socket) => void,
): Promise<Listening> {
  const server =
    tls === undefined
      ? createTcpServer({ highWaterMark: READ_AHEAD_BYTES, noDelay: true }, onConnection)
      : createTlsServer(serverOptions(tls), onConnection);
  // Also those that have not got through their handshake.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw listenError('MQTT', { host, port }, cause);
  }
  return {
    port: portOf(server, port),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** No older protocol: in TLS 1.2 the vehicle's certificate, and so its tag, would be read by anybody on the way. */
function serverOptions(tls: NonNullable<Listen['tls']>): TlsOptions {
  const { ca, certificate, key, revoked } = tls;
  return {
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_MS,
    highWaterMark: READ_AHEAD_BYTES,
    noDelay: true,
    ca: pem(ca),
    cert: pem(certificate),
    key: pem(key),
    ...(revoked === undefined ? {} : { crl: pem(revoked) }),
  };
}

function pem(path: string | undefined): string {
  if (path === undefined) throw new UserError('TLS_FILES', 'expected CA, certificate and key');
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UserError('TLS_FILES', `the PEM file ${path} cannot be read`, { cause });
  }
}

function portOf(server: Server, configured: number): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : configured;
}
