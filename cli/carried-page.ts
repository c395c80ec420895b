/** Evidence and the page that verifies it in one file (spec/verifier-page.md, "Carried evidence"). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../core/errors.ts';

/** `npm run build` and the installation of a checkout put it there. */
const PAGE = join(import.meta.dirname, '../verifier/page/build/verifier.html');

/** In the page's head of script; nothing before it can hold it. */
const PLACE = '<!--carried-->';

/** @throws UserError PAGE_MISSING */
export function readVerifierPage(): string {
  try {
    return readFileSync(PAGE, 'utf8');
  } catch (cause) {
    throw new UserError(
      'PAGE_MISSING',
      `the verifier's page is not there: npm run build makes ${PAGE}`,
      { cause },
    );
  }
}

/**
 * @param page from `readVerifierPage`
 * @param name of the bundle's file, under which the page saves it
 */
export function carriedPage(page: string, bundle: Uint8Array, name: string): string {
  const digest = createHash('sha256').update(bundle).digest('hex');
  const element =
    `<script type="application/octet-stream" id="carried-bundle" data-name="${escaped(basename(name))}"` +
    ` data-digest="${digest}">${Buffer.from(bundle).toString('base64')}</script>`;
  // By a function: a text would take `$` in it for more than itself.
  return page.replace(PLACE, () => element);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
