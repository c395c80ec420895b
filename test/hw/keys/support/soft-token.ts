/** A PKCS#11 token that is a folder: Debian's SoftHSM, one of the test's own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';

export class SoftToken {
  readonly label = 'unit';
  readonly pin: string;
  readonly #folder: string;

  constructor(folder: string, pin: string) {
    this.#folder = folder;
    this.pin = pin;
    mkdirSync(this.#tokens, { recursive: true });
    const config = join(folder, 'softhsm2.conf');
    writeFileSync(config, `directories.tokendir = ${this.#tokens}\nlog.level = ERROR\n`);
    // The library finds its tokens by this, in the tool that loads it.
    process.env['SOFTHSM2_CONF'] = config;
    const init = ['--init-token', '--free', '--label', this.label, '--so-pin', '99999999'];
    run('softhsm2-util', [...init, '--pin', pin]);
  }

  get #tokens(): string {
    return join(this.#folder, 'tokens');
  }

  unplug(): void {
    renameSync(this.#tokens, `${this.#tokens}-away`);
    mkdirSync(this.#tokens);
  }

  plug(): void {
    renameSync(this.#tokens, `${this.#tokens}-empty`);
    renameSync(`${this.#tokens}-away`, this.#tokens);
  }

  makeKey(id: string, ...more: readonly string[]): void {
    this.tool('--keypairgen', '--key-type', 'EC:prime256v1', '--usage-sign', '--id', id, ...more);
  }

  deleteKey(id: string): void {
    for (const type of ['privkey', 'pubkey']) {
      this.tool('--delete-object', '--type', type, '--id', id);
    }
  }

  tool(...args: readonly string[]): string {
    const login = ['--module', SOFTHSM, '--token-label', this.label, '--login', '--pin', this.pin];
    return run('pkcs11-tool', [...login, ...args]);
  }
}

function run(name: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name}: ${stderr}`);
  return stdout;
}
