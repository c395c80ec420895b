/** A device key that is believed, and for which sessions. Implements spec/trust-policy.md, "Format". */
import { equalBytes, toHex } from '../core/bytes.ts';
import type { Enrolment } from '../core/enrolment.ts';
import type { SessionRecord } from '../core/session-record.ts';
import { keyId, type PublicKey } from '../core/signature.ts';

export type TrustedDevice = {
  readonly key: PublicKey;
  /** By which a named owner took it; none: the policy names the key itself. */
  readonly enrolment: Enrolment | undefined;
};

/** An enrolment is for one tag and epoch: of what the key signs elsewhere it says nothing. */
export function deviceOf(
  devices: readonly TrustedDevice[],
  { deviceKeyId, tag, epoch }: Pick<SessionRecord, 'deviceKeyId' | 'tag' | 'epoch'>,
): TrustedDevice | undefined {
  const id = toHex(deviceKeyId);
  return devices.find(
    ({ key, enrolment }) =>
      toHex(keyId(key)) === id &&
      (enrolment === undefined || (enrolment.epoch === epoch && equalBytes(enrolment.tag, tag))),
  );
}
