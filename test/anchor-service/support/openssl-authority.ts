/** A time stamp authority that is OpenSSL: `openssl ts -reply` behind HTTP, with a root and a signer of its own. */
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CONFIGURATION = `
[req]
distinguished_name = dn
prompt = no
[dn]
CN = OpenSSL test root
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
crlDistributionPoints = URI:LIST_URL
[ca]
database = FOLDER/index.txt
crlnumber = FOLDER/crlnumber
default_md = sha256
default_crl_days = 30
[tsa]
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
serial = FOLDER/serial
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
accuracy = secs:1, millisecs:500
`;

export type OpensslAuthority = {
  readonly url: string;
  /** PEM. */
  readonly rootFile: string;
  stop(): Promise<void>;
};

/** @param keys arguments of `openssl req` that choose the kind of key */
export async function startOpensslAuthority(
  keys: readonly string[] = ['-newkey', 'rsa:2048'],
): Promise<OpensslAuthority> {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-openssl-tsa-'));
  const file = (name: string): string => join(folder, name);
  let count = 0;
  const server = createServer((request, response) => {
    if (request.url === '/crl') {
      response.end(readFileSync(file('list.der')));
      return;
    }
    const parts: Uint8Array[] = [];
    request.on('data', (part: Uint8Array) => parts.push(part));
    request.on('end', () => {
      count += 1;
      const query = file(`${count}.tsq`);
      writeFileSync(query, Buffer.concat(parts));
      const out = file(`${count}.tsr`);
      run('openssl', [
        ...['ts', '-reply', '-config', file('openssl.cnf'), '-section', 'tsa', '-queryfile', query],
        ...['-signer', file('signer.pem'), '-inkey', file('signer.key'), '-out', out],
      ]).then(
        () => response.end(readFileSync(out)),
        () => response.writeHead(500).end(),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  const text = CONFIGURATION.replaceAll('FOLDER', folder).replace('LIST_URL', `${url}/crl`);
  writeFileSync(file('openssl.cnf'), text);
  writeFileSync(file('index.txt'), '');
  writeFileSync(file('crlnumber'), '01');
  writeFileSync(file('serial'), '01');
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  openssl(
    ...['req', '-x509', ...keys, '-nodes', '-keyout', file('root.key'), '-out', file('root.pem')],
    ...['-config', file('openssl.cnf'), '-extensions', 'root', '-days', '30'],
  );
  openssl(
    ...[
      'req',
      '-new',
      ...keys,
      '-nodes',
      '-keyout',
      file('signer.key'),
      '-out',
      file('signer.csr'),
    ],
    ...['-config', file('openssl.cnf'), '-subj', '/CN=OpenSSL test signer'],
  );
  openssl(
    ...['x509', '-req', '-in', file('signer.csr'), '-CA', file('root.pem'), '-CAkey'],
    ...[file('root.key'), '-set_serial', '4711', '-out', file('signer.pem'), '-days', '30'],
    ...['-extfile', file('openssl.cnf'), '-extensions', 'signer'],
  );
  openssl(
    ...['ca', '-gencrl', '-config', file('openssl.cnf'), '-name', 'ca', '-cert', file('root.pem')],
    ...['-keyfile', file('root.key'), '-out', file('list.pem')],
  );
  openssl('crl', '-in', file('list.pem'), '-outform', 'DER', '-out', file('list.der'));
  return {
    url,
    rootFile: file('root.pem'),
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
