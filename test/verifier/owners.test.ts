/** Policies that name owners and no device key: what an enrolment makes believed, and what it does not. */
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import type { Report } from '../../verifier/report.ts';
import { reportLines } from '../../verifier/report-text.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, vectorNamed } from './vector-files.ts';

function reportOf(name: string): Report {
  const { bundle, policy } = vectorNamed(name);
  return verifyEvidence(bundle, policy, { verifyDigest: rememberingVerifyDigest });
}

const device = ({ checks }: Report) => checks.find(({ code }) => code === 'DEVICE');

test('the report says whose word it is, and who that is', () => {
  const { policy } = vectorNamed('valid-owner');
  const [owner] = policy.owners;
  const address = `0x${toHex(owner?.address ?? new Uint8Array(0))}`;
  expect(policy.deviceKeys).toEqual([]);
  const report = reportOf('valid-owner');
  expect(device(report)?.detail).toContain(`which ${address} has enrolled, whom the policy names`);
  expect(reportLines(report).join('\n')).toContain(`owner        ${address} on chain`);
});

test.each(['forged', 'other-tag', 'other-epoch', 'other', 'chain', 'not-shown', 'unasked'])(
  'no key is believed by an enrolment that is %s',
  (name) => {
    const report = reportOf(`invalid-owner-${name}`);
    expect(device(report)).toMatchObject({
      verdict: 'INDETERMINATE',
      reason: 'device_not_in_policy',
    });
    // Nothing hangs on it then.
    expect(report.facts).toBeUndefined();
  },
);

test('a key that the policy names needs no owner', () => {
  const { bundle, policy } = vectorNamed('valid-enrolment');
  const owners = [{ chainId: 1n, address: new Uint8Array(20) }];
  const report = verifyEvidence(
    bundle,
    { ...policy, owners },
    { verifyDigest: rememberingVerifyDigest },
  );
  expect(device(report)).toMatchObject({ verdict: 'PASSED' });
  expect(device(report)?.detail).toMatch(/which the policy names$/);
});
