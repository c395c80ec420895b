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

export type Started = {
  readonly finished: Promise<Finished>;
  /** Resolves when the output so far matches. */
  until(pattern: RegExp): Promise<void>;
  interrupt(): void;
  kill(): void;
};

export function startWitnessmark(
  args: readonly string[],
  cwd: string,
  { offline = false, timeoutMs = 120_000 }: Omit<CommandOptions, 'cwd'> = {},
): Started {
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
  const finished = once(child, 'close').then(([status]) => ({
    status: status as number | null,
    stdout: Buffer.concat(stdout),
    stderr,
  }));
  return {
    finished,
    until: async (pattern) => {
      while (!pattern.test(Buffer.concat(stdout).toString())) {
        const more = once(child.stdout, 'data').then(() => true);
        const ended = finished.then(() => false);
        if (!(await Promise.race([more, ended]))) throw new Error(`it ended first: ${stderr}`);
      }
    },
    interrupt: () => child.kill('SIGINT'),
    kill: () => child.kill('SIGKILL'),
  };
}

export async function witnessmark(
  args: readonly string[],
  { cwd, ...options }: CommandOptions,
): Promise<Finished> {
  return await startWitnessmark(args, cwd, options).finished;
}
