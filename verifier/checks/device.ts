/** DEVICE: every session record is signed by a device key that the policy names (spec/verification.md, "DEVICE"). */
import { toHex } from '../../core/bytes.ts';
import { verifySigned } from '../../core/cose.ts';
import { failed, indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { attempt } from '../readings.ts';
import { counted } from '../sentence.ts';

export function checkDevice({ trail, verifyDigest }: Context): Outcome {
  const { sessions } = trail;
  const keyIds = [...new Set(sessions.map(({ record }) => toHex(record.deviceKeyId)))];
  const values = { deviceKeyIds: keyIds };
  if (sessions.length === 0) return indeterminate('absent', 'the bundle has no session record');
  for (const { bytes, record, deviceKey } of sessions) {
    if (deviceKey === undefined) continue;
    const result = attempt(() => verifySigned('session-record', deviceKey, bytes, verifyDigest));
    if ('problem' in result) {
      const { code, message } = result.problem;
      return failed(code, `session ${record.log}/${record.number}: ${message}`, values);
    }
  }
  const unnamed = sessions.find(({ deviceKey }) => deviceKey === undefined);
  if (unnamed !== undefined) {
    return indeterminate(
      'device_not_in_policy',
      `the trust policy names neither the device key with id ${toHex(unnamed.record.deviceKeyId)} nor an owner who enrolled it in this bundle`,
      values,
    );
  }
  return passed(
    `${counted(sessions.length, 'session record')} signed by ${keyIds.length === 1 ? `the device key ${keyIds[0]?.slice(0, 16)}…` : counted(keyIds.length, 'device key')}, which ${believedBy(trail)}`,
    values,
  );
}

/** Whoever enrolled a key has said which device it is in: that is the owner's word. */
function believedBy({ sessions }: Context['trail']): string {
  const owners = new Set(
    sessions.flatMap(({ enrolledBy }) => (enrolledBy ? [`0x${toHex(enrolledBy.owner)}`] : [])),
  );
  if (owners.size === 0) return 'the policy names';
  return `${[...owners].join(' and ')} has enrolled, whom the policy names: that it is in this vehicle is the owner’s word`;
}
