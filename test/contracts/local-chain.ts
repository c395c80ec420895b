/** A real EVM of its own for a test: anvil from npm on a free loopback port, stopped by process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The newest hard fork this anvil has, so that gas is what a chain of today charges. */
const HARD_FORK = 'osaka';

export type LocalChain = { readonly url: string; readonly stop: () => Promise<void> };

// The program itself: a signal to npm's wrapper around it may leave the chain running.
function anvilProgram(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const program = `@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`;
  return fileURLToPath(new URL(`../../node_modules/${program}`, import.meta.url));
}

/** Resolves with the port once anvil says that it listens; its exit before that is an error. */
function readPort(anvil: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    anvil.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString('utf8');
      const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(printed)?.[1];
      if (port !== undefined) resolve(port);
    });
    anvil.once('error', reject);
    anvil.once('exit', (code) => reject(new Error(`anvil ended with ${code}: ${printed}`)));
  });
}

export async function startLocalChain(): Promise<LocalChain> {
  const args = ['--host', '127.0.0.1', '--port', '0', '--hardfork', HARD_FORK];
  const anvil = spawn(anvilProgram(), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): boolean => anvil.kill('SIGKILL');
  process.once('exit', kill);
  const url = `http://127.0.0.1:${await readPort(anvil)}`;
  return {
    url,
    stop: async () => {
      process.off('exit', kill);
      if (anvil.exitCode !== null || anvil.signalCode !== null) return;
      const exited = once(anvil, 'exit');
      anvil.kill('SIGTERM');
      await exited;
    },
  };
}
