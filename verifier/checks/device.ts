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
      `the trust policy does not name the device key with id ${toHex(unnamed.record.deviceKeyId)}`,
      values,
    );
  }
  return passed(
    `${counted(sessions.length, 'session record')} signed by ${keyIds.length === 1 ? `the device key ${keyIds[0]?.slice(0, 16)}…` : counted(keyIds.length, 'device key')}, which the policy names`,
    values,
  );
}
