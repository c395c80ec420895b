/** Two verifiers, one finding: the reference and verifier/python, which was written by spec/ and shares no code with it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBundle, encodeBundle } from '../../core/bundle.ts';
import { decodeHeaderItem, encodeHeaderItem } from '../../core/bundle-items.ts';
import { asciiBytes } from '../../core/bytes.ts';
import { encodeCbor } from '../../core/cbor.ts';
import { decodeChunkHeader, encodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeAcceptedMessage, encodeAcceptedMessage } from '../../core/wire.ts';
import { seededBytes } from '../../fixtures/generate/seeded-bytes.ts';
import { CHECK_CODES } from '../../verifier/check.ts';
import { parseTrustPolicy } from '../../verifier/policy.ts';
import { reportJson } from '../../verifier/report-json.ts';
import { verifyEvidence } from '../../verifier/verify.ts';
import { faultyBundles } from './faulty-bundles.ts';
import { type PythonCase, pythonPeak, pythonReports, pythonVerify } from './python-process.ts';
import { rememberingVerifyDigest, VECTORS, vectorNamed } from './vector-files.ts';

const options = { verifyDigest: rememberingVerifyDigest };
const MINUTES = 60_000;

/** Everything but the sentences, with the keys in their order. */
function comparable(json: string): string {
  return JSON.stringify(
    JSON.parse(json, (key, value: unknown) => (key === 'detail' ? undefined : value)),
  );
}

function referenceReport({ bundle, policy }: PythonCase): string {
  return reportJson(verifyEvidence(bundle, parseTrustPolicy(policy), options));
}

function caseOf({ bundle, input }: (typeof VECTORS)[number]): PythonCase {
  return { bundle, policy: JSON.stringify(input.policy) };
}

function isAccepted(json: string): boolean {
  return (JSON.parse(json) as { readonly accepted: boolean }).accepted;
}

describe('the verifier in Python', () => {
  it('gives the report of the reference on every bundle vector', { timeout: 2 * MINUTES }, () => {
    const reports = pythonReports(VECTORS.map(caseOf));
    const differing = VECTORS.filter(
      (vector, i) => comparable(reports[i] ?? '{}') !== comparable(referenceReport(caseOf(vector))),
    );
    expect(differing.map(({ name }) => name)).toEqual([]);
    const wrong = VECTORS.filter(
      (vector, i) => isAccepted(reports[i] ?? '{}') !== (vector.expect === 'valid'),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('writes its JSON byte for byte as the reference, but for the sentences', () => {
    const vector = caseOf(vectorNamed('valid-complete'));
    const lines = (json: string) =>
      json.split('\n').filter((line) => !/^ {6}"detail": /.test(line));
    const [report = ''] = pythonReports([vector]);
    expect(lines(report)).toEqual(lines(referenceReport(vector)));
  });

  it('lists as many rows as the reference of gaps and losses, and says how many more there are', () => {
    const { sections } = decodeBundle(vectorNamed('valid-complete').bundle);
    const [session = new Uint8Array(0)] = sections.sessions;
    const [item = new Uint8Array(0)] = sections.headers;
    const header = decodeChunkHeader(decodeHeaderItem(item).payload);
    const gap = { bus: '', fromNs: 0n, toNs: 1n, cause: 'suspended' } as const;
    const headers = Array.from({ length: 160 }, (_, seq) => {
      const payload = encodeChunkHeader({
        ...header,
        ...{ seq, previousId: seq === 0 ? undefined : seededBytes(`${seq}`, 32) },
        buses: Array.from({ length: 64 }, (__, i) => ({
          ...{ bus: `can${i}`, kernelDrops: 1, controllerOverruns: i, busOffs: 0 },
        })),
        gaps: Array.from({ length: 64 }, () => gap),
      });
      return encodeHeaderItem({ payload, signature: undefined });
    });
    const bundle = encodeBundle({ sessions: [session], headers });
    const one = { ...caseOf(vectorNamed('valid-complete')), bundle };
    const [report = ''] = pythonReports([one]);
    expect(comparable(report)).toBe(comparable(referenceReport(one)));
    const checks = (JSON.parse(report) as { checks: { values?: { cut?: number } }[] }).checks;
    expect(checks.flatMap(({ values }) => values?.cut ?? [])).toEqual([240, 240]);
  });

  it('gives the report of the reference on bundles with faults at random', {
    timeout: 2 * MINUTES,
  }, () => {
    const cases = fc.sample(faultyBundles, { numRuns: 400, seed: 20_261_128 });
    const reports = pythonReports(cases);
    const differing = cases.flatMap((one, i) => {
      const [python, reference] = [
        comparable(reports[i] ?? '{}'),
        comparable(referenceReport(one)),
      ];
      return python === reference ? [] : { faults: one.faults, python, reference };
    });
    expect(differing).toEqual([]);
    // Else they would all be told by their form.
    const reasons = new Set(
      reports.flatMap((json) =>
        (JSON.parse(json) as { checks: { reason?: string }[] }).checks.map(({ reason }) => reason),
      ),
    );
    expect(reasons.size).toBeGreaterThan(60);
  });
});

describe('the verifier in Python with one check forced to PASSED', () => {
  const forced = CHECK_CODES.flatMap((code) =>
    VECTORS.filter(({ output }) => output.refusedBy === code).map((vector) => ({ code, vector })),
  );
  let accepted: ReadonlySet<string> = new Set();

  beforeAll(() => {
    const reports = pythonReports(
      forced.map(({ code, vector }) => ({ ...caseOf(vector), force: code })),
    );
    accepted = new Set(
      forced.flatMap(({ code }, i) => (isAccepted(reports[i] ?? '{}') ? [code] : [])),
    );
  }, 2 * MINUTES);

  it.each(CHECK_CODES)('accepts what only %s refuses', (code) => {
    expect(accepted.has(code)).toBe(true);
  });
});

describe('python3 witnessmark_verify.py', () => {
  let folder = '';
  const file = (name: string): string => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'witnessmark-python-'));
    const { bundle, input } = vectorNamed('valid-complete');
    writeFileSync(file('good.wmk'), bundle);
    writeFileSync(file('policy.json'), JSON.stringify(input.policy));
    writeFileSync(file('changed.wmk'), vectorNamed('invalid-leaf-changed').bundle);
    writeFileSync(file('noise.wmk'), 'no bundle');
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const verify = (bundle: string, ...more: readonly string[]) =>
    pythonVerify(file(bundle), '--trust', file('policy.json'), ...more);

  it('ends with 0 for an accepted bundle, and prints its report', () => {
    const { status, out, err } = verify('good.wmk', '--json');
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(comparable(out)).toBe(
      comparable(referenceReport(caseOf(vectorNamed('valid-complete')))),
    );
    expect(verify('good.wmk').out).toMatch(/PASSED +\* LEAVES/);
  });

  it('ends with 1 for a bundle that is not accepted, or is none', () => {
    expect(verify('changed.wmk').status).toBe(1);
    expect(verify('changed.wmk').out).toContain('LEAF_HASH_MISMATCH');
    expect(verify('noise.wmk').status).toBe(1);
  });

  it('ends with 2 for files, policies and arguments that cannot be used', () => {
    const { input } = vectorNamed('valid-complete');
    const policies = {
      POLICY_JSON: '{"witnessmark-trust": NaN}',
      POLICY_VERSION: '{"witnessmark-trust": false}',
      POLICY_VALUE: JSON.stringify({ ...(input.policy as object), suppliedBy: '' }),
      POLICY_KEY: JSON.stringify({ ...(input.policy as object), chainz: [] }),
      POLICY_REPEATED: JSON.stringify({
        ...(input.policy as object),
        required: ['LEAVES', 'LEAVES'],
      }),
    };
    for (const [code, text] of Object.entries(policies)) {
      writeFileSync(file('bad.json'), text);
      const { status, err } = pythonVerify(file('good.wmk'), '--trust', file('bad.json'));
      expect({ status, code: err.split(':')[0] }).toEqual({ status: 2, code });
    }
    expect(verify('absent.wmk').status).toBe(2);
    expect(pythonVerify(file('good.wmk')).status).toBe(2);
    expect(verify('good.wmk', '--time-limit', '0').status).toBe(2);
  });

  it('ends with 3 where there is no verdict within the time limit', () => {
    const { bundle, input } = vectorNamed('valid-acceptance');
    const { sections } = decodeBundle(bundle);
    const [message] = sections.acceptances;
    if (message === undefined) throw new Error('no acceptance');
    const accepted = decodeAcceptedMessage(message);
    // Each has a signature of its own to check.
    const acceptances = Array.from({ length: 20_000 }, (_, i) => {
      const signature = seededBytes(`signature ${i}`, 64);
      signature[32] = 0;
      const signed = Uint8Array.from(accepted.acceptance);
      signed.set(signature, signed.length - 64);
      return encodeAcceptedMessage({ ...accepted, acceptance: signed });
    });
    writeFileSync(file('endless.wmk'), encodeBundle({ ...sections, acceptances }));
    writeFileSync(file('services.json'), JSON.stringify(input.policy));
    const { status, out, err } = pythonVerify(
      file('endless.wmk'),
      ...['--trust', file('services.json'), '--time-limit', '1'],
    );
    expect({ status, out }).toEqual({ status: 3, out: '' });
    expect(err).toContain('TIME_LIMIT');
  });

  it('takes no more than 300 MB for 10 MB of names', { timeout: 4 * MINUTES }, () => {
    const streams = Array.from({ length: 1_000_000 }, (_, i) =>
      asciiBytes(`gnss/${i.toString(36).padStart(4, '0')}`),
    );
    writeFileSync(file('names.wmk'), encodeBundle({ streams }));
    expect(pythonPeak(file('names.wmk'), file('policy.json'))).toBeLessThan(300_000);
  });

  it('takes no more than 300 MB for 10 MB of leaves', { timeout: 4 * MINUTES }, () => {
    const salt = new Uint8Array(16);
    const leaves = Array.from({ length: 3 }, (_, seq) =>
      encodeCbor([
        ...[0, seq, []],
        Array.from({ length: 80_000 }, (__, i) => [
          i,
          0,
          seededBytes(`${i}`, 16),
          salt,
          new Uint8Array(0),
        ]),
      ]),
    );
    writeFileSync(file('leaves.wmk'), encodeBundle({ streams: [asciiBytes('gnss/a')], leaves }));
    expect(pythonPeak(file('leaves.wmk'), file('policy.json'))).toBeLessThan(300_000);
  });
});
