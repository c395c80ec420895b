/**
 * RLP that stands inside a proof: that it does not parse means that the proof proves nothing.
 * Implements spec/evm-proofs.md, "Codes".
 */
import { FormatError, VerificationError } from '../errors.ts';
import { decodeRlp, type RlpItem } from './rlp.ts';

/** `code`: what the proof fails with. @throws VerificationError with that code */
export function decodeProvenRlp(bytes: Uint8Array, code: string): RlpItem {
  try {
    return decodeRlp(bytes, bytes.length);
  } catch (error) {
    throw refusal(code, error);
  }
}

function refusal(code: string, cause: unknown): VerificationError {
  if (!(cause instanceof FormatError)) throw cause;
  return new VerificationError(code, `inside a proof: ${cause.message}`, { cause });
}
