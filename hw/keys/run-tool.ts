/**
 * Runs a command-line tool that speaks to a TPM or a token. A device key signs once a session: a maintained tool and
 * some milliseconds for its start cost less than code of our own would. Nothing goes through a shell.
 */
import { spawnSync } from 'node:child_process';
import { OperationalError } from '../../core/errors.ts';

/** Answers are some hundred bytes; who writes more without end is not read to the end. */
const MAX_OUTPUT_BYTES = 1 << 20;

export type ToolCall = {
  readonly name: string;
  /** Anybody on the machine can read these: never a PIN. */
  readonly args: readonly string[];
  readonly input?: Uint8Array;
  /** Beside the agent's own. Only this user and root can read it. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Of `performance.now()`. */
  readonly untilMs: number;
};

export type ToolAnswer = {
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
};

/** @throws OperationalError SIGNER_UNAVAILABLE: it is not installed, or did not end in time; SIGNER_ANSWER */
export function runTool({ name, args, input, env, cwd, untilMs }: ToolCall): ToolAnswer {
  const timeout = Math.ceil(untilMs - performance.now());
  if (timeout <= 0) throw late(name);
  const { error, status, stdout, stderr } = spawnSync(name, args, {
    input: input ?? new Uint8Array(0),
    // The sentences that are looked at are the English ones.
    env: { ...process.env, ...env, LC_ALL: 'C' },
    ...(cwd !== undefined && { cwd }),
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  const code = error !== undefined && 'code' in error ? String(error.code) : undefined;
  if (code === 'ETIMEDOUT') throw late(name);
  if (code === 'ENOBUFS') {
    throw new OperationalError('SIGNER_ANSWER', `${name} answers without an end`, {
      retryable: false,
      cause: error,
    });
  }
  // A tool that ends without reading its input gives EPIPE, and a status all the same.
  if (status !== null && (code === undefined || code === 'EPIPE')) {
    return { status, stdout, stderr: stderr.toString('latin1') };
  }
  throw new OperationalError(
    'SIGNER_UNAVAILABLE',
    code === 'ENOENT' ? `${name} is not installed` : `${name} cannot be run or was killed`,
    { retryable: false, cause: error },
  );
}

function late(name: string): OperationalError {
  return new OperationalError('SIGNER_UNAVAILABLE', `${name} did not answer in time`, {
    retryable: true,
  });
}

/** What a tool said last, for a sentence of ours. */
export function lastWords(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^ERROR: /i, '').trim());
  const said = lines.filter((line) => line !== '' && !/^(Aborting|Unable to run)/.test(line));
  return (said.at(-1) ?? 'nothing').replace(/[^ -~]/g, '?').slice(0, 200);
}
