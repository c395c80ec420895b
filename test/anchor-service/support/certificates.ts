/** Certificates of a test's own, made by OpenSSL as an operator makes them: a CA, the broker's, the vehicles'. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Certificate = { readonly certificate: string; readonly key: string };

export class TestCa {
  readonly #folder: string;
  readonly ca: string;

  /** @param folder made when it is not there; paths of PEM files below it are what is handed out */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.ca = join(folder, 'ca.pem');
    this.#openssl([
      'req',
      '-x509',
      ...KEY,
      '-keyout',
      join(folder, 'ca.key'),
      '-out',
      this.ca,
      ...['-days', '2', '-subj', '/CN=a test CA'],
    ]);
  }

  /** For a broker on this machine. */
  server(name = 'broker'): Certificate {
    return this.#issue(name, `/CN=${name}`, 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  }

  /** @param commonName a tag, or what is none */
  client(commonName: string, name = commonName): Certificate {
    return this.#issue(name, `/CN=${commonName}`, 'extendedKeyUsage=clientAuth');
  }

  /** A list of what is not valid any more, as a PEM file. */
  revoke({ certificate }: Certificate): string {
    const [index, config] = [join(this.#folder, 'index'), join(this.#folder, 'ca.cnf')];
    writeFileSync(index, '');
    writeFileSync(
      config,
      `[ca]\ndefault_ca=c\n[c]\ndatabase=${index}\ndefault_md=sha256\ndefault_crl_days=2\n`,
    );
    const ca = [
      'ca',
      '-config',
      config,
      '-cert',
      this.ca,
      '-keyfile',
      join(this.#folder, 'ca.key'),
    ];
    this.#openssl([...ca, '-revoke', certificate]);
    const list = join(this.#folder, 'revoked.pem');
    this.#openssl([...ca, '-gencrl', '-out', list]);
    return list;
  }

  #issue(name: string, subject: string, extension: string): Certificate {
    const path = (ending: string) => join(this.#folder, `${name}.${ending}`);
    writeFileSync(path('ext'), extension);
    this.#openssl(['req', ...KEY, '-keyout', path('key'), '-out', path('csr'), '-subj', subject]);
    this.#openssl([
      'x509',
      '-req',
      '-in',
      path('csr'),
      '-CA',
      this.ca,
      '-CAkey',
      join(this.#folder, 'ca.key'),
      ...['-CAcreateserial', '-days', '2', '-extfile', path('ext'), '-out', path('pem')],
    ]);
    return { certificate: path('pem'), key: path('key') };
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

/** On P-256: quick to make, and what boards have. */
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
