/** One visit to a TPM 2.0 with Debian's tpm2-tools: what it was asked for, and its failures in our words. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperationalError } from '../../core/errors.ts';
import { pinRefused } from './pin-file.ts';
import { lastWords, runTool, type ToolAnswer } from './run-tool.ts';
import { badAnswer } from './token-answer.ts';

/** Exit status of tpm2-tools (tpm2(1), "RETURNS"). */
const AUTHORISATION_FAILED = 3;

/** TPM_RC of part 2, section 6.6, as the tools print them. */
const WRONG_AUTHORISATION = /\(0x(98E|9A2)\)/i;
/** The wrapped key is not of this parent, or there is no such parent: integrity, handle, value of a handle. */
const UNKNOWN_KEY = /\(0x(1DF|18B|184)\)/i;
/** The library cannot speak to the TPM at all. */
const UNREACHABLE = /Could not load tcti|ERROR:tcti:|\(0x000A000A\)/i;

export type TpmVisit = {
  write(name: string, bytes: Uint8Array): void;
  /** @throws OperationalError SIGNER_ANSWER when no tool has written it */
  read(name: string): Uint8Array;
  /** Files are named as above. @param secret given to the tool's standard input, as `file:-` among `args` */
  run(tool: string, args: readonly string[], secret?: string): void;
};

/**
 * In a folder of its own, which is gone afterwards: contexts and wrapped keys, all sealed by the TPM.
 * @throws OperationalError SIGNER_UNAVAILABLE, SIGNER_REFUSED, SIGNER_KEY_MISSING, SIGNER_ANSWER; UserError SIGNER_PIN
 */
export function visitTpm<T>(tcti: string, limitMs: number, visit: (tpm: TpmVisit) => T): T {
  const untilMs = performance.now() + limitMs;
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), 'witnessmark-tpm-'));
  } catch (cause) {
    throw unavailable('the TPM’s tools need a temporary folder, and none can be made', cause);
  }
  const call = (tool: string, args: readonly string[], secret?: string): void => {
    const answer = runTool({
      name: tool,
      args: ['-T', tcti, ...args],
      cwd: folder,
      untilMs,
      ...(secret !== undefined && { input: Buffer.from(secret, 'latin1') }),
    });
    if (answer.status !== 0) throw failure(answer);
  };
  try {
    return visit({
      write: (name, bytes) => {
        try {
          writeFileSync(join(folder, name), bytes, { mode: 0o600 });
        } catch (cause) {
          throw unavailable('the TPM’s tools need a temporary folder that can be written', cause);
        }
      },
      read: (name) => {
        try {
          return readFileSync(join(folder, name));
        } catch (cause) {
          throw badAnswer('a file', cause);
        }
      },
      run: (tool, args, secret) => {
        // Without a resource manager, such as the kernel's, what the tool before loaded stays and fills the three slots.
        call('tpm2_flushcontext', ['-t']);
        call(tool, ['-Q', ...args], secret);
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function failure({ status, stderr }: ToolAnswer): Error {
  const words = lastWords(stderr);
  if (status === AUTHORISATION_FAILED || WRONG_AUTHORISATION.test(stderr)) {
    return pinRefused('the key in the TPM', words);
  }
  if (UNREACHABLE.test(stderr)) return unavailable(`the TPM cannot be reached: ${words}`);
  const isUnknown = UNKNOWN_KEY.test(stderr);
  return new OperationalError(
    isUnknown ? 'SIGNER_KEY_MISSING' : 'SIGNER_REFUSED',
    isUnknown
      ? `the TPM does not know the device key, since it is another one, was cleared, or has another parent: ${words}`
      : `the TPM refused: ${words}`,
    { retryable: false },
  );
}

function unavailable(sentence: string, cause?: unknown): OperationalError {
  return new OperationalError('SIGNER_UNAVAILABLE', sentence, { retryable: true, cause });
}
