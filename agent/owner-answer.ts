/**
 * A request is answered by the unit's owner, who opens what the unit has forgotten: the same decision, and the same record,
 * signed by the owner. Implements spec/grant-request.md, "Answered by the owner".
 */
import type { CustodyContent } from '../core/custody-record.ts';
import { encodeWaiting } from './custody/inbox.ts';
import { type Answer, type DisclosureParts, decideRequest, markGiven } from './disclosure.ts';
import { type SignedRecordParts, takeSignedRecord } from './signed-record.ts';

/** Who answers in the place of the unit. */
export type AnsweringOwner = {
  /** A DID. */
  readonly actor: string;
  sign(content: CustodyContent): Promise<CustodyContent>;
};

export type OwnerAnswerParts = Omit<DisclosureParts, 'leaveCustody'> &
  SignedRecordParts & {
    readonly owner: AnsweringOwner;
    /** On a copy of the unit: where the record goes that the unit is to seal later. Nothing is written into the copy. */
    readonly keepRecord: ((record: Uint8Array) => void) | undefined;
  };

/**
 * @param giveName puts the package where the grantee finds it: the last thing that happens, so that a kill before it leaves a
 *   record of something that nobody got
 * @throws as `answerRequest`; VerificationError CUSTODY_SIGNER when the owner is not the one who enrolled the unit
 */
export async function answerAsOwner(
  request: Uint8Array,
  parts: OwnerAnswerParts,
  giveName: (bytes: Uint8Array) => void,
): Promise<Answer> {
  const { owner, keepRecord } = parts;
  const decided = decideRequest(request, parts);
  const said = { ...decided.content, role: 'owner', actor: owner.actor } as const;
  const signed = await owner.sign(said);
  const record = encodeWaiting(signed);
  if (keepRecord === undefined) takeSignedRecord(record, parts);
  else keepRecord(record);
  if ('error' in decided) throw decided.error;
  if (keepRecord === undefined) markGiven(decided.answer, parts);
  giveName(decided.answer.bytes);
  return decided.answer;
}
