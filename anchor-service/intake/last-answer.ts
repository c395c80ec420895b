/** The service's signed word about what it has last of a device key: for the one question that it answers. */
import { encodeLastRecord } from '../../core/last-record.ts';
import type { LastMessage } from '../../core/wire.ts';
import type { IntakeStore, LogOwner, Signer } from '../ports.ts';
import { signRecord } from '../signed-record.ts';

/** @param nonce of the question, 16 bytes */
export function lastAnswer(
  signer: Signer,
  { tag, deviceKeyId, epoch }: LogOwner,
  nonce: Uint8Array,
  last: ReturnType<IntakeStore['newestStatement']>,
): LastMessage {
  const record = { tag, deviceKeyId, epoch, nonce, statementId: last?.id };
  return { answer: signRecord('last', signer, encodeLastRecord(record)), last };
}
