// Builds the verifier's page: one HTML file that runs from a disk, with a policy of its own that lets it run nothing
// but the program in it, load nothing and send nothing (spec/verifier-page.md).

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRelease, ROOT } from './paths.mjs';

const SOURCES = join(ROOT, 'verifier', 'page');

/** Where it is in a checkout and, as `npm run build` copies it, in a release. */
export const PAGE = join(ROOT, isRelease() ? 'dist' : '.', 'verifier/page/build/verifier.html');

/** Browsers of 2023 and later. */
const TARGET = ['chrome110', 'firefox115', 'safari16.4'];

/** Says what the page was built from. */
const STAMP = join(SOURCES, 'build', 'built-from');

/** @returns {boolean} whether it was built from these sources */
export function isPageCurrent() {
  if (isRelease() || !existsSync(SOURCES)) return true;
  return existsSync(PAGE) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === sourcesHash();
}

export async function buildPage() {
  const hash = sourcesHash();
  const worker = await bundled('worker.ts', {});
  const script = await bundled('main.ts', { WORKER_SOURCE: JSON.stringify(worker) });
  const style = await bundledStyle();
  const page = pageText(policyOf(script, style), style, script);
  mkdirSync(join(SOURCES, 'build'), { recursive: true });
  // Whoever reads it meanwhile has the old one or the new one; the stamp comes last.
  writeFileSync(`${PAGE}.new`, page);
  renameSync(`${PAGE}.new`, PAGE);
  writeFileSync(STAMP, hash);
}

/**
 * Evidence that a page carries stands where the comment is (`witnessmark export --html`).
 * @param {string} policy @param {string} style @param {string} script
 */
function pageText(policy, style, script) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Witnessmark</title>
<style>${style}</style>
<!--carried-->
</head>
<body>
<noscript>This page verifies evidence by a program of its own and needs JavaScript. It uses no network.</noscript>
<script>${script}</script>
</body>
</html>
`;
}

/** @param {string} script @param {string} style */
function policyOf(script, style) {
  return [
    `default-src 'none'`,
    `script-src ${sourceHash(script)}`,
    `style-src ${sourceHash(style)}`,
    'worker-src blob:',
    `base-uri 'none'`,
    `form-action 'none'`,
  ].join('; ');
}

/** @param {string} text */
function sourceHash(text) {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** @param {string} entry @param {Record<string, string>} define */
async function bundled(entry, define) {
  // Not at the top: a release has no esbuild, and needs none.
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [join(SOURCES, entry)],
    bundle: true,
    write: false,
    minify: true,
    charset: 'utf8',
    format: 'iife',
    legalComments: 'inline',
    target: TARGET,
    define,
  });
  // Within HTML a script ends at the first of these, wherever it stands.
  return textOf(outputFiles).replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

async function bundledStyle() {
  const { build } = await import('esbuild');
  const own = readFileSync(join(SOURCES, 'style.css'), 'utf8');
  const { outputFiles } = await build({
    stdin: {
      contents: `@import 'uplot/dist/uPlot.min.css';\n${own}`,
      loader: 'css',
      resolveDir: SOURCES,
    },
    bundle: true,
    write: false,
    minify: true,
    target: TARGET,
  });
  return textOf(outputFiles);
}

/** @param {readonly { readonly text: string }[]} files */
function textOf(files) {
  const [file] = files;
  if (!file) throw new Error('esbuild gave no file');
  return file.text;
}

function sourcesHash() {
  const hash = createHash('sha256');
  const files = ['core', 'verifier'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /[.](ts|css)$/.test(name))
      .map((name) => join(folder, name)),
  );
  for (const file of files.sort()) {
    hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  for (const file of ['bootstrap/verifier-page.mjs', 'package-lock.json']) {
    hash.update(readFileSync(join(ROOT, file)));
  }
  return `${hash.digest('hex')}\n`;
}
