/** Runs the command line as a user does: its own process, from another folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export type Finished = {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
};

export type CommandOptions = {
  readonly cwd: string;
  /** A process without any network, not even loopback. */
  readonly offline?: boolean;
  readonly timeoutMs?: number;
};

export async function witnessmark(
  args: readonly string[],
  { cwd, offline = false, timeoutMs = 120_000 }: CommandOptions,
): Promise<Finished> {
  const command = [process.execPath, `${ROOT}bootstrap/witnessmark.mjs`, ...args];
  const [file = '', ...rest] = offline
    ? ['unshare', '--net', '--map-root-user', ...command]
    : command;
  const child = spawn(file, rest, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (part: Buffer) => stdout.push(part));
  child.stderr.on('data', (part: Buffer) => {
    stderr += part.toString();
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: Buffer.concat(stdout), stderr };
}
