/** A real TPM 2.0 that is a program: Debian's swtpm on a socket of the test's own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export class Swtpm {
  readonly tcti: string;
  readonly #folder: string;
  readonly #socket: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#socket = join(folder, 'sock');
    this.tcti = `swtpm:path=${this.#socket}`;
  }

  /** A new one, never used before. */
  static async start(folder: string): Promise<Swtpm> {
    mkdirSync(join(folder, 'state'), { recursive: true });
    const tpm = new Swtpm(folder);
    await tpm.start();
    return tpm;
  }

  /** With what it knew when it was stopped. Returns when it answers. */
  async start(): Promise<void> {
    const child = spawn(
      'swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${join(this.#folder, 'state')}`],
        // The tools look for the control socket beside the other, under this name.
        ...['--server', `type=unixio,path=${this.#socket}`],
        ...['--ctrl', `type=unixio,path=${this.#socket}.ctrl`],
        ...['--flags', 'not-need-init,startup-clear'],
      ],
      { stdio: 'ignore' },
    );
    process.once('exit', () => child.kill('SIGKILL'));
    this.#process = child;
    const failed = once(child, 'error').then(([error]: unknown[]) => {
      throw error;
    });
    while (!this.answers()) await Promise.race([sleep(20), failed]);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Everything under its owner is lost, as after a clear in a firmware's set-up. */
  clear(): void {
    this.tool('tpm2_clear', '-c', 'p');
  }

  /** Makes a key for others and gives it a place in the TPM. */
  persistParent(handle: string): void {
    const context = join(this.#folder, 'parent.ctx');
    this.tool('tpm2_createprimary', '-Q', '-C', 'o', '-G', 'ecc256', '-c', context);
    this.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', context, handle);
  }

  answers(): boolean {
    return spawnSync('tpm2_getcap', ['-T', this.tcti, 'handles-transient']).status === 0;
  }

  tool(name: string, ...args: readonly string[]): void {
    const { status, stderr } = spawnSync(name, ['-T', this.tcti, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
    spawnSync('tpm2_flushcontext', ['-T', this.tcti, '-t']);
  }
}
