/**
 * A time stamp authority on this machine, for trying out and for tests, as the local chain is: whoever runs it can
 * stamp any time, so its stamps prove nothing to a third party, and every report says so.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { toHex } from '../../../core/bytes.ts';
import { FormatError, OperationalError, VerificationError } from '../../../core/errors.ts';
import { type Certificate, readCertificate } from '../../../core/x509/certificate.ts';
import { integer, sequence } from '../../../core/x509/der-writer.ts';
import type { Clock } from '../../ports.ts';
import {
  authorityExtensions,
  commonName,
  issueCertificate,
  issueRevocationList,
  stamperExtensions,
} from './issue.ts';
import { readRequest } from './read-request.ts';
import { encodeTstInfo, signToken } from './sign-token.ts';

export type LocalAuthority = {
  readonly url: string;
  /** What a trust policy names. */
  readonly root: Certificate;
  close(): Promise<void>;
};

const FILE = 'local-stamp-authority.json';
const ROOT_NAME = commonName('Witnessmark local time stamps - prove nothing');
const STAMPER_NAME = commonName('Witnessmark local stamper - proves nothing');
/** Of the example arc: no authority's. */
const POLICY = '2.999.1';
const ACCURACY_MS = 1000;
const DAY_MS = 86_400_000;
const MAX_REQUEST_BYTES = 4096;

type Key = { readonly secret: KeyObject; readonly spki: Uint8Array };

/** @param dataDir keeps the root from start to start @throws OperationalError LISTEN_FAILED, STAMP_AUTHORITY_DAMAGED */
export async function startLocalAuthority(dataDir: string, clock: Clock): Promise<LocalAuthority> {
  const { key: rootKey, certificate: root } = openRoot(join(dataDir, FILE), clock.nowMs());
  const stamper = newKey();
  let certificate: Certificate | undefined;
  const server = createServer((request, response) => {
    if (request.url === '/crl') {
      const thisMs = clock.nowMs();
      const times = { thisMs, nextMs: thisMs + DAY_MS };
      const list = issueRevocationList(root.subject, times, [], signer(rootKey.secret));
      reply(response, 200, 'application/pkix-crl', list);
    } else if (certificate !== undefined) {
      void answer(request, response, { certificate, secret: stamper.secret, clock });
    }
  });
  server.requestTimeout = 5000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening').catch((cause: unknown) => {
    throw new OperationalError('LISTEN_FAILED', 'the local time stamp authority cannot listen', {
      retryable: false,
      cause,
    });
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  // A new one at every start, since it names the address of the list.
  certificate = readCertificate(
    issueCertificate(
      {
        ...{ subject: STAMPER_NAME, issuer: root.subject, serial: newSerial() },
        ...{ fromMs: clock.nowMs() - DAY_MS, toMs: clock.nowMs() + 3650 * DAY_MS },
        ...{ publicKey: stamper.spki, extensions: stamperExtensions(`${url}/crl`) },
      },
      signer(rootKey.secret),
    ),
  );
  return {
    url: `${url}/stamp`,
    root,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Stamping = {
  readonly certificate: Certificate;
  readonly secret: KeyObject;
  readonly clock: Clock;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { certificate, secret, clock }: Stamping,
): Promise<void> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length <= MAX_REQUEST_BYTES) parts.push(part);
  }
  try {
    const { imprint, nonce } = readRequest(Uint8Array.from(Buffer.concat(parts)));
    const genTimeMs = clock.nowMs();
    const times = { genTimeMs, accuracyMs: ACCURACY_MS };
    const info = encodeTstInfo({ policy: POLICY, imprint, serial: newSerial(), ...times, nonce });
    const token = signToken(info, certificate, signer(secret));
    const granted = sequence(sequence(integer(0)), token);
    reply(response, 200, 'application/timestamp-reply', granted);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof VerificationError)) throw error;
    reply(response, 200, 'application/timestamp-reply', sequence(sequence(integer(2))));
  }
}

function reply(response: ServerResponse, code: number, type: string, bytes: Uint8Array): void {
  response.writeHead(code, { 'content-type': type, 'content-length': bytes.length });
  response.end(bytes);
}

function openRoot(
  path: string,
  nowMs: number,
): { readonly key: Key; readonly certificate: Certificate } {
  if (!existsSync(path)) createRoot(path, nowMs);
  try {
    const { key, certificate } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    const secret = createPrivateKey(key ?? '');
    const der = Uint8Array.from(Buffer.from(certificate ?? '', 'hex'));
    return { key: { secret, spki: spkiOf(secret) }, certificate: readCertificate(der) };
  } catch (cause) {
    throw new OperationalError(
      'STAMP_AUTHORITY_DAMAGED',
      `the local time stamp authority in ${path} cannot be read`,
      { retryable: false, cause },
    );
  }
}

/** Under another name first: a kill leaves no half file under the right one. */
function createRoot(path: string, nowMs: number): void {
  const key = newKey();
  const certificate = issueCertificate(
    {
      ...{ subject: ROOT_NAME, issuer: ROOT_NAME, serial: newSerial() },
      ...{ fromMs: nowMs - DAY_MS, toMs: nowMs + 7300 * DAY_MS },
      ...{ publicKey: key.spki, extensions: authorityExtensions() },
    },
    signer(key.secret),
  );
  const text = {
    key: key.secret.export({ type: 'pkcs8', format: 'pem' }),
    certificate: toHex(certificate),
  };
  writeFileSync(`${path}.new`, `${JSON.stringify(text)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function newKey(): Key {
  const { privateKey: secret } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { secret, spki: spkiOf(secret) };
}

function spkiOf(secret: KeyObject): Uint8Array {
  return Uint8Array.from(createPublicKey(secret).export({ type: 'spki', format: 'der' }));
}

function newSerial(): bigint {
  return BigInt(`0x${toHex(randomBytes(15))}`) + 1n;
}

function signer(secret: KeyObject): (message: Uint8Array) => Uint8Array {
  return (message) => Uint8Array.from(sign('sha256', message, { key: secret, dsaEncoding: 'der' }));
}
