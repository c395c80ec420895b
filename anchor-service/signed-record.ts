/** The service's own signed words: acceptances and beacons (spec/signatures.md). */
import { encodeSigned, type RecordKind, recordId } from '../core/cose.ts';
import type { Signer } from './ports.ts';

/** @returns a COSE_Sign1 */
export function signRecord(kind: RecordKind, signer: Signer, payload: Uint8Array): Uint8Array {
  const signature = signer.sign(recordId(kind, signer.key, payload));
  return encodeSigned(kind, signer.key, { payload, signature });
}
