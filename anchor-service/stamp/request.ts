/** What is sent to a time stamp authority, and the frame of its answer (RFC 3161, sections 2.4.1 and 2.4.2). */
import { FormatError, VerificationError } from '../../core/errors.ts';
import { readDer, smallUnsigned, TAG } from '../../core/x509/der.ts';
import { integer, objectId, octets, sequence, truth } from '../../core/x509/der-writer.ts';

const SHA_256 = '2.16.840.1.101.3.4.2.1';

/**
 * @param imprint SHA-256 digest
 * @param policy under which the authority shall stamp, in dotted decimals; none: as it likes
 * @returns DER TimeStampReq, which asks for the certificate
 */
export function encodeRequest(
  imprint: Uint8Array,
  nonce: bigint,
  policy: string | undefined,
): Uint8Array {
  return sequence(
    integer(1),
    sequence(sequence(objectId(SHA_256)), octets(imprint)),
    ...(policy === undefined ? [] : [objectId(policy)]),
    integer(nonce),
    truth(),
  );
}

/** @returns DER TimeStampToken @throws FormatError DER_MALFORMED; VerificationError STAMP_REFUSED */
export function readResponse(bytes: Uint8Array): Uint8Array {
  const reader = readDer(bytes, TAG.sequence, 'the answer of the time stamp authority');
  const info = reader.inside(TAG.sequence);
  const status = smallUnsigned(info.next(TAG.integer), 255);
  // 0 granted, 1 granted with changes, which are seen in the token.
  if (status > 1) {
    throw new VerificationError('STAMP_REFUSED', `the authority refused with status ${status}`);
  }
  if (reader.isAtEnd) {
    throw new FormatError('DER_MALFORMED', 'the authority granted a stamp and sent none');
  }
  const token = reader.next(TAG.sequence).bytes;
  reader.end();
  return token;
}
