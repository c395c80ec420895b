/** The code of what was thrown: what a test asserts. */
import {
  FormatError,
  OperationalError,
  UserError,
  VerificationError,
} from '../../../core/errors.ts';

/** @throws what is no coded error: a mistake of ours */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return codeOfError(error);
  }
  return 'nothing was thrown';
}

export async function codeOfAsync(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    return codeOfError(error);
  }
  return 'nothing was thrown';
}

function codeOfError(error: unknown): string {
  const coded =
    error instanceof OperationalError ||
    error instanceof UserError ||
    error instanceof FormatError ||
    error instanceof VerificationError;
  if (!coded) throw error;
  if (/[A-Z]/.test(error.message.charAt(0)) || error.message.endsWith('.')) {
    throw new Error(`not a sentence of ours: ${error.message}`);
  }
  return error.code;
}
