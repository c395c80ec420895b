/** What an owner signs when access is granted. Implements spec/grant.md, "Bytes". */
import type { Enrolment } from '../../core/enrolment.ts';
import { decodeGrant, encodeGrant, type Grant } from '../../core/grant.ts';
import { UNSIGNED } from '../../core/owner-signature.ts';

export type GrantTerms = Pick<
  Grant,
  | 'contract'
  | 'grantee'
  | 'granteeKey'
  | 'granteeName'
  | 'streams'
  | 'dataFromS'
  | 'dataToS'
  | 'purpose'
  | 'form'
  | 'expiresAtS'
  | 'disclosures'
  | 'noticeHash'
>;

/**
 * @param enrolment of the vehicle that the grant is for
 * @throws FormatError of a grant that no reader would take
 */
export function makeGrant(
  { chainId, owner, tag, epoch }: Enrolment,
  terms: GrantTerms,
  issuedAtS: number,
  nonce: Uint8Array,
): Grant {
  // Each once, in the order of the format, however they were typed.
  const streams = [...new Set(terms.streams)].sort();
  const grant: Grant = { ...terms, streams, chainId, owner, tag, epoch, issuedAtS, nonce };
  decodeGrant(encodeGrant({ grant, signature: UNSIGNED }));
  return grant;
}
