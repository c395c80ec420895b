/** A real browser: opens one page without a network and gives back what became of it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
  '--host-resolver-rules=MAP * ~NOTFOUND',
  '--dump-dom',
];

/** @returns the page's document after its scripts ran */
export async function documentAfterScripts(html: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'witnessmark-page-'));
  try {
    const page = join(folder, 'page.html');
    await writeFile(page, html);
    const { stdout } = await promisify(execFile)(
      'chromium',
      [...FLAGS, `--user-data-dir=${join(folder, 'profile')}`, pathToFileURL(page).href],
      { maxBuffer: 256 << 20, timeout: 110_000 },
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
