/** What a local authority reads of a request (RFC 3161, section 2.4.1). */
import { FormatError } from '../../../core/errors.ts';
import { hashNamed, readAlgorithm } from '../../../core/x509/algorithm.ts';
import { oid, readDer, smallUnsigned, TAG, unsigned } from '../../../core/x509/der.ts';

export type StampRequest = {
  readonly imprint: Uint8Array;
  readonly policy: string | undefined;
  readonly nonce: bigint | undefined;
};

/** @throws FormatError DER_MALFORMED, STAMP_REQUEST; VerificationError ALGORITHM_UNSUPPORTED */
export function readRequest(bytes: Uint8Array): StampRequest {
  const reader = readDer(bytes, TAG.sequence, 'a request for a time stamp');
  smallUnsigned(reader.next(TAG.integer), 1);
  const message = reader.inside(TAG.sequence);
  const hash = hashNamed(readAlgorithm(message));
  const imprint = message.next(TAG.octetString).content;
  if (hash !== 'sha256' || imprint.length !== 32) {
    throw new FormatError('STAMP_REQUEST', 'expected an imprint by SHA-256');
  }
  const policy = reader.optional(TAG.oid);
  const nonce = reader.optional(TAG.integer);
  return {
    imprint,
    policy: policy && oid(policy),
    nonce: nonce && unsigned(nonce),
  };
}
