/** The page as a person has it: real Chromium, from a file, no network. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { carriedPage, readVerifierPage } from '../../../cli/carried-page.ts';
import { CHECK_CODES } from '../../../verifier/check.ts';
import { reportJson } from '../../../verifier/report-json.ts';
import { verifyEvidence } from '../../../verifier/verify.ts';
import { rememberingVerifyDigest, VECTORS, vectorNamed } from '../vector-files.ts';
import { ASK_WORKER, CONTROL_NAMES, DROP, LATIN_WORDS, MEASURE, TRY_TO_REACH } from './in-page.ts';
import { launch, openPage } from './open-page.ts';

const PATIENCE_MS = 120_000;
let browser: Browser;
beforeAll(async () => {
  browser = await launch();
}, PATIENCE_MS);
afterAll(async () => await browser.close());

const COMPLETE = vectorNamed('valid-complete');

const expectedReport = ({ bundle, policy }: (typeof VECTORS)[number]): string =>
  reportJson(verifyEvidence(bundle, policy, { verifyDigest: rememberingVerifyDigest }));
const bundleOf = (vector: (typeof VECTORS)[number]) => ({
  name: `${vector.name}.wmk`,
  bytes: vector.bundle,
});
const policyOf = (vector: (typeof VECTORS)[number]) => ({
  name: 'trust.json',
  bytes: Buffer.from(JSON.stringify(vector.input.policy)),
});

test('its worker gives every vector the report of the command line, byte for byte', async () => {
  await using opened = await openPage(browser);
  await opened.give(bundleOf(COMPLETE), policyOf(COMPLETE));
  const differ: string[] = [];
  for (const vector of VECTORS) {
    const policy = JSON.stringify(vector.input.policy);
    const request = JSON.stringify({ bundle: vector.input.bundle, policy });
    const json = await opened.page.evaluate<string>(`(${ASK_WORKER})(${request})`);
    if (json !== expectedReport(vector)) differ.push(vector.name);
  }
  expect(differ).toEqual([]);
  expect(VECTORS.length).toBeGreaterThan(200);
}, 300_000);

test('shows a report, saves it byte for byte, and asks nobody for anything', async () => {
  await using opened = await openPage(browser);
  for (const name of ['valid-complete', 'invalid-leaf-changed', 'invalid-cbor-long-length']) {
    const vector = vectorNamed(name);
    await opened.page.reload();
    await opened.give(bundleOf(vector), policyOf(vector));
    expect(await opened.report()).toBe(expectedReport(vector));
    expect(await opened.page.locator('details.check').count()).toBe(CHECK_CODES.length);
  }
  expect(opened.complaints).toEqual([]);
  const others = opened.requests.filter((url) => url !== 'blob:' && !url.startsWith('file://'));
  expect(others).toEqual([]);
});

test('cannot reach anything, whatever would run in it', async () => {
  await using opened = await openPage(browser);
  const outcomes = await opened.page.evaluate(TRY_TO_REACH);
  expect(outcomes).toEqual({ image: 'refused', fetched: 'refused', script: 'refused' });
});

describe('in each language', () => {
  test.each([
    ['en-GB', 'Accepted', 'Refused', 'Not accepted'],
    ['zh-CN', '采信', '不采信：已被推翻', '不采信：未能判定'],
  ] as const)('%s: the finding in words', async (locale, accepted, refused, open) => {
    const found: Record<string, string> = {};
    for (const [name, wanted] of [
      ['valid-complete', accepted],
      ['invalid-leaf-changed', refused],
      ['invalid-device-unknown', open],
    ] as const) {
      await using opened = await openPage(browser, { locale });
      const vector = vectorNamed(name);
      await opened.give(bundleOf(vector), policyOf(vector));
      found[wanted] = ((await opened.page.locator('#state').textContent()) ?? '').replace(
        /^\S\s/,
        '',
      );
    }
    expect(found).toEqual({ [accepted]: accepted, [refused]: refused, [open]: open });
  });

  test('nothing stays in the other language but names, hashes and the sentences of the report', async () => {
    await using opened = await openPage(browser, { locale: 'zh-CN' });
    await opened.give(bundleOf(COMPLETE), policyOf(COMPLETE));
    const words = await opened.page.evaluate<string[]>(LATIN_WORDS);
    const allowed = new Set([...CHECK_CODES.flatMap((code) => code.split('_')), 'JSON']);
    expect(words.filter((word) => !allowed.has(word))).toEqual([]);
  });

  test('the language can be switched, and the finding stays', async () => {
    await using opened = await openPage(browser);
    await opened.give(bundleOf(COMPLETE), policyOf(COMPLETE));
    await opened.page.locator('#language').press('Enter');
    expect(await opened.page.locator('#state').textContent()).toContain('采信');
    expect(await opened.page.locator('html').getAttribute('lang')).toBe('zh-CN');
    expect(await opened.page.locator('#language:focus').count()).toBe(1);
  });
});

test('what a policy or a bundle says is text, and moves nothing', async () => {
  await using opened = await openPage(browser);
  const policy = { ...COMPLETE.input.policy, suppliedBy: '<img src=x onerror=alert(1)>\u202Eevil' };
  await opened.give(
    { ...bundleOf(COMPLETE), name: '<b>x</b>.wmk' },
    { name: 'trust.json', bytes: Buffer.from(JSON.stringify(policy)) },
  );
  const text = await opened.page.locator('#policy').textContent();
  expect(text).toContain('<img src=x onerror=alert(1)>\\u{202e}evil');
  expect(await opened.page.locator('img, b').count()).toBe(0);
});

test('a policy that cannot be used is told with its reason, and nothing is concluded', async () => {
  await using opened = await openPage(browser);
  const inputs = opened.page.locator('input[type=file]');
  await inputs.nth(0).setInputFiles({ name: 'x', mimeType: '', buffer: Buffer.from('x') });
  await inputs.nth(1).setInputFiles({ name: 'y', mimeType: '', buffer: Buffer.from('{}') });
  await opened.page.getByText('The trust policy cannot be used').waitFor();
  expect(await opened.page.locator('#state').count()).toBe(0);
});

test('both files can be dropped, in any order', async () => {
  await using opened = await openPage(browser);
  const texts = [
    Buffer.from(COMPLETE.bundle).toString('base64'),
    JSON.stringify(COMPLETE.input.policy),
  ];
  await opened.page.evaluate(`(${DROP})(${texts.map((text) => JSON.stringify(text)).join()})`);
  await opened.page.locator('#state').waitFor();
  expect(await opened.page.locator('#state').textContent()).toContain('Accepted');
});

test('fits a phone, and every text has contrast on its ground, by day and by night', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await using opened = await openPage(browser, { width: 390 });
    await opened.page.emulateMedia({ colorScheme });
    const vector = vectorNamed('invalid-leaf-changed');
    await opened.give(bundleOf(vector), policyOf(vector));
    const measured = await opened.page.evaluate<{ over: number; weakest: number }>(MEASURE);
    expect(measured.over).toBeLessThanOrEqual(0);
    expect(measured.weakest).toBeGreaterThan(4.5);
  }
});

test('by keyboard alone: every control is reached, and a check opens', async () => {
  await using opened = await openPage(browser);
  await opened.give(bundleOf(COMPLETE), policyOf(COMPLETE));
  await opened.page.locator('#check-LEAVES > summary').focus();
  await opened.page.keyboard.press('Enter');
  expect(await opened.page.locator('#check-LEAVES').getAttribute('open')).toBe('');
  const names = await opened.page.evaluate<string[]>(CONTROL_NAMES);
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => name === '')).toEqual([]);
});

test('prints as A4, with every check open', async () => {
  await using opened = await openPage(browser);
  await opened.give(bundleOf(COMPLETE), policyOf(COMPLETE));
  const pdf = (await opened.page.pdf({ preferCSSPageSize: true })).toString('latin1');
  expect(pdf).toMatch(/\/MediaBox \[0 0 59[45](\.\d+)? 84[12](\.\d+)?\]/);
  expect(pdf.match(/\/Type \/Page\b/g)?.length).toBeGreaterThan(2);
  expect(await opened.page.locator('details.check:not([open])').count()).toBe(0);
});

test('evidence that a page carries is verified from it, and says that its maker made the page, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'witnessmark-carried-'));
  try {
    const file = join(folder, 'evidence.html');
    writeFileSync(file, carriedPage(readVerifierPage(), COMPLETE.bundle, 'a"><b>$&.wmk'));
    await using opened = await openPage(browser, { file });
    const note = opened.page.locator('aside');
    expect(await note.textContent()).toContain('obtained elsewhere');
    await opened.page
      .locator('input[type=file]')
      .nth(1)
      .setInputFiles({ mimeType: '', name: 'trust.json', buffer: policyOf(COMPLETE).bytes });
    await opened.page.locator('#state').waitFor();
    expect(await opened.page.locator('#state').textContent()).toContain('Accepted');
    const digest = (await note.textContent())?.match(/[0-9a-f]{64}/)?.[0];
    expect(await opened.page.locator('#repeat').textContent()).toContain(digest);
    const [download] = await Promise.all([
      opened.page.waitForEvent('download'),
      note.getByRole('button').click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/\.wmk$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
