import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECK_CODES } from '../../verifier/check.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { printable, reportLines } from '../../verifier/report-text.ts';
import { grouped, utc } from '../../verifier/sentence.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { rememberingVerifyDigest, vectorNamed } from './vector-files.ts';

const options = { verifyDigest: rememberingVerifyDigest };

function reportOf(name: string) {
  const { bundle, policy } = vectorNamed(name);
  return verifyEvidence(bundle, policy, options);
}

describe('the report', () => {
  it('says first that a local chain proves nothing to a third party, then what was believed', () => {
    const [first, , third] = reportLines(reportOf('valid-complete'));
    expect(first).toContain('proves nothing to a third party');
    expect(third).toContain('Trust policy, supplied by fixtures/generate/bundles');
  });

  it('begins with the policy where no chain is local', () => {
    const { bundle, input } = vectorNamed('valid-complete');
    const text = JSON.stringify(input.policy).replace('"class":"local"', '"class":"public"');
    const [first] = reportLines(verifyEvidence(bundle, parseTrustPolicy(text), options));
    expect(first).toContain('Trust policy, supplied by');
  });

  it('has every check once, in the fixed order, and what is not proven, as JSON too', () => {
    const json = JSON.parse(reportJson(reportOf('valid-complete'))) as {
      checks: { code: string; verdict: string; detail: string }[];
      notProven: { code: string; text: string }[];
    };
    expect(json.checks.map(({ code }) => code)).toEqual(CHECK_CODES);
    expect(json.checks.every(({ verdict, detail }) => verdict !== '' && detail !== '')).toBe(true);
    expect(json.notProven.map(({ code }) => code)).toContain('DRIVER');
  });

  it('is what the example in spec/verification.md shows', () => {
    const page = readFileSync(join(import.meta.dirname, '../../spec/verification.md'), 'utf8');
    const shown = page.split('\n').filter((line) => /^ {4}(PASSED|INDETERMINATE) /.test(line));
    const lines = reportLines(reportOf('valid-complete')).map((line) => line.trim());
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.map((line) => line.trim()).filter((line) => !lines.includes(line))).toEqual([]);
  });

  it('is explained in spec/verification.md, check by check', () => {
    const page = readFileSync(join(import.meta.dirname, '../../spec/verification.md'), 'utf8');
    const headings = page.split('\n').flatMap((line) => /^### ([A-Z_]+)$/.exec(line)?.[1] ?? []);
    expect(headings.filter((heading) => heading === heading.toUpperCase())).toEqual([
      ...CHECK_CODES,
      'JSON',
    ]);
  });

  it('says of a time stamp without an accuracy that it counts as exact, and of others not', () => {
    const line = (name: string): string | undefined =>
      reportLines(reportOf(name)).find((text) => text.includes('TIMESTAMP'));
    expect(line('valid-stamped-exact')).toContain(
      'the latest for 2023-11-14 22:40:00 UTC; it states no accuracy and counts as exact',
    );
    // genTime and 1.5 s, in whole seconds.
    expect(line('valid-stamped')).toMatch(/the latest for 2023-11-14 22:40:02 UTC$/);
    const { checks } = JSON.parse(reportJson(reportOf('valid-stamped-exact'))) as {
      checks: { code: string; values: { stamps: { token: unknown }[] } }[];
    };
    const stamp = checks.find(({ code }) => code === 'TIMESTAMP')?.values.stamps[0];
    expect(stamp?.token).toMatchObject({
      accuracyNs: null,
      notAfter: `${Date.UTC(2023, 10, 14, 22, 40) / 1000}`,
    });
  });

  it('is the same text for the same bundle and policy', () => {
    expect(reportJson(reportOf('valid-complete'))).toBe(reportJson(reportOf('valid-complete')));
  });

  it('states no facts when a check they rest on did not pass', () => {
    expect(reportOf('invalid-leaf-changed').facts).toBeUndefined();
    expect(reportOf('invalid-device-unknown').facts).toBeUndefined();
    expect(reportOf('valid-headers-only').facts?.frames).toBe(0);
  });

  it('names chunk and streams where a leaf was changed', () => {
    const leaves = reportOf('invalid-leaf-changed').checks.find(({ code }) => code === 'LEAVES');
    expect(leaves?.detail).toContain('chunk 0/1');
    expect(leaves?.detail).toContain('raw/can');
  });

  it('names the one hash to check', () => {
    const block = reportOf('invalid-block-unnamed').checks.find(({ code }) => code === 'BLOCK');
    expect(block?.detail).toMatch(
      /^check this one hash: block 110 of chain 31337: 0x[0-9a-f]{64}; look it up/,
    );
  });

  it('tells an exact time of a block from a bound on it', () => {
    const time = reportOf('valid-complete').facts?.time;
    expect(time?.map(({ notBefore }) => [notBefore?.block, notBefore?.exact])).toEqual([
      ['100', true],
      ['103', false],
    ]);
    expect(time?.map(({ notAfter }) => notAfter?.block)).toEqual(['104', '108']);
  });

  it('lists who did what with the evidence, an act in two streams once', () => {
    const lines = reportLines(reportOf('valid-custody-both-streams'));
    const at = lines.indexOf('Custody, as the unit recorded it');
    expect(lines.slice(at + 1, at + 4)).toEqual([
      '  exported by "user witnessmark" (agent) at 2023-11-14 22:33:33 UTC by its own clock (ntp), 1 chunk, 5 streams, 5 leaves, for "own copy"',
      expect.stringMatching(/^ {2}disclosed by .*, under grant [0-9a-f]{16}…, for "claim 4711"$/),
      '',
    ]);
    const check = reportOf('valid-custody-silent').checks.find(({ code }) => code === 'CUSTODY');
    expect(check?.detail).toBe('no custody record, as sealed from chunk 0/0 to chunk 0/2');
  });

  it('escapes what would move the cursor or turn text around', () => {
    expect(printable('a\u001b[31mb\u202ec\n')).toBe('a\\u{1b}[31mb\\u{202e}c\\u{a}');
  });

  it('shows numbers and times the same everywhere', () => {
    expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
    for (const seconds of [0, -1, 951_782_400, 1_709_164_800, 4_107_542_399, -62_135_596_800]) {
      const iso = new Date(seconds * 1000).toISOString();
      expect(utc(BigInt(seconds))).toBe(`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`);
    }
    expect(utc(1n << 63n)).toBe('9223372036854775808 s since 1970');
  });
});
