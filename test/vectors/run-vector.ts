/** Runs one vector: 'valid', the code of the error, or what came out instead. No Node imports. */
import { FormatError, VerificationError } from '../../core/errors.ts';
import type { FormatRunner, Vector } from './vector-input.ts';

export function verdictOn(vector: Vector, run: FormatRunner): string {
  try {
    const output = sorted(run(vector.input));
    if (vector.expect !== 'valid') return 'valid';
    const expected = sorted(vector.output);
    return output === expected ? 'valid' : `expected ${expected}, got ${output}`;
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}

/** JSON with the keys of every object in order, so that equal values are equal texts. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
