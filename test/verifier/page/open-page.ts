/** The built page in a real Chromium, from a file, without a network: what it asked for and complained of is kept. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { PAGE } from '../../../bootstrap/verifier-page.mjs';
import { KEEP_WORKER } from './in-page.ts';

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: join(import.meta.dirname, 'chromium-offline.sh'),
    args: ['--no-sandbox', '--disable-background-networking'],
  });

export type OpenedPage = AsyncDisposable & {
  readonly page: Page;
  /** Addresses without what a blob is named. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  readonly give: (bundle: Given, policy: Given) => Promise<void>;
  /** The report for programs that the page saves. */
  readonly report: () => Promise<string>;
};

export type Given = { readonly name: string; readonly bytes: Uint8Array };

export type PageOptions = {
  readonly locale?: string;
  readonly width?: number;
  readonly file?: string;
};

export async function openPage(
  browser: Browser,
  { locale = 'en-GB', width = 1100, file = PAGE }: PageOptions = {},
): Promise<OpenedPage> {
  const context: BrowserContext = await browser.newContext({
    locale,
    viewport: { width, height: 900 },
    acceptDownloads: true,
  });
  const page = await context.newPage();
  await page.addInitScript(KEEP_WORKER);
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url().replace(/^blob:.*/, 'blob:')));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => complaints.push(message.text()));
  await page.goto(pathToFileURL(file).href);
  return {
    page,
    requests,
    complaints,
    give: async (bundle, policy) => {
      const inputs = page.locator('input[type=file]');
      await inputs.nth(0).setInputFiles(payload(bundle, 'application/octet-stream'));
      await inputs.nth(1).setInputFiles(payload(policy, 'application/json'));
      await page.locator('#state').waitFor();
    },
    report: async () => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.locator('#save-report').click(),
      ]);
      return readFileSync(await download.path(), 'utf8');
    },
    [Symbol.asyncDispose]: async () => await context.close(),
  };
}

function payload({ name, bytes }: Given, mimeType: string) {
  return { name, mimeType, buffer: Buffer.from(bytes) };
}
