/** What hostile bytes may make core/ throw, and nothing else. */
import { FormatError, VerificationError } from '../../core/errors.ts';

/** @returns the code of the error, or undefined when nothing was thrown */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}
