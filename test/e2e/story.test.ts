/** The story of a grant, told by the command as people start it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Finished, witnessmark } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'wmk-story-'));
const out = join(folder, 'out');
const TOLD_WITHIN_MS = 290_000;

let story: Finished;

beforeAll(async () => {
  const args = ['demo', '--story', 'grant', '--out', out];
  story = await witnessmark(args, { cwd: folder, timeoutMs: TOLD_WITHIN_MS });
}, TOLD_WITHIN_MS + 10_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('everything comes out as it should, and what must fail does with its code', () => {
  const text = story.stdout.toString();
  expect([story.status, story.stderr]).toEqual([0, '']);
  const refusals = text.matchAll(/^ {2}(.+): refused, ([A-Z_]+)(?: and [A-Z_]+)?\.$/gm);
  expect([...refusals].map(([, , code]) => code)).toEqual([
    'REQUEST_REPEATED',
    'REQUEST_RANGE',
    'OWNER_SIGNATURE_INVALID',
    'HPKE_OPEN',
    'KEY_NODE_RANGE',
    'LEAF_HASH_MISMATCH',
    'REVOCATION_STATE_STALE',
    'GRANT_REVOKED',
    'HPKE_OPEN',
    'GRANT_OWNER',
    'HPKE_OPEN',
  ]);
  expect(text).toContain('speed (raw/can0/0B4) and brake (raw/can0/224) of 30 s');
  expect(text).toMatch(/60 leaves of 30 chunks/);
  expect(text).toMatch(/The old owner opens all \d+ chunks with the recovery key/);
  expect(text).toMatch(/60 chunks: not from the unit, not from its store/);
  expect(text).toMatch(/^Everything came out as it should\.$/m);
});

test('the insurer’s evidence is what is left, and verifies with networking cut off', async () => {
  expect(readdirSync(out).sort()).toEqual(['.witnessmark-demo', 'evidence.wmk', 'trust.json']);
  const { status, stdout } = await witnessmark(
    ['verify', join(out, 'evidence.wmk'), '--trust', join(out, 'trust.json'), '--json'],
    { cwd: folder, offline: true },
  );
  expect(status).toBe(0);
  const { checks } = JSON.parse(stdout.toString()) as {
    readonly checks: readonly { readonly code: string; readonly verdict: string }[];
  };
  const verdicts = new Map(checks.map(({ code, verdict }) => [code, verdict]));
  for (const code of ['GRANT', 'STREAMS', 'ENROLMENT', 'TIMESTAMP']) {
    expect([code, verdicts.get(code)]).toEqual([code, 'PASSED']);
  }
});

test('there is no other story, and none of another drive', async () => {
  const other = await witnessmark(['demo', '--story', 'theft', '--out', out], { cwd: folder });
  expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('(ARGUMENTS)')]);
  const drive = ['demo', '--story', 'grant', '--log', 'x.log', '--out', out];
  const { status, stderr } = await witnessmark(drive, { cwd: folder });
  expect([status, stderr]).toEqual([2, expect.stringContaining('no --log beside --story')]);
});
