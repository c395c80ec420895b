import { describe, expect, it } from 'vitest';
import { CHECK_CODES } from '../../verifier/check.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, VECTORS } from './vector-files.ts';

const options = { verifyDigest: rememberingVerifyDigest };

describe('every bundle vector', () => {
  it.each(VECTORS.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const report = verifyEvidence(vector.bundle, vector.policy, options);
    const shown = report.checks.map(({ code, verdict, reason }) => [
      code,
      reason === undefined ? verdict : `${verdict} ${reason}`,
    ]);
    expect(Object.fromEntries(shown)).toEqual(vector.output.checks);
    expect(report.accepted).toBe(vector.expect === 'valid');
    const { facts } = JSON.parse(reportJson(report)) as { facts: unknown };
    expect(report.accepted ? facts : null).toEqual(vector.output.facts);
  });

  it('is there for every check', () => {
    const refusing = new Set(VECTORS.map(({ output }) => output.refusedBy));
    expect(CHECK_CODES.filter((code) => !refusing.has(code))).toEqual([]);
  });
});

describe('a build with one check forced to PASSED', () => {
  it.each(CHECK_CODES)('accepts what only %s refuses', (code) => {
    const needed = VECTORS.filter(({ output }) => output.refusedBy === code);
    const forced = { verdict: 'PASSED', reason: undefined, detail: '', values: undefined } as const;
    const wronglyAccepted = needed.filter(
      ({ bundle, policy }) =>
        verifyEvidence(bundle, policy, { ...options, checks: { [code]: () => forced } }).accepted,
    );
    expect(wronglyAccepted.map(({ name }) => name)).not.toEqual([]);
  });
});
