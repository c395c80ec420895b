import { expect, test } from 'vitest';
import type { Report } from '../../verifier/report.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, vectorNamed } from './vector-files.ts';

function reportOf(name: string): Report {
  const { bundle, policy } = vectorNamed(name);
  return verifyEvidence(bundle, policy, { verifyDigest: rememberingVerifyDigest });
}

const fork = ({ checks }: Report) => checks.find(({ code }) => code === 'FORK');

test('a fork is the only thing that fails: what was anchored stays unaltered, whole and in its time', () => {
  const report = reportOf('invalid-fork-proven');
  const others = ({ checks }: Report) =>
    checks
      .filter(({ code }) => code !== 'FORK' && code !== 'BUNDLE')
      .map(({ code, verdict, detail }) => [code, verdict, detail]);
  expect(others(report)).toEqual(others(reportOf('valid-complete')));
  for (const code of ['LEAVES', 'STATEMENT', 'WINDOW', 'ANCHOR', 'NOT_AFTER', 'NOT_BEFORE']) {
    expect(report.checks.find((check) => check.code === code)).toMatchObject({ verdict: 'PASSED' });
  }
  expect(report.accepted).toBe(false);
});

test('it says from which chunk on the log is not complete, and how many before it are not concerned', () => {
  expect(fork(reportOf('invalid-fork-proven'))).toMatchObject({
    verdict: 'FAILED',
    detail:
      'the device signed two statements 0/1: from 0/2 on this log is not complete; 2 chunks of this bundle before it are not concerned',
    values: { log: 0, statementSeq: 1, chunkSeq: 2 },
  });
});

test('a fork proof alone is read under the device key of the policy', () => {
  const report = reportOf('invalid-fork-alone');
  expect(fork(report)).toMatchObject({
    verdict: 'FAILED',
    reason: 'FORK_PROVEN',
    detail: 'the device signed two statements 0/1: from 0/2 on this log is not complete',
  });
  expect(report.checks.filter(({ verdict }) => verdict === 'FAILED').length).toBe(1);
});
