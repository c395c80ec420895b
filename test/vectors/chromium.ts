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
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--dump-dom',
];

/**
 * @param flags further ones, such as the size of the window
 * @returns the page's document after its scripts ran
 */
export async function documentAfterScripts(
  html: string,
  flags: readonly string[] = [],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'witnessmark-page-'));
  try {
    const page = join(folder, 'page.html');
    await writeFile(page, html);
    return (await visit(pathToFileURL(page).href, join(folder, 'profile'), flags)).document;
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A page that a server of the test's own gives, with what the browser complained about. */
export async function documentAt(
  url: string,
): Promise<{ readonly document: string; readonly complaints: string }> {
  const profile = await mkdtemp(join(tmpdir(), 'witnessmark-profile-'));
  try {
    return await visit(url, profile, ['--enable-logging=stderr']);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function visit(
  url: string,
  profile: string,
  flags: readonly string[],
): Promise<{ readonly document: string; readonly complaints: string }> {
  const { stdout, stderr } = await promisify(execFile)(
    'chromium',
    [...FLAGS, ...flags, `--user-data-dir=${profile}`, url],
    { maxBuffer: 256 << 20, timeout: 110_000 },
  );
  return { document: stdout, complaints: stderr };
}
