/** `npm run pictures`: the page as it looks, for verifier/README.md. Needs Debian's chromium and fonts-noto-cjk. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { vectorNamed } from '../vector-files.ts';
import { launch, openPage } from './open-page.ts';

const FOLDER = join(import.meta.dirname, '../../../verifier/pictures');
const CASES = {
  valid: 'valid-grant',
  failed: 'invalid-leaf-changed',
  indeterminate: 'invalid-device-unknown',
} as const;
const LANGUAGES = { en: 'en-GB', zh: 'zh-CN' } as const;
const WIDTHS = { wide: 1000, phone: 390 } as const;
const MOST_PIXELS = 2400;

mkdirSync(FOLDER, { recursive: true });
const browser = await launch();
for (const [kind, name] of Object.entries(CASES)) {
  const { bundle, input } = vectorNamed(name);
  const policy = Buffer.from(JSON.stringify(input.policy));
  for (const [language, locale] of Object.entries(LANGUAGES)) {
    for (const [size, width] of Object.entries(WIDTHS)) {
      await using opened = await openPage(browser, { locale, width });
      await opened.give(
        { name: 'evidence.wmk', bytes: bundle },
        { name: 'trust.json', bytes: policy },
      );
      const whole = await opened.page.locator('main').boundingBox();
      const path = join(FOLDER, `${kind}-${language}-${size}.png`);
      const height = Math.min(MOST_PIXELS, Math.ceil(whole?.height ?? MOST_PIXELS));
      await opened.page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width, height } });
      process.stdout.write(`${path}\n`);
    }
  }
}
await browser.close();
