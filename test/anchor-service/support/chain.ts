/** An anvil of the test's own on a loopback port, which can be stopped and started again with its state. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

export type TestChain = {
  readonly url: string;
  rpc(method: string, ...params: readonly unknown[]): Promise<unknown>;
  stop(): Promise<void>;
};

export async function startTestChain(
  options: readonly string[] = ['--block-time', '1'],
  port = 0,
): Promise<TestChain> {
  const fixed = ['--host', '127.0.0.1', '--port', `${port}`, '--hardfork', 'osaka'];
  const epoch = options.includes('--slots-in-an-epoch') ? [] : ['--slots-in-an-epoch', '1'];
  const child = spawn(anvil(), [...fixed, ...epoch, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const url = `http://127.0.0.1:${await listeningPort(child)}`;
  return {
    url,
    rpc: async (method, ...params) => await call(url, method, params),
    stop: async () => {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function anvil(): string {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  return createRequire(import.meta.url).resolve(
    `@foundry-rs/anvil-${process.platform}-${architecture}/bin/anvil`,
  );
}

function listeningPort(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (part: Buffer) => {
      output = (output + part.toString('utf8')).slice(-20_000);
      const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
      if (port !== undefined) resolve(port);
    });
    child.once('exit', (code) => reject(new Error(`anvil ended with ${code}: ${output}`)));
  });
}

async function call(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const answer = (await response.json()) as { result?: unknown; error?: unknown };
  if (answer.error !== undefined) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
  return answer.result;
}
